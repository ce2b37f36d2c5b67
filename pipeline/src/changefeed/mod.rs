//! Changefeeds: their state in etcd and the task that drives one.

pub mod snapshot;
pub mod task;

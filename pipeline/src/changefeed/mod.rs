//! Changefeeds: their state in etcd and the task that drives one.

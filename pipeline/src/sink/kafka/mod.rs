//! Kafka: what is settled with the cluster, and delivery.

pub mod cluster;
pub mod connection;
pub mod producer;
mod reach;
pub mod settle;

//! Kafka: what is settled with the cluster, and delivery.

pub mod cluster;
pub mod producer;
pub mod settle;

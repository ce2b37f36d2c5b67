//! Kafka: what is settled with the cluster, and delivery.

pub mod cluster;
pub mod connection;
pub mod deliveries;
mod outage;
pub mod producer;
mod reach;
mod reasons;
pub mod settle;

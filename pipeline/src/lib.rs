//! A change data capture pipeline for TiDB: TiKV's change feed to canal-json in Kafka.

pub mod compat;

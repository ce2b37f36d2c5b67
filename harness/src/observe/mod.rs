//! What came out: SQL results, Kafka records, Flink's tables and changes, and the barrier that says when to look.

pub mod changefeed;
pub mod feed;
pub mod flink;
pub mod kafka;
pub mod pd;
pub mod poll;
pub mod sql;

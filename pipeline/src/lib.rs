//! A change data capture pipeline for TiDB: TiKV's change feed to canal-json in Kafka.
//!
//! Data flows one way and the modules read in that order: [`upstream`] (PD, reads, the change feed) with [`frontier`]
//! (how far a span is complete), [`schema`] and [`mount`] (rows from bytes), [`sort`], [`codec`], [`sink`]. Around it
//! stand [`changefeed`] (state and life cycle), [`filter`] (what a changefeed leaves out), [`etcd`], [`api`], [`cli`] and
//! [`config`]; [`compat`] names the TiCDC releases whose observable behaviour is kept to.

pub mod model;

pub mod frontier;
pub mod upstream;

pub mod mount;
pub mod schema;

pub mod sort;

pub mod codec;
pub mod sink;

pub mod api;
pub mod changefeed;
pub mod cli;
pub mod coded;
pub mod compat;
pub mod config;
pub mod etcd;
pub mod filter;
pub mod meters;
pub mod server;

#[cfg(test)]
mod testing;

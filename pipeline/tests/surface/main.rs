//! The state in etcd, the command line and the HTTP API, held to the recordings of TiCDC (`fixtures/golden/ticdc`).
//!
//! The recorded commands and calls run against our `cdc` and a whole cluster: a real etcd and Kafka, the embedded PD,
//! TiKV and TiDB (over a real MariaDB) as processes.

// helpers of tests are tests too
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod by_hand;
mod cluster;
mod commands;
mod current;
mod expressions;
mod faults;
mod faults_recorded;
mod load;
mod normal;
mod seed;
mod server_file;
mod stored;
mod topics;
mod topics_change;
mod values;
mod verdicts;

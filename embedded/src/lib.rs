//! An embedded TiDB cluster (PD, TiKV, TiDB) for machines without the real one.
//!
//! Three processes that meet only on the wire, in the real protocols: [`pd`] keeps its metadata in a real etcd and passes
//! etcd's own API on to it; [`tikv`] is one durable MVCC engine with the change feed; [`tidb`] puts MySQL's protocol in
//! front of a MariaDB and writes what MariaDB's binlog says, in TiDB's encodings, into any TiKV. [`verify`] proves that it
//! did: it compares all of TiKV with MariaDB.

pub mod client;
pub mod pd;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
pub mod tidb;
pub mod tikv;
pub mod verify;

//! From MariaDB's binlog to TiKV: one ordered writer.
//!
//! A transaction of MariaDB becomes one transaction of TiKV, in the order of the binlog, with the rows in TiDB's
//! encodings and the binlog position in the same write: a crash anywhere loses nothing and applies nothing twice.
//! A DDL statement becomes the transactions of its plan, at its place among the rows.
//!
//! * [`binlog`] reads events; [`table`] maps row images to a table's columns; [`rows`] is what a change of a row does to
//!   its record and its index entries; [`effect`] is what a transaction does to each key in the end.
//! * [`record`] is what is kept in TiKV beside the data: the position, and the intent of the DDL statement under way.
//! * [`backfill`] makes the entries of indexes that are added to tables with rows, [`rewrite`] the values of a column that
//!   changes its type.
//! * [`restore`] gives MariaDB the rows of a dropped table again.
//! * [`writer`] commits, by the [`lane`] of what is under way; [`applier`] drives it all, [`handle`] is how the front talks to
//!   it; [`accounts`] and [`own`] are statements that TiKV has no part in.

mod accounts;
pub mod applier;
pub mod backfill;
pub mod binlog;
mod compute;
pub mod effect;
pub mod gtid;
pub mod handle;
mod lane;
mod literal;
pub mod mend;
mod orphans;
mod own;
pub mod record;
mod reorganize;
pub mod restore;
pub mod rewrite;
pub mod rows;
mod sequence;
pub mod table;
pub mod writer;

pub use applier::Applier;
pub use gtid::{Gtid, GtidError};
pub use handle::{ApplyHandle, Ended};
pub use record::Intent;

use std::path::PathBuf;

use binlog::BinlogError;

use super::catalog::{CatalogError, DdlError};
use super::codec::CodecError;
use super::partition::PartitionError;
use super::wire::WireError;
use crate::client::ClientError;

/// Why applying stopped. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The binlog could not be read.
    #[error(transparent)]
    Binlog(#[from] BinlogError),
    /// TiKV refused for good.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The task that commits has ended.
    #[error("commit to TiKV: the task that commits has ended: {why}")]
    Lane {
        /// Why.
        why: String,
    },
    /// A row could not be encoded.
    #[error("encode a row of {table}: {source}")]
    Row {
        /// Database and table.
        table: String,
        /// Why.
        source: CodecError,
    },
    /// A row's partition is not known.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// A key that a reorganisation of partitions reads is no row's.
    #[error("move rows of table {table:?} to other partitions: {source}")]
    Move {
        /// The table.
        table: String,
        /// Why.
        source: CodecError,
    },
    /// A row that was read for a change of a column cannot be written again.
    #[error("write the rows of table {table:?} again: {why}")]
    Rewrite {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// Rows of a table that TiDB's schema does not have.
    #[error(
        "apply rows of {table}: TiDB's schema has no such table; MariaDB and TiKV have come apart"
    )]
    NoTable {
        /// Database and table.
        table: String,
    },
    /// A table differs between MariaDB and TiDB's schema.
    #[error("apply rows of {table}: {why}; MariaDB and TiKV have come apart")]
    Columns {
        /// Database and table.
        table: String,
        /// What differs.
        why: String,
    },
    /// A statement in the binlog that nobody announced.
    #[error(
        "apply the binlog at {gtid}: the statement {sql:?} was not announced by the front; was MariaDB used directly?"
    )]
    Unannounced {
        /// Its position.
        gtid: Gtid,
        /// Its text.
        sql: String,
    },
    /// The schema could not be read or changed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The DDL statement under way cannot be planned again.
    #[error("plan the interrupted statement {sql:?} again: {source}")]
    Replan {
        /// Its text.
        sql: String,
        /// Why not.
        source: Box<DdlError>,
    },
    /// A DDL statement is stuck half-way.
    #[error(
        "carry on with {sql:?}: {why}; a restart finds out how far it got and completes or drops it"
    )]
    HalfDone {
        /// Its text.
        sql: String,
        /// What stopped it.
        why: String,
    },
    /// What is kept in TiKV beside the data is damaged.
    #[error("read {what} in TiKV: {why}")]
    Record {
        /// Which record.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Virtual columns of rows could not be computed.
    #[error("compute virtual columns of table {table:?}: {why}")]
    Compute {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// The rows of a dropped table could not be given to MariaDB again.
    #[error("bring back the rows of table {table:?}: {why}")]
    Restore {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// Partitions without their table could not be given a list of their names.
    #[error("copy {} to {}: {source}", from.display(), to.display())]
    Orphans {
        /// A list of such names.
        from: PathBuf,
        /// Where it is needed.
        to: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// MariaDB could not be asked or told something.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// MariaDB lacks transactions that TiKV has.
    #[error(
        "go on from {applied}: MariaDB's binlog ends at {binlog}; its data folder is older than TiKV's data"
    )]
    Behind {
        /// What TiKV has.
        applied: Gtid,
        /// What MariaDB has.
        binlog: Gtid,
    },
}

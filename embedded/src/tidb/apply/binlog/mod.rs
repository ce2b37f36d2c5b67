//! MariaDB's row binlog: the stream of events, what they say, and values in them.

pub mod event;
pub mod stream;
pub(crate) mod value;

use super::gtid::GtidError;
use crate::tidb::codec::CodecError;
use crate::tidb::wire::WireError;

/// Why the binlog could not be read. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinlogError {
    /// The connection failed, or an event's bytes are not what they should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A GTID is none of ours.
    #[error(transparent)]
    Gtid(#[from] GtidError),
    /// MariaDB ended the stream.
    #[error("read the binlog: MariaDB ended the stream")]
    Ended,
    /// An event that must not occur under the pinned settings.
    #[error("read the binlog: unexpected {what}")]
    Unexpected {
        /// What came.
        what: String,
    },
    /// A row event refers to a table that was not described before.
    #[error("read the binlog: rows of table number {id} come before its description")]
    UnknownTable {
        /// Number within the binlog.
        id: u64,
    },
    /// A value cannot be taken over.
    #[error("read column {column:?} of {table} in the binlog: {why}")]
    Value {
        /// Database and table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong.
        why: String,
    },
    /// A value's bytes break its encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

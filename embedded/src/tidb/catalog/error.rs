//! What can go wrong with a DDL statement.

use crate::tidb::codec::{CodecError, keys::MetaKey};

/// Why the stored schema could not be read or written. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A key or row does not follow its encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A value of the schema is not what its key promises.
    #[error("read the schema at {key:?}: {why}")]
    Damaged {
        /// Where.
        key: MetaKey,
        /// What is wrong.
        why: String,
    },
    /// JSON could not be written.
    #[error("write the schema as JSON")]
    Json(#[from] serde_json::Error),
    /// A transaction of a plan was asked for out of order.
    #[error(
        "build transaction {asked} of a DDL plan of {len}: ask for them in order, each with its start TSO"
    )]
    NoSuchTransaction {
        /// Number of timestamps given.
        asked: usize,
        /// Transactions in the plan.
        len: usize,
    },
}

/// Why a DDL statement is refused.
#[derive(Debug, thiserror::Error)]
pub enum DdlError {
    /// TiDB refuses it too: its code and text.
    #[error("{message}")]
    Sql {
        /// MySQL's error number.
        code: u16,
        /// TiDB's message.
        message: String,
    },
    /// TiDB would run it, the embedded TiDB cannot.
    #[error("the embedded TiDB does not support {what}: {statement}")]
    Unsupported {
        /// What is missing.
        what: String,
        /// The statement, or its beginning.
        statement: String,
    },
    /// The schema could not be read or written.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl From<CodecError> for DdlError {
    fn from(e: CodecError) -> Self {
        Self::Catalog(e.into())
    }
}

impl DdlError {
    /// MySQL's error number to answer with.
    pub fn code(&self) -> u16 {
        match self {
            Self::Sql { code, .. } => *code,
            Self::Unsupported { .. } => UNSUPPORTED,
            Self::Catalog(_) => UNKNOWN,
        }
    }

    /// The five-character SQLSTATE to answer with, as MySQL pairs it with the code.
    pub fn sql_state(&self) -> &'static str {
        match self.code() {
            1050 => "42S01",
            1051 | 1146 => "42S02",
            1060 => "42S21",
            1054 => "42S22",
            1235
            | 1049
            | 1061
            | 1064
            | 1067..=1075
            | 1090
            | 1091
            | 1101
            | 1113
            | 1115
            | 1170
            | 1171
            | 1280 => "42000",
            _ => "HY000",
        }
    }
}

/// `ER_NOT_SUPPORTED_YET`.
const UNSUPPORTED: u16 = 1235;
/// `ER_UNKNOWN_ERROR`.
const UNKNOWN: u16 = 1105;

//! TiDB's encodings of keys, rows and values, as pure functions over bytes.
//!
//! * [`number`], [`bytes`]: memcomparable and variable-length primitives.
//! * [`datum`]: one SQL value, and its form inside a key.
//! * [`decimal`], [`time`], [`collate`], [`json`], [`json_text`]: the types whose binary form is not just a number.
//! * [`gbk`]: the one character set in which MariaDB holds another form than TiDB.
//! * [`row`]: row format v2 and record keys of a table described by a `TableInfo`; [`origin`]: what a row lacks.
//! * [`index`]: entries of indexes.
//! * [`keys`]: table and meta keys; [`tso`]: timestamps.
//!
//! The rules are those of `docs/spec/row-and-key-codecs.md`; each is held to `fixtures/golden/`.

pub mod bytes;
pub mod collate;
pub mod crc64;
pub mod datum;
pub mod decimal;
pub mod gbk;
pub mod index;
pub mod json;
pub mod json_text;
mod key_part;
pub mod keys;
pub mod number;
pub mod origin;
pub mod row;
pub mod time;
mod time_literal;
pub mod tso;

pub use datum::Datum;
pub use decimal::Decimal;
pub use row::Handle;
pub use time::{Duration, Time};

/// Why a value could not be encoded or decoded. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ended early.
    #[error("decode {what}: {need} bytes expected, {have} left")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes needed.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// The input breaks the encoding's rules.
    #[error("decode {what}: {why}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// The rule that is broken.
        why: String,
    },
    /// A text is no value of the type.
    #[error("parse {text:?} as {what}: {why}")]
    Text {
        /// The type.
        what: &'static str,
        /// The text as given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value does not fit its column.
    #[error("encode column {column:?}: {why}")]
    Column {
        /// The column's name.
        column: String,
        /// What does not fit.
        why: String,
    },
    /// The embedded TiDB has no sort key for this collation and text.
    #[error(
        "encode a key of collation {collation}: the embedded TiDB has no sort weights for {text:?}; \
         use a _bin collation"
    )]
    Collation {
        /// The collation's name.
        collation: String,
        /// The text.
        text: String,
    },
    /// A row has the wrong number of values.
    #[error("encode a row of table {table:?}: it has {columns} columns, got {values} values")]
    RowWidth {
        /// The table's name.
        table: String,
        /// Columns of the table.
        columns: usize,
        /// Values given.
        values: usize,
    },
    /// A table without a clustered primary key needs the row id from outside.
    #[error(
        "encode a record key of table {table:?}: it has no clustered primary key and no _tidb_rowid was given"
    )]
    NoRowId {
        /// The table's name.
        table: String,
    },
}

impl CodecError {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed {
            what,
            why: why.into(),
        }
    }
}

/// Splits `n` bytes off the front of `input`.
pub(crate) fn take<'a>(
    input: &mut &'a [u8],
    n: usize,
    what: &'static str,
) -> Result<&'a [u8], CodecError> {
    if input.len() < n {
        return Err(CodecError::Short {
            what,
            need: n,
            have: input.len(),
        });
    }
    let (head, tail) = input.split_at(n);
    *input = tail;
    Ok(head)
}

/// Splits a fixed array off the front of `input`.
pub(crate) fn take_array<const N: usize>(
    input: &mut &[u8],
    what: &'static str,
) -> Result<[u8; N], CodecError> {
    let mut out = [0; N];
    out.copy_from_slice(take(input, N, what)?);
    Ok(out)
}

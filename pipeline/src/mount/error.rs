//! What can go wrong while a row is decoded.

/// A key or value that is not in TiDB's encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// The bytes end too early.
    #[error("decode {what}: {len} bytes left, {expected} expected")]
    Short {
        /// What was being decoded.
        what: &'static str,
        /// Bytes that are left.
        len: usize,
        /// Bytes that are needed.
        expected: usize,
    },
    /// A byte that must not be there.
    #[error("decode {what}: {detail}")]
    Invalid {
        /// What was being decoded.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// A column's bytes are not of its type.
    #[error("decode column `{schema}`.`{table}`.`{column}` (id {id}, type code {tp}): {source}")]
    Column {
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its id.
        id: i64,
        /// Its type code.
        tp: u8,
        /// What is wrong with the bytes.
        source: Box<MountError>,
    },
    /// A row's key or value is broken as a whole.
    #[error("decode the row {key} of `{schema}`.`{table}`: {source}")]
    Row {
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// The raw key, in hexadecimal.
        key: String,
        /// What is wrong with it.
        source: Box<MountError>,
    },
}

impl MountError {
    pub(crate) fn invalid(what: &'static str, detail: impl Into<String>) -> Self {
        MountError::Invalid {
            what,
            detail: detail.into(),
        }
    }
}

/// The first `N` bytes, and the rest.
pub(crate) fn take<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<([u8; N], &'a [u8]), MountError> {
    match bytes.split_first_chunk::<N>() {
        Some((head, tail)) => Ok((*head, tail)),
        None => Err(MountError::Short {
            what,
            len: bytes.len(),
            expected: N,
        }),
    }
}

/// The first `n` bytes, and the rest.
pub(crate) fn take_slice<'a>(
    bytes: &'a [u8],
    n: usize,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), MountError> {
    bytes.split_at_checked(n).ok_or(MountError::Short {
        what,
        len: bytes.len(),
        expected: n,
    })
}

//! Sort keys: what a string becomes inside a key (`docs/spec/row-and-key-codecs.md §9`).

use std::borrow::Cow;

use tidb_sql::collation::{self, SortKeyError, TableError};

use super::CodecError;

pub use collation::{is_bin, is_known, needs_restored_data};

/// The sort key of `text` under `collation`, with TiDB's new collation framework on.
///
/// `text` is UTF-8 under every collation but `binary`. Collations without a table are refused: a wrong sort key
/// would be a wrong key. Where a text is not UTF-8 it ends, as far as the collations with tables are concerned.
pub fn sort_key<'a>(collation: &str, text: &'a [u8]) -> Result<Cow<'a, [u8]>, CodecError> {
    collation::sort_key(collation, text).map_err(|error| match error {
        SortKeyError::Unknown(collation) => CodecError::Collation {
            collation,
            text: String::from_utf8_lossy(text).into_owned(),
        },
        SortKeyError::Table(error) => error.into(),
    })
}

impl From<TableError> for CodecError {
    fn from(error: TableError) -> Self {
        CodecError::malformed("a table of sort weights", error.to_string())
    }
}

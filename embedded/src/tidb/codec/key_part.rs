//! A column inside a key: of a clustered primary key or of an index (`docs/spec/row-and-key-codecs.md §8-§10`).

use std::borrow::Cow;

use super::row::check_kind;
use super::{CodecError, Datum, collate, datum};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::{ColumnInfo, FieldType, IndexColumn, TableInfo, Tp};

/// The column that a part of an index stands for.
pub(super) fn column<'a>(
    table: &'a TableInfo,
    part: &IndexColumn,
) -> Result<&'a ColumnInfo, CodecError> {
    table.columns.get(part.offset).ok_or_else(|| {
        CodecError::malformed(
            "a table's index",
            format!(
                "column {:?} at offset {} does not exist",
                part.name.o, part.offset
            ),
        )
    })
}

/// Whether a key holds less than the column's text, so that the text is kept beside it.
pub(super) fn needs_restored_data(table: &TableInfo, ft: &FieldType) -> bool {
    table.new_collations()
        && ft.tp.is_string()
        && ft.charset != "binary"
        && collate::needs_restored_data(&ft.collate, matches!(ft.tp, Tp::Varchar | Tp::VarString))
}

/// Appends a value as it stands in a key: cut to the part's length, and as its sort key under new collations.
pub(super) fn put(
    out: &mut Vec<u8>,
    table: &TableInfo,
    column: &ColumnInfo,
    part: &IndexColumn,
    value: &Datum,
) -> Result<(), CodecError> {
    check_kind(column, value)?;
    let ft = &column.field_type;
    let shape = ft.decimal_shape();
    match cut(table, ft, part.length, value).as_ref() {
        Datum::Bytes(text) if table.new_collations() => {
            let key = collate::sort_key(&ft.collate, text)?.into_owned();
            datum::put_key(out, &Datum::Bytes(key), shape)
        }
        value => datum::put_key(out, value, shape),
    }
}

/// The leading part of a text that an index of `length` holds; other values, and texts under -1, as they are.
pub(super) fn cut<'a>(
    table: &TableInfo,
    ft: &FieldType,
    length: i64,
    value: &'a Datum,
) -> Cow<'a, Datum> {
    let (Datum::Bytes(text), Ok(n)) = (value, usize::try_from(length)) else {
        return Cow::Borrowed(value);
    };
    let end = if counts_bytes(table, ft) {
        n.min(text.len())
    } else {
        chars_end(text, n)
    };
    if end == text.len() {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(Datum::Bytes(text[..end].to_vec()))
    }
}

/// Whether prefix lengths count bytes. 4.0 counts characters in UTF-8 only; later releases hold texts of every
/// character set in UTF-8 and count bytes where a character is one anyway.
fn counts_bytes(table: &TableInfo, ft: &FieldType) -> bool {
    match table.written_by() {
        TidbVersion::V4_0 => !matches!(ft.charset.as_str(), "utf8" | "utf8mb4"),
        TidbVersion::V8_5 => matches!(ft.charset.as_str(), "binary" | "ascii"),
    }
}

/// Where the first `n` UTF-8 characters end.
fn chars_end(text: &[u8], n: usize) -> usize {
    text.iter()
        .enumerate()
        .filter(|(_, b)| **b & 0xc0 != 0x80)
        .nth(n)
        .map_or(text.len(), |(i, _)| i)
}

//! Entries of indexes (`docs/spec/row-and-key-codecs.md §10`).

use super::row::{assemble, encode_value};
use super::{CodecError, Datum, Handle, collate, datum, key_part, keys, number};
use crate::tidb::catalog::model::{ColumnInfo, IndexColumn, IndexInfo, TableInfo, flag};

/// Values up to this length are in the old layout: the handle, or nothing.
const MAX_OLD_VALUE: usize = 9;
/// The whole value of an entry whose key tells everything.
const NOTHING: u8 = b'0';
const FLAG_VERSION: u8 = 125;
const FLAG_PARTITION: u8 = 126;
const FLAG_COMMON_HANDLE: u8 = 127;
/// The layout of values in tables whose `common_handle_version` is this.
const VERSION_CLUSTERED: u16 = 1;

/// What an index keeps of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `t{table}_i{index}`, the columns, and unless it is `distinct` the handle.
    pub key: Vec<u8>,
    /// The handle if it is `distinct`, and what the key lost of the columns.
    pub value: Vec<u8>,
    /// Whether no other row may have the same key: the index is unique, and no column is NULL.
    pub distinct: bool,
}

/// A row as its indexes see it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The table's id, or that of the partition.
    pub physical_id: i64,
    /// One for each of the table's columns, in table order; those of virtual columns too, if an index has them.
    pub values: &'a [Datum],
    /// As in its record key.
    pub handle: &'a Handle,
}

/// The indexes of a table that have entries: a clustered primary key is in the record keys themselves.
pub fn written(table: &TableInfo) -> impl Iterator<Item = &IndexInfo> {
    let clustered = table.common_handle_index().map(|primary| primary.id);
    table
        .indexes
        .iter()
        .filter(move |index| Some(index.id) != clustered)
}

/// The entry of a row in an index of its table.
pub fn entry(table: &TableInfo, index: &IndexInfo, row: Row<'_>) -> Result<Entry, CodecError> {
    let (key, distinct) = key(table, index, row)?;
    let value = if table.is_common_handle == Some(true)
        && table.common_handle_version == Some(VERSION_CLUSTERED)
    {
        clustered_value(table, index, row, distinct)?
    } else {
        value(table, index, row, distinct)?
    };
    Ok(Entry {
        key,
        value,
        distinct,
    })
}

/// The key of a row's entry, and whether it is distinct.
pub fn key(
    table: &TableInfo,
    index: &IndexInfo,
    row: Row<'_>,
) -> Result<(Vec<u8>, bool), CodecError> {
    let table_id = if is_global(index) {
        table.id
    } else {
        row.physical_id
    };
    let mut out = keys::index_prefix(table_id, index.id);
    let mut distinct = index.is_unique;
    for part in &index.columns {
        let (column, value) = of_part(table, part, row)?;
        distinct &= !value.is_null();
        key_part::put(&mut out, table, column, part, value)?;
    }
    if !distinct {
        match row.handle {
            Handle::Int(handle) => datum::put_key(&mut out, &Datum::Int(*handle), (0, 0))?,
            Handle::Common(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok((out, distinct))
}

fn is_global(index: &IndexInfo) -> bool {
    index.is_global == Some(true)
}

fn of_part<'a>(
    table: &'a TableInfo,
    part: &IndexColumn,
    row: Row<'a>,
) -> Result<(&'a ColumnInfo, &'a Datum), CodecError> {
    let column = key_part::column(table, part)?;
    let value = row
        .values
        .get(part.offset)
        .ok_or_else(|| CodecError::RowWidth {
            table: table.name.o.clone(),
            columns: table.columns.len(),
            values: row.values.len(),
        })?;
    Ok((column, value))
}

/// The layout of tables with int handles, and of common handles before 5.0.
fn value(
    table: &TableInfo,
    index: &IndexInfo,
    row: Row<'_>,
    distinct: bool,
) -> Result<Vec<u8>, CodecError> {
    let mut options = Vec::new();
    put_options(&mut options, index, row, distinct)?;
    let mut restores = false;
    let mut cells = Vec::with_capacity(index.columns.len());
    for part in &index.columns {
        let (column, value) = of_part(table, part, row)?;
        restores |= key_part::needs_restored_data(table, &column.field_type);
        let value = key_part::cut(table, &column.field_type, part.length, value);
        cells.push((column.id, cell(column, &value)?));
    }
    if restores {
        // All columns are kept, those that need it and those that do not.
        options.extend(assemble(cells));
    }
    let tail = match row.handle {
        Handle::Int(handle) if distinct => handle.to_be_bytes().to_vec(),
        _ if options.is_empty() => return Ok(vec![NOTHING]),
        _ => vec![0; MAX_OLD_VALUE.saturating_sub(options.len())],
    };
    if options.is_empty() {
        return Ok(tail);
    }
    let mut out = vec![tail.len() as u8];
    out.extend(options);
    out.extend(tail);
    Ok(out)
}

/// The layout of tables with common handles since 5.0: only what the key lost is kept, of the handle's columns too.
fn clustered_value(
    table: &TableInfo,
    index: &IndexInfo,
    row: Row<'_>,
    distinct: bool,
) -> Result<Vec<u8>, CodecError> {
    let mut out = vec![0, FLAG_VERSION, VERSION_CLUSTERED as u8];
    put_options(&mut out, index, row, distinct)?;
    let mut cells = Vec::new();
    for part in &index.columns {
        let (column, value) = of_part(table, part, row)?;
        let ft = &column.field_type;
        if ft.has(flag::PRI_KEY) || !key_part::needs_restored_data(table, ft) {
            continue;
        }
        let value = key_part::cut(table, ft, part.length, value);
        cells.push((
            column.id,
            match trimmed_spaces(column, &value) {
                Some(n) => Some(count(|out| number::put_min_uint(out, n))),
                None => cell(column, &value)?,
            },
        ));
    }
    for primary in table.common_handle_index().iter().flat_map(|i| &i.columns) {
        let (column, value) = of_part(table, primary, row)?;
        let ft = &column.field_type;
        if !key_part::needs_restored_data(table, ft) {
            continue;
        }
        // The longer of what the handle and the index hold of the column.
        let of_index = index.columns.iter().find(|p| p.offset == primary.offset);
        let length = of_index.map_or(primary.length, |p| {
            if p.length < 0 || primary.length < 0 {
                -1
            } else {
                p.length.max(primary.length)
            }
        });
        let value = key_part::cut(table, ft, length, value);
        cells.push((
            column.id,
            match trimmed_spaces(column, &value) {
                Some(n) => Some(count(|out| number::put_min_int(out, n as i64))),
                None => cell(column, &value)?,
            },
        ));
    }
    if !cells.is_empty() {
        out.extend(assemble(cells));
    }
    Ok(out)
}

/// The common handle of a distinct entry, and the partition of a global index.
fn put_options(
    out: &mut Vec<u8>,
    index: &IndexInfo,
    row: Row<'_>,
    distinct: bool,
) -> Result<(), CodecError> {
    if let (Handle::Common(bytes), true) = (row.handle, distinct) {
        let len = u16::try_from(bytes.len()).map_err(|_| {
            CodecError::malformed(
                "the value of an index entry",
                format!("a handle of {} bytes", bytes.len()),
            )
        })?;
        out.push(FLAG_COMMON_HANDLE);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(bytes);
    }
    if is_global(index) {
        out.push(FLAG_PARTITION);
        number::put_comparable_int(out, row.physical_id);
    }
    Ok(())
}

/// How many trailing spaces a `_bin` collation took off; all that the key lost.
fn trimmed_spaces(column: &ColumnInfo, value: &Datum) -> Option<u64> {
    if !collate::is_bin(&column.field_type.collate) {
        return None;
    }
    Some(match value {
        Datum::Bytes(text) => text.iter().rev().take_while(|b| **b == b' ').count() as u64,
        _ => 0,
    })
}

fn cell(column: &ColumnInfo, value: &Datum) -> Result<Option<Vec<u8>>, CodecError> {
    if value.is_null() {
        return Ok(None);
    }
    encode_value(column, value).map(Some)
}

/// A count in place of a text. TiDB keeps that of an index's own column as an unsigned number, that of a handle's column
/// as a signed one: from 128 on they differ.
fn count(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(2);
    put(&mut out);
    out
}

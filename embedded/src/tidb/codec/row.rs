//! Record keys and row format v2 of a table (`docs/spec/row-and-key-codecs.md §3, §8`).

use super::{
    CodecError, Datum, Decimal, Duration, Time, datum, key_part, keys, number, take, take_array,
};
use crate::tidb::catalog::model::{ColumnInfo, IndexColumn, SchemaState, TableInfo, Tp};

const VERSION: u8 = 128;
const FLAG_LARGE: u8 = 1;
/// Greatest column id and value length of the small form.
const SMALL_MAX_ID: i64 = u8::MAX as i64;
const SMALL_MAX_DATA: usize = u16::MAX as usize;
/// A common handle is padded to this, so that it never looks like an int handle.
const MIN_COMMON_HANDLE: usize = 9;

/// What identifies a record within its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Handle {
    /// The integer primary key (unsigned ones by their bits), or `_tidb_rowid`.
    Int(i64),
    /// The encoded columns of a clustered primary key.
    Common(Vec<u8>),
}

/// The handle of a row. `values` has one datum for each of the table's columns, in table order; `row_id` is the
/// `_tidb_rowid` of a table without a clustered primary key and is ignored by others.
pub fn handle(
    table: &TableInfo,
    values: &[Datum],
    row_id: Option<i64>,
) -> Result<Handle, CodecError> {
    check_width(table, values)?;
    if let Some(column) = table.handle_column() {
        return match &values[column.offset] {
            Datum::Int(v) => Ok(Handle::Int(*v)),
            Datum::Uint(v) => Ok(Handle::Int(*v as i64)),
            other => Err(wrong_kind(column, other)),
        };
    }
    let Some(primary) = table.common_handle_index() else {
        return row_id.map(Handle::Int).ok_or_else(|| CodecError::NoRowId {
            table: table.name.o.clone(),
        });
    };
    let mut out = Vec::with_capacity(32);
    for part in &primary.columns {
        let column = key_part::column(table, part)?;
        key_part::put(&mut out, table, column, part, &values[part.offset])?;
    }
    if out.len() < MIN_COMMON_HANDLE {
        out.resize(MIN_COMMON_HANDLE, 0);
    }
    Ok(Handle::Common(out))
}

/// The record key of a row: `t{id}_r{handle}`; `row_id` as for [`handle`].
pub fn row_key(
    table: &TableInfo,
    values: &[Datum],
    row_id: Option<i64>,
) -> Result<Vec<u8>, CodecError> {
    Ok(keys::record_key(table.id, &handle(table, values, row_id)?))
}

/// The value of a row: format v2 of the columns that TiDB keeps outside the key.
pub fn encode_row(table: &TableInfo, values: &[Datum]) -> Result<Vec<u8>, CodecError> {
    check_width(table, values)?;
    let mut columns = Vec::with_capacity(values.len());
    for (column, value) in table.columns.iter().zip(values) {
        if !is_in_value(table, column) {
            continue;
        }
        if !value.is_null() {
            columns.push((column.id, Some(encode_value(column, value)?)));
        } else if !column.defaults_to_null() {
            columns.push((column.id, None));
        }
    }
    Ok(assemble(columns))
}

/// The value of a row as a reorganisation writes it: all columns that are written at all, those of the key too, NULL as
/// such.
pub fn encode_writable(table: &TableInfo, values: &[Datum]) -> Result<Vec<u8>, CodecError> {
    check_width(table, values)?;
    let is_written = |column: &ColumnInfo| {
        let hidden = matches!(column.state, SchemaState::None | SchemaState::DeleteOnly);
        !column.is_virtual() && !hidden
    };
    let columns = table.columns.iter().zip(values);
    let cells = columns
        .filter(|(column, _)| is_written(column))
        .map(|(column, value)| {
            let value = match value.is_null() {
                true => None,
                false => Some(encode_value(column, value)?),
            };
            Ok((column.id, value))
        });
    Ok(assemble(cells.collect::<Result<_, CodecError>>()?))
}

/// Key and value of a row, as TiDB puts them.
pub fn encode(
    table: &TableInfo,
    values: &[Datum],
    row_id: Option<i64>,
) -> Result<(Vec<u8>, Vec<u8>), CodecError> {
    Ok((row_key(table, values, row_id)?, encode_row(table, values)?))
}

/// Row format v2 of (column id, encoded value or NULL) pairs.
pub fn assemble(mut columns: Vec<(i64, Option<Vec<u8>>)>) -> Vec<u8> {
    columns.sort_unstable_by_key(|(id, value)| (value.is_none(), *id));
    let not_null = columns.iter().filter(|(_, v)| v.is_some()).count();
    let data_len: usize = columns
        .iter()
        .filter_map(|(_, v)| v.as_ref().map(Vec::len))
        .sum();
    let large = data_len > SMALL_MAX_DATA || columns.iter().any(|(id, _)| *id > SMALL_MAX_ID);

    let mut out = Vec::with_capacity(6 + columns.len() * 8 + data_len);
    out.extend_from_slice(&[VERSION, if large { FLAG_LARGE } else { 0 }]);
    out.extend_from_slice(&(not_null as u16).to_le_bytes());
    out.extend_from_slice(&((columns.len() - not_null) as u16).to_le_bytes());
    for (id, _) in &columns {
        if large {
            out.extend_from_slice(&(*id as u32).to_le_bytes());
        } else {
            out.push(*id as u8);
        }
    }
    let mut end = 0;
    for value in columns.iter().filter_map(|(_, v)| v.as_ref()) {
        end += value.len();
        if large {
            out.extend_from_slice(&(end as u32).to_le_bytes());
        } else {
            out.extend_from_slice(&(end as u16).to_le_bytes());
        }
    }
    for value in columns.iter().filter_map(|(_, v)| v.as_ref()) {
        out.extend_from_slice(value);
    }
    out
}

/// A column's id, and its value in the codec of its type, or none for NULL.
pub type Cell<'a> = (i64, Option<&'a [u8]>);

/// The cells of a row in format v2.
pub fn disassemble(row: &[u8]) -> Result<Vec<Cell<'_>>, CodecError> {
    const WHAT: &str = "a row";
    let mut rest = row;
    let [version, flags] = take_array(&mut rest, WHAT)?;
    if version != VERSION {
        return Err(CodecError::malformed(
            WHAT,
            format!("format {version}, expected {VERSION}"),
        ));
    }
    let large = flags & FLAG_LARGE != 0;
    let not_null = usize::from(u16::from_le_bytes(take_array(&mut rest, WHAT)?));
    let null = usize::from(u16::from_le_bytes(take_array(&mut rest, WHAT)?));
    let ids = (0..not_null + null)
        .map(|_| {
            Ok(if large {
                i64::from(u32::from_le_bytes(take_array(&mut rest, WHAT)?))
            } else {
                i64::from(take(&mut rest, 1, WHAT)?[0])
            })
        })
        .collect::<Result<Vec<i64>, CodecError>>()?;
    let ends = (0..not_null)
        .map(|_| {
            Ok(if large {
                u32::from_le_bytes(take_array(&mut rest, WHAT)?) as usize
            } else {
                usize::from(u16::from_le_bytes(take_array(&mut rest, WHAT)?))
            })
        })
        .collect::<Result<Vec<usize>, CodecError>>()?;
    let mut start = 0;
    let mut out = Vec::with_capacity(ids.len());
    for (id, end) in ids.iter().zip(&ends) {
        let value = rest.get(start..*end).ok_or_else(|| {
            CodecError::malformed(
                WHAT,
                format!("column {id} ends at {end}, after {start} of {}", rest.len()),
            )
        })?;
        out.push((*id, Some(value)));
        start = *end;
    }
    out.extend(ids[not_null..].iter().map(|id| (*id, None)));
    Ok(out)
}

/// The values of a record, one for each column in table order: what [`encode_row`] and [`row_key`] were given.
/// A column that is neither in the value nor in the key has its origin default, parsed by `missing`.
pub fn decode_row(
    table: &TableInfo,
    handle: &Handle,
    value: &[u8],
    missing: impl Fn(&ColumnInfo) -> Result<Datum, CodecError>,
) -> Result<Vec<Datum>, CodecError> {
    let found = disassemble(value)?;
    let in_key = decode_handle(table, handle)?;
    table
        .columns
        .iter()
        .map(|column| {
            if let Some((_, value)) = found.iter().find(|(id, _)| *id == column.id) {
                return value.map_or(Ok(Datum::Null), |v| decode_value(column, v));
            }
            match in_key.iter().find(|(offset, _)| *offset == column.offset) {
                Some((_, value)) => Ok(value.clone()),
                None => missing(column),
            }
        })
        .collect()
}

/// The columns that a handle holds whole, by their offset.
fn decode_handle(table: &TableInfo, handle: &Handle) -> Result<Vec<(usize, Datum)>, CodecError> {
    match (handle, table.handle_column(), table.common_handle_index()) {
        (Handle::Int(h), Some(column), _) => Ok(vec![(
            column.offset,
            if column.field_type.is_unsigned() {
                Datum::Uint(*h as u64)
            } else {
                Datum::Int(*h)
            },
        )]),
        (Handle::Common(bytes), _, Some(primary)) => {
            let mut rest = &bytes[..];
            primary
                .columns
                .iter()
                .map(|part| {
                    let column = key_part::column(table, part)?;
                    let value = match datum::key(&mut rest)? {
                        Datum::Uint(v) if column.field_type.tp.is_calendar() => {
                            Datum::Time(Time::unpack(v)?)
                        }
                        v => v,
                    };
                    Ok((part.offset, value))
                })
                .collect()
        }
        (Handle::Int(_), None, None) => Ok(vec![]),
        _ => Err(CodecError::malformed(
            "a record key",
            format!(
                "the kind of its handle is not that of table {:?}",
                table.name.o
            ),
        )),
    }
}

fn check_width(table: &TableInfo, values: &[Datum]) -> Result<(), CodecError> {
    if table.columns.len() == values.len() {
        return Ok(());
    }
    Err(CodecError::RowWidth {
        table: table.name.o.clone(),
        columns: table.columns.len(),
        values: values.len(),
    })
}

fn wrong_kind(column: &ColumnInfo, value: &Datum) -> CodecError {
    CodecError::Column {
        column: column.name.o.clone(),
        why: format!(
            "{} is no value of type {:?}",
            value.kind(),
            column.field_type.tp
        ),
    }
}

/// Whether the row value holds the column (if it is not NULL).
fn is_in_value(table: &TableInfo, column: &ColumnInfo) -> bool {
    if column.is_virtual() || column.state != SchemaState::Public {
        return false;
    }
    if table.handle_column().is_some_and(|h| h.id == column.id) {
        return false;
    }
    let Some(primary) = table.common_handle_index() else {
        return true;
    };
    let whole = primary
        .columns
        .iter()
        .any(|part| part.offset == column.offset && part.length < 0);
    !whole || key_part::needs_restored_data(table, &column.field_type)
}

/// Appends a column's value as bytes that compare as the values do, strings under their collation.
pub(crate) fn put_column_key(
    out: &mut Vec<u8>,
    table: &TableInfo,
    offset: usize,
    value: &Datum,
) -> Result<(), CodecError> {
    let part = IndexColumn {
        name: table
            .columns
            .get(offset)
            .map(|column| column.name.clone())
            .unwrap_or_default(),
        offset,
        length: -1,
    };
    key_part::put(out, table, key_part::column(table, &part)?, &part, value)
}

/// The value of a non-NULL column inside a row.
pub(super) fn encode_value(column: &ColumnInfo, value: &Datum) -> Result<Vec<u8>, CodecError> {
    check_kind(column, value)?;
    let mut out = Vec::new();
    match value {
        Datum::Null => {}
        Datum::Int(v) => number::put_min_int(&mut out, *v),
        Datum::Uint(v) => number::put_min_uint(&mut out, *v),
        Datum::Float(v) => number::put_comparable_float(&mut out, *v),
        Datum::Decimal(v) => {
            let (precision, scale) = column.field_type.decimal_shape();
            v.put(&mut out, precision, scale)?;
        }
        Datum::Bytes(v) | Datum::Json(v) => out.extend_from_slice(v),
        Datum::Time(v) => number::put_min_uint(&mut out, v.pack()),
        Datum::Duration(v) => number::put_min_int(&mut out, v.0),
    }
    Ok(out)
}

/// Refuses a value of another kind than the column's.
pub(super) fn check_kind(column: &ColumnInfo, value: &Datum) -> Result<(), CodecError> {
    let ft = &column.field_type;
    let fits = match value {
        Datum::Null => true,
        Datum::Int(_) => ft.tp == Tp::Year || ft.tp.is_integer() && !ft.is_unsigned(),
        Datum::Uint(_) => {
            ft.tp.is_integer() && ft.is_unsigned() || matches!(ft.tp, Tp::Enum | Tp::Set | Tp::Bit)
        }
        Datum::Float(_) => matches!(ft.tp, Tp::Float | Tp::Double),
        Datum::Decimal(_) => ft.tp == Tp::NewDecimal,
        Datum::Bytes(_) => ft.tp.is_string(),
        Datum::Time(_) => ft.tp.is_calendar(),
        Datum::Duration(_) => ft.tp == Tp::Duration,
        Datum::Json(_) => ft.tp == Tp::Json,
    };
    if fits {
        Ok(())
    } else {
        Err(wrong_kind(column, value))
    }
}

/// A non-NULL column of a row value.
pub fn decode_value(column: &ColumnInfo, bytes: &[u8]) -> Result<Datum, CodecError> {
    let ft = &column.field_type;
    Ok(match ft.tp {
        Tp::Year => Datum::Int(number::min_int(bytes)?),
        Tp::Enum | Tp::Set | Tp::Bit => Datum::Uint(number::min_uint(bytes)?),
        Tp::Float | Tp::Double => Datum::Float(number::comparable_float(&mut &bytes[..])?),
        Tp::NewDecimal => Datum::Decimal(Decimal::read(&mut &bytes[..])?.0),
        Tp::Duration => Datum::Duration(Duration(number::min_int(bytes)?)),
        Tp::Json => Datum::Json(bytes.to_vec()),
        tp if tp.is_integer() && ft.is_unsigned() => Datum::Uint(number::min_uint(bytes)?),
        tp if tp.is_integer() => Datum::Int(number::min_int(bytes)?),
        tp if tp.is_string() => Datum::Bytes(bytes.to_vec()),
        tp if tp.is_calendar() => Datum::Time(Time::unpack(number::min_uint(bytes)?)?),
        tp => {
            return Err(CodecError::malformed(
                "a row",
                format!("column {:?} has type {tp:?}", column.name.o),
            ));
        }
    })
}

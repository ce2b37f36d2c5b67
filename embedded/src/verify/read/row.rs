//! Rows (`docs/spec/row-and-key-codecs.md §3, §12`).

use std::collections::BTreeMap;

use super::input::{short_int, short_uint};
use super::model::tp;
use super::{Column, Handle, Input, Table, Unreadable, Value, datum, decimal, default};

const WHAT: &str = "a row";
const VERSION_2: u8 = 128;
const LARGE: u8 = 1;
const CHECKSUM: u8 = 2;

/// Cells by column id, as they are in a row of version 2; none for NULL.
pub type Cells<'a> = BTreeMap<i64, Option<&'a [u8]>>;

/// Takes a row of version 2 apart.
pub fn cells(row: &[u8]) -> Result<Cells<'_>, Unreadable> {
    let mut input = Input::new(WHAT, row);
    let [version, flags] = input.array()?;
    if version != VERSION_2 || flags & !(LARGE | CHECKSUM) != 0 {
        return Err(input.error(format!("version {version}, flags {flags:#x}")));
    }
    let large = flags & LARGE != 0;
    let not_null = usize::from(u16::from_le_bytes(input.array()?));
    let null = usize::from(u16::from_le_bytes(input.array()?));
    let width = if large { 4 } else { 1 };
    let ids = numbers(input.take((not_null + null) * width)?, width);
    let width = if large { 4 } else { 2 };
    let ends = numbers(input.take(not_null * width)?, width);
    let mut out = Cells::new();
    let mut start = 0;
    for (id, end) in ids.iter().zip(ends) {
        let len = (end as usize).checked_sub(start);
        let len = len.ok_or_else(|| input.error(format!("column {id} ends before it begins")))?;
        out.insert(*id, Some(input.take(len)?));
        start = end as usize;
    }
    out.extend(ids[not_null..].iter().map(|id| (*id, None)));
    if out.len() != ids.len() {
        return Err(input.error("a column is there twice"));
    }
    if flags & CHECKSUM == 0 && !input.is_empty() {
        return Err(input.error(format!("{} bytes behind its columns", input.rest().len())));
    }
    Ok(out)
}

fn numbers(bytes: &[u8], width: usize) -> Vec<i64> {
    let number = |chunk: &[u8]| chunk.iter().rev().fold(0, |n, b| n << 8 | i64::from(*b));
    bytes.chunks_exact(width).map(number).collect()
}

/// The value of a column in a row of version 2.
pub fn value(column: &Column, bytes: &[u8]) -> Result<Value, Unreadable> {
    let ft = &column.field_type;
    let mut input = Input::new(WHAT, bytes);
    let value = match ft.tp {
        tp::FLOAT | tp::DOUBLE => Value::Float(input.float()?),
        tp::DECIMAL => Value::Decimal(decimal::read(&mut input)?),
        tp::TIME => return short_int(bytes).map(Value::Duration),
        tp::YEAR => return short_int(bytes).map(Value::Int),
        tp::ENUM | tp::SET | tp::BIT => return short_uint(bytes).map(Value::Uint),
        tp::JSON => return Ok(Value::Json(bytes.to_vec())),
        _ if ft.is_calendar() => return short_uint(bytes).map(Value::Time),
        _ if ft.is_string() => return Ok(Value::Bytes(bytes.to_vec())),
        _ if ft.is_integer() && ft.has(super::model::flag::UNSIGNED) => {
            return short_uint(bytes).map(Value::Uint);
        }
        _ if ft.is_integer() => return short_int(bytes).map(Value::Int),
        other => return Err(input.error(format!("a column of type {other}"))),
    };
    match input.is_empty() {
        true => Ok(value),
        false => Err(input.error(format!("bytes behind column {}", column.name.original))),
    }
}

/// All values of a row of either version, by column id.
pub fn values(table: &Table, row: &[u8]) -> Result<BTreeMap<i64, Value>, Unreadable> {
    let column = |id: i64| table.columns.iter().find(|c| c.id == id);
    let mut out = BTreeMap::new();
    if row.first() == Some(&VERSION_2) {
        for (id, cell) in cells(row)? {
            // A column that was dropped may be left in a row.
            if let Some(column) = column(id) {
                out.insert(
                    id,
                    cell.map_or(Ok(Value::Null), |cell| value(column, cell))?,
                );
            } else if id > table.max_col_id {
                let why = format!("column id {id}, the table has had {}", table.max_col_id);
                return Err(Unreadable::new(WHAT, why));
            }
        }
        return Ok(out);
    }
    for (id, value) in version_1(row)? {
        if let Some(column) = column(id) {
            out.insert(id, typed(column, value));
        }
    }
    Ok(out)
}

/// Pairs of a row of version 1: values as their flags tell.
pub fn version_1(row: &[u8]) -> Result<Vec<(i64, Value)>, Unreadable> {
    let mut input = Input::new(WHAT, row);
    let mut out = Vec::new();
    while !input.is_empty() {
        match datum::read(&mut input)? {
            Value::Int(id) => out.push((id, datum::read(&mut input)?)),
            // A row without columns.
            Value::Null if input.is_empty() => {}
            other => return Err(input.error(format!("{other:?} in place of a column's id"))),
        }
    }
    Ok(out)
}

/// A value whose flag tells less than its column's type.
pub fn typed(column: &Column, value: Value) -> Value {
    let ft = &column.field_type;
    match value {
        Value::Uint(packed) if ft.is_calendar() => Value::Time(packed),
        Value::Int(nanos) if ft.tp == tp::TIME => Value::Duration(nanos),
        value => value,
    }
}

/// The values of a record by the columns' order; a virtual column is NULL, as it is in no row.
pub fn record(table: &Table, handle: &Handle, row: &[u8]) -> Result<Vec<Value>, Unreadable> {
    let mut found = values(table, row)?;
    for (offset, value) in of_handle(table, handle)? {
        found.entry(table.columns[offset].id).or_insert(value);
    }
    let columns = table.columns.iter();
    columns
        .map(|column| match found.remove(&column.id) {
            Some(value) => Ok(value),
            None => default::of_older_rows(column),
        })
        .collect()
}

/// The columns that a handle holds as they are, by offset.
fn of_handle(table: &Table, handle: &Handle) -> Result<Vec<(usize, Value)>, Unreadable> {
    match (handle, table.handle_column(), table.clustered()) {
        (Handle::Int(handle), Some(offset), _) => {
            let ft = &table.columns[offset].field_type;
            let value = match ft.has(super::model::flag::UNSIGNED) {
                true => Value::Uint(*handle as u64),
                false => Value::Int(*handle),
            };
            Ok(vec![(offset, value)])
        }
        (Handle::Int(_), None, None) => Ok(vec![]),
        (Handle::Common(bytes), None, Some(primary)) => {
            let mut input = Input::new("a handle", bytes);
            let mut out = Vec::new();
            for part in &primary.parts {
                let value = datum::read(&mut input)?;
                let column = part.column(table)?;
                out.push((part.offset, typed(column, value)));
            }
            // One that is shorter than nine bytes is filled up.
            match input.rest().iter().all(|b| *b == 0) && bytes.len() <= 9 || input.is_empty() {
                true => Ok(out),
                false => Err(input.error("more values than the primary key has columns")),
            }
        }
        _ => Err(Unreadable::new(
            "a handle",
            "its kind is not that of the table's primary key",
        )),
    }
}

impl super::model::Part {
    /// The column it is of.
    pub fn column<'a>(&self, table: &'a Table) -> Result<&'a Column, Unreadable> {
        let column = table.columns.get(self.offset);
        column.ok_or_else(|| Unreadable::new("an index", format!("no column at {}", self.offset)))
    }
}

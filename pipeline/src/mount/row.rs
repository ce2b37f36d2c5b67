//! Row values: format v2, and v1 of clusters upgraded from before 4.0 (spec/row-and-key-codecs.md §3, §12).

use std::borrow::Cow;

use super::{
    datum::{self, Datum},
    error::{MountError, take, take_slice},
    key, memcomparable,
    value::Value,
};
use crate::schema::{Column, field};

const V2: u8 = 128;
const LARGE: u8 = 1;
const CHECKSUM: u8 = 1 << 1;

/// A row's columns by id, not yet decoded.
#[derive(Debug, Clone)]
pub enum RowValue<'a> {
    /// Format v2: sorted ids and end offsets in place.
    V2(RowV2<'a>),
    /// Format v1: every column as `(id, datum)`.
    V1(Vec<(i64, Datum<'a>)>),
}

/// The layout of a row of format v2.
#[derive(Debug, Clone, Copy)]
pub struct RowV2<'a> {
    large: bool,
    checksum: bool,
    not_null_ids: &'a [u8],
    null_ids: &'a [u8],
    ends: &'a [u8],
    data: &'a [u8],
}

impl<'a> RowValue<'a> {
    /// Takes the row's value apart.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MountError> {
        match bytes {
            [V2, ..] => RowV2::parse(bytes).map(RowValue::V2),
            // A row without any column is a single zero.
            [0] => Ok(RowValue::V1(Vec::new())),
            _ => parse_v1(bytes).map(RowValue::V1),
        }
    }

    /// The value of `column`, `None` if the row does not carry it.
    pub fn column(&self, column: &Column) -> Result<Option<Value<'a>>, MountError> {
        match self {
            RowValue::V2(row) => row.column(column),
            RowValue::V1(columns) => columns
                .iter()
                .find(|(id, _)| *id == column.id)
                .map(|(_, datum)| from_datum(datum.clone(), column))
                .transpose(),
        }
    }
}

fn parse_v1(mut bytes: &[u8]) -> Result<Vec<(i64, Datum<'_>)>, MountError> {
    let mut columns = Vec::new();
    while !bytes.is_empty() {
        let (id, rest) = datum::get(bytes)?;
        let Datum::Int(id) = id else {
            return Err(MountError::invalid(
                "row of format v1",
                format!("{id:?} where a column id must be"),
            ));
        };
        let (value, rest) = datum::get(rest)?;
        columns.push((id, value));
        bytes = rest;
    }
    Ok(columns)
}

impl<'a> RowV2<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, MountError> {
        let ([_, flags, n0, n1, m0, m1], rest) = take::<6>(bytes, "row header")?;
        let (not_null, null) = (
            u16::from_le_bytes([n0, n1]) as usize,
            u16::from_le_bytes([m0, m1]) as usize,
        );
        let large = flags & LARGE != 0;
        let (id_width, end_width) = if large { (4, 4) } else { (1, 2) };
        let (not_null_ids, rest) = take_slice(rest, not_null * id_width, "row column ids")?;
        let (null_ids, rest) = take_slice(rest, null * id_width, "row NULL column ids")?;
        let (ends, data) = take_slice(rest, not_null * end_width, "row offsets")?;
        Ok(RowV2 {
            large,
            checksum: flags & CHECKSUM != 0,
            not_null_ids,
            null_ids,
            ends,
            data,
        })
    }

    /// What follows the data, if the row carries checksums (see [`super::checksum`]).
    pub(super) fn checksums(&self) -> Result<Option<&'a [u8]>, MountError> {
        if !self.checksum {
            return Ok(None);
        }
        let count = self.not_null_ids.len() / if self.large { 4 } else { 1 };
        let end = match count.checked_sub(1) {
            Some(last) => self.end(last)?,
            None => 0,
        };
        match self.data.get(end..) {
            Some(behind) => Ok(Some(behind)),
            None => Err(MountError::Short {
                what: "row data",
                len: self.data.len(),
                expected: end,
            }),
        }
    }

    fn column(&self, column: &Column) -> Result<Option<Value<'a>>, MountError> {
        if let Some(at) = self.find(self.not_null_ids, column.id) {
            let start = if at == 0 { 0 } else { self.end(at - 1)? };
            let end = self.end(at)?;
            let bytes = self.data.get(start..end).ok_or(MountError::Short {
                what: "row data",
                len: self.data.len(),
                expected: end,
            })?;
            return from_bytes(bytes, column).map(Some);
        }
        Ok(self.find(self.null_ids, column.id).map(|_| Value::Null))
    }

    fn find(&self, ids: &[u8], id: i64) -> Option<usize> {
        if self.large {
            let (ids, _) = ids.as_chunks::<4>();
            let id = u32::try_from(id).ok()?;
            ids.binary_search_by_key(&id, |bytes| u32::from_le_bytes(*bytes))
                .ok()
        } else {
            ids.binary_search(&u8::try_from(id).ok()?).ok()
        }
    }

    fn end(&self, at: usize) -> Result<usize, MountError> {
        if self.large {
            Ok(u32::from_le_bytes(take::<4>(&self.ends[at * 4..], "row offset")?.0) as usize)
        } else {
            Ok(u16::from_le_bytes(take::<2>(&self.ends[at * 2..], "row offset")?.0) as usize)
        }
    }
}

/// A column's bytes in format v2.
fn from_bytes<'a>(bytes: &'a [u8], column: &Column) -> Result<Value<'a>, MountError> {
    Ok(match column.tp() {
        field::FLOAT | field::DOUBLE => Value::Float(memcomparable::get_f64(bytes)?.0),
        field::NEWDECIMAL => Value::Decimal(Cow::Borrowed(bytes)),
        field::DATE | field::NEWDATE | field::DATETIME | field::TIMESTAMP => {
            Value::Time(unsigned(bytes)?)
        }
        field::DURATION => Value::Duration(signed(bytes)?),
        field::BIT | field::ENUM | field::SET => Value::Uint(unsigned(bytes)?),
        field::JSON => Value::Json(bytes),
        field::VECTOR => Value::Vector(bytes),
        field::YEAR => Value::Int(signed(bytes)?),
        tp if field::is_string(tp) => Value::Bytes(Cow::Borrowed(bytes)),
        tp if field::is_integer(tp) && column.is_unsigned() => Value::Uint(unsigned(bytes)?),
        tp if field::is_integer(tp) => Value::Int(signed(bytes)?),
        tp => {
            return Err(MountError::invalid(
                "column",
                format!("type code {tp} is not supported"),
            ));
        }
    })
}

fn unsigned(bytes: &[u8]) -> Result<u64, MountError> {
    let mut number = [0; 8];
    match bytes.len() {
        1 | 2 | 4 | 8 => number[..bytes.len()].copy_from_slice(bytes),
        len => {
            return Err(MountError::invalid(
                "integer",
                format!("{len} bytes, 1, 2, 4 or 8 expected"),
            ));
        }
    }
    Ok(u64::from_le_bytes(number))
}

fn signed(bytes: &[u8]) -> Result<i64, MountError> {
    let shift = 64 - 8 * bytes.len().min(8) as u32;
    Ok((unsigned(bytes)? as i64) << shift >> shift)
}

/// A datum of a v1 row or of a key, as the column's type reads it.
pub(super) fn from_datum<'a>(datum: Datum<'a>, column: &Column) -> Result<Value<'a>, MountError> {
    let unsigned = column.is_unsigned();
    Ok(match (column.tp(), datum) {
        (_, Datum::Null) => Value::Null,
        (field::FLOAT | field::DOUBLE, Datum::Float(number)) => Value::Float(number),
        (field::NEWDECIMAL, Datum::Decimal(bytes)) => Value::Decimal(Cow::Borrowed(bytes)),
        (
            field::DATE | field::NEWDATE | field::DATETIME | field::TIMESTAMP,
            Datum::Uint(packed),
        ) => Value::Time(packed),
        (field::DATE | field::NEWDATE | field::DATETIME | field::TIMESTAMP, Datum::Int(packed)) => {
            Value::Time(packed as u64)
        }
        (field::DURATION, Datum::Int(nanos)) => Value::Duration(nanos),
        (field::BIT | field::ENUM | field::SET, Datum::Uint(number)) => Value::Uint(number),
        (field::BIT | field::ENUM | field::SET, Datum::Int(number)) => Value::Uint(number as u64),
        (field::JSON, Datum::Json(bytes)) => Value::Json(bytes),
        (field::VECTOR, Datum::Vector(bytes)) => Value::Vector(bytes),
        (field::YEAR, Datum::Int(year)) => Value::Int(year),
        (field::YEAR, Datum::Uint(year)) => Value::Int(year as i64),
        (tp, Datum::Int(number)) if field::is_integer(tp) && unsigned => Value::Uint(number as u64),
        (tp, Datum::Int(number)) if field::is_integer(tp) => Value::Int(number),
        (tp, Datum::Uint(number)) if field::is_integer(tp) && !unsigned => {
            Value::Int(number as i64)
        }
        (tp, Datum::Uint(number)) if field::is_integer(tp) => Value::Uint(number),
        (tp, Datum::Bytes(bytes)) if field::is_string(tp) => Value::Bytes(bytes),
        (_, datum) => return Err(key::mismatch(&datum)),
    })
}

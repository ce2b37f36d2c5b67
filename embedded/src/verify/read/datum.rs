//! Values, and how they describe themselves in keys and in rows of version 1 (`docs/spec/row-and-key-codecs.md §2`).

use super::{Input, Unreadable, decimal};

/// One SQL value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A signed integer; a YEAR.
    Int(i64),
    /// An unsigned integer; the number of an ENUM, SET or BIT; in keys a packed date or time, too.
    Uint(u64),
    /// FLOAT and DOUBLE.
    Float(f64),
    /// The text of a DECIMAL.
    Decimal(String),
    /// A string; in keys its sort key.
    Bytes(Vec<u8>),
    /// A packed DATE, DATETIME or TIMESTAMP.
    Time(u64),
    /// Nanoseconds of a TIME.
    Duration(i64),
    /// JSON in its binary form.
    Json(Vec<u8>),
}

/// A value in a key or in a row of version 1. Both forms of integers and strings are told by their flags.
pub fn read(input: &mut Input<'_>) -> Result<Value, Unreadable> {
    Ok(match input.byte()? {
        0x00 => Value::Null,
        0x01 => Value::Bytes(input.bytes()?),
        0x02 => Value::Bytes(input.compact_bytes()?.to_vec()),
        0x03 => Value::Int(input.int()?),
        0x04 => Value::Uint(input.uint()?),
        0x05 => Value::Float(input.float()?),
        0x06 => Value::Decimal(decimal::read(input)?),
        0x07 => Value::Duration(input.int()?),
        0x08 => Value::Int(input.varint()?),
        0x09 => Value::Uint(input.uvarint()?),
        0x0a => Value::Json(super::json::split(input)?.to_vec()),
        flag => return Err(input.error(format!("a value's flag is {flag:#04x}"))),
    })
}

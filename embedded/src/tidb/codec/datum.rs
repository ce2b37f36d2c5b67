//! One SQL value, and its self-describing form inside keys (`docs/spec/row-and-key-codecs.md §2`).

use super::{CodecError, Decimal, Duration, Time, bytes, number, take_array};

const FLAG_NULL: u8 = 0x00;
const FLAG_BYTES: u8 = 0x01;
const FLAG_INT: u8 = 0x03;
const FLAG_UINT: u8 = 0x04;
const FLAG_FLOAT: u8 = 0x05;
const FLAG_DECIMAL: u8 = 0x06;
const FLAG_DURATION: u8 = 0x07;

/// One SQL value.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// SQL NULL.
    Null,
    /// Signed integers and YEAR.
    Int(i64),
    /// Unsigned integers; ENUM as its 1-based number, SET as its bit mask, BIT as its number.
    Uint(u64),
    /// FLOAT (widened) and DOUBLE.
    Float(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// Character and binary strings, in the column's character set.
    Bytes(Vec<u8>),
    /// DATE, DATETIME, and TIMESTAMP in UTC.
    Time(Time),
    /// TIME.
    Duration(Duration),
    /// JSON in TiDB's binary form, type byte first ([`super::json`]).
    Json(Vec<u8>),
}

impl Datum {
    /// Whether this is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "a signed integer",
            Self::Uint(_) => "an unsigned integer",
            Self::Float(_) => "a float",
            Self::Decimal(_) => "a decimal",
            Self::Bytes(_) => "a string",
            Self::Time(_) => "a date or time stamp",
            Self::Duration(_) => "a time",
            Self::Json(_) => "JSON",
        }
    }
}

/// Appends a value as it stands in a key: flag, then a memcomparable form. Strings are the sort key already
/// ([`super::collate`]); `shape` is the precision and scale of a DECIMAL column. JSON has no key form.
pub fn put_key(out: &mut Vec<u8>, value: &Datum, shape: (usize, usize)) -> Result<(), CodecError> {
    match value {
        Datum::Null => out.push(FLAG_NULL),
        Datum::Int(v) => {
            out.push(FLAG_INT);
            number::put_comparable_int(out, *v);
        }
        Datum::Uint(v) => {
            out.push(FLAG_UINT);
            number::put_comparable_uint(out, *v);
        }
        Datum::Float(v) => {
            out.push(FLAG_FLOAT);
            number::put_comparable_float(out, *v);
        }
        Datum::Decimal(v) => {
            out.push(FLAG_DECIMAL);
            v.put(out, shape.0, shape.1)?;
        }
        Datum::Bytes(v) => {
            out.push(FLAG_BYTES);
            bytes::put_comparable_bytes(out, v);
        }
        Datum::Time(v) => {
            out.push(FLAG_UINT);
            number::put_comparable_uint(out, v.pack());
        }
        Datum::Duration(v) => {
            out.push(FLAG_DURATION);
            number::put_comparable_int(out, v.0);
        }
        Datum::Json(_) => {
            return Err(CodecError::malformed(
                "a key",
                "JSON cannot be part of a key",
            ));
        }
    }
    Ok(())
}

/// Reads one value of a key. Date types come back as [`Datum::Uint`] (packed), strings as their sort key.
pub fn key(input: &mut &[u8]) -> Result<Datum, CodecError> {
    let [flag] = take_array(input, "a key's datum flag")?;
    Ok(match flag {
        FLAG_NULL => Datum::Null,
        FLAG_BYTES => Datum::Bytes(bytes::comparable_bytes(input)?),
        FLAG_INT => Datum::Int(number::comparable_int(input)?),
        FLAG_UINT => Datum::Uint(number::comparable_uint(input)?),
        FLAG_FLOAT => Datum::Float(number::comparable_float(input)?),
        FLAG_DECIMAL => Datum::Decimal(Decimal::read(input)?.0),
        FLAG_DURATION => Datum::Duration(Duration(number::comparable_int(input)?)),
        other => {
            return Err(CodecError::malformed(
                "a key's datum",
                format!("flag {other:#04x}"),
            ));
        }
    })
}

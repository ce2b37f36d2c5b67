//! Datums: self-describing values in keys and in rows of format v1 (spec/row-and-key-codecs.md §2).

use std::borrow::Cow;

use super::{
    decimal,
    error::{MountError, take, take_slice},
    memcomparable,
};

/// A datum before its column's type is applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum<'a> {
    /// NULL.
    Null,
    /// A signed number, or nanoseconds of a TIME.
    Int(i64),
    /// An unsigned number, or a packed time.
    Uint(u64),
    /// A float.
    Float(f64),
    /// Bytes or text.
    Bytes(Cow<'a, [u8]>),
    /// A decimal with its header.
    Decimal(&'a [u8]),
    /// JSON: type code and body.
    Json(&'a [u8]),
    /// A vector: dimension and elements.
    Vector(&'a [u8]),
}

/// Reads an unsigned LEB128 number, and the rest.
pub fn get_uvarint<'a>(bytes: &'a [u8], what: &'static str) -> Result<(u64, &'a [u8]), MountError> {
    let mut number = 0u64;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if at == 9 && byte > 1 {
            break;
        }
        number |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((number, &bytes[at + 1..]));
        }
    }
    Err(match bytes.len() {
        0..10 => MountError::Short {
            what,
            len: bytes.len(),
            expected: bytes.len() + 1,
        },
        _ => MountError::invalid(what, "a variable-length number of more than 64 bits"),
    })
}

/// Reads a zig-zag LEB128 number, and the rest.
pub fn get_varint<'a>(bytes: &'a [u8], what: &'static str) -> Result<(i64, &'a [u8]), MountError> {
    let (number, rest) = get_uvarint(bytes, what)?;
    Ok(((number >> 1) as i64 ^ -((number & 1) as i64), rest))
}

/// Reads one datum, and the rest.
pub fn get<'a>(bytes: &'a [u8]) -> Result<(Datum<'a>, &'a [u8]), MountError> {
    let ([flag], rest) = take::<1>(bytes, "datum flag")?;
    Ok(match flag {
        0x00 => (Datum::Null, rest),
        0x01 => {
            let mut data = Vec::new();
            let rest = memcomparable::get_bytes(rest, &mut data)?;
            (Datum::Bytes(Cow::Owned(data)), rest)
        }
        0x02 => {
            let (len, rest) = get_varint(rest, "compact bytes")?;
            let len = usize::try_from(len)
                .map_err(|_| MountError::invalid("compact bytes", format!("length {len}")))?;
            let (data, rest) = take_slice(rest, len, "compact bytes")?;
            (Datum::Bytes(Cow::Borrowed(data)), rest)
        }
        0x03 | 0x07 => {
            let (number, rest) = memcomparable::get_i64(rest)?;
            (Datum::Int(number), rest)
        }
        0x04 => {
            let (number, rest) = memcomparable::get_u64(rest)?;
            (Datum::Uint(number), rest)
        }
        0x05 => {
            let (number, rest) = memcomparable::get_f64(rest)?;
            (Datum::Float(number), rest)
        }
        0x06 => {
            let (decimal, rest) = decimal::split(rest)?;
            (Datum::Decimal(decimal), rest)
        }
        0x08 => {
            let (number, rest) = get_varint(rest, "variable-length integer")?;
            (Datum::Int(number), rest)
        }
        0x09 => {
            let (number, rest) = get_uvarint(rest, "variable-length unsigned integer")?;
            (Datum::Uint(number), rest)
        }
        0x0a => {
            let (json, rest) = take_slice(rest, json_len(rest)?, "JSON")?;
            (Datum::Json(json), rest)
        }
        0x14 => {
            let (dimension, _) = take::<4>(rest, "vector")?;
            let len = (u32::from_le_bytes(dimension) as usize)
                .saturating_mul(4)
                .saturating_add(4);
            let (vector, rest) = take_slice(rest, len, "vector")?;
            (Datum::Vector(vector), rest)
        }
        other => return Err(MountError::invalid("datum", format!("flag {other:#04x}"))),
    })
}

/// Length of a JSON value, its type code included: what lies in a row has no length in front.
fn json_len(bytes: &[u8]) -> Result<usize, MountError> {
    let ([code], body) = take::<1>(bytes, "JSON type code")?;
    let prefixed = |body: &[u8], before: usize| -> Result<usize, MountError> {
        let (len, rest) = get_uvarint(body, "JSON string")?;
        Ok((1 + before + body.len() - rest.len())
            .saturating_add(usize::try_from(len).unwrap_or(usize::MAX)))
    };
    Ok(match code {
        0x01 | 0x03 => {
            let (header, _) = take::<8>(body, "JSON container")?;
            1 + u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize
        }
        0x04 => 2,
        0x09..=0x0b | 0x0e..=0x10 => 9,
        0x0c => prefixed(body, 0)?,
        0x0d => prefixed(body.get(1..).unwrap_or_default(), 1)?,
        0x11 => 13,
        other => {
            return Err(MountError::invalid(
                "JSON",
                format!("type code {other:#04x}"),
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while let Ok((_, tail)) = get(rest) {
                prop_assert!(tail.len() < rest.len());
                rest = tail;
            }
        }
    }
}

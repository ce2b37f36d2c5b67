//! JSON in TiDB's binary form (`docs/spec/row-and-key-codecs.md §6`).

use super::{CodecError, json_text, number, take, take_array};
use crate::tidb::catalog::TidbVersion;
use serde_json::{Map, Number, Value};

const OBJECT: u8 = 0x01;
const ARRAY: u8 = 0x03;
const LITERAL: u8 = 0x04;
const INT: u8 = 0x09;
const UINT: u8 = 0x0a;
const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;

const NULL: u8 = 0x00;
const TRUE: u8 = 0x01;
const FALSE: u8 = 0x02;

const WHAT: &str = "a JSON value";
/// How deep values may nest, as in MySQL.
pub(super) const MAX_DEPTH: usize = 100;
/// Bytes of the count and size that begin an object or array.
const HEADER: usize = 8;
/// Bytes of a key entry: offset and length.
const KEY_ENTRY: usize = 6;
/// Bytes of a value entry: type, and offset or inlined literal.
const VALUE_ENTRY: usize = 5;

/// The binary form of a JSON text, type byte first, as this TiDB reads it. Members are sorted by their bytes, the last of
/// two equal ones wins.
pub fn from_text(text: &str, version: TidbVersion) -> Result<Vec<u8>, CodecError> {
    let value = json_text::parse(text, version)?;
    let mut out = vec![type_of(&value)];
    put_value(&mut out, &value)?;
    Ok(out)
}

/// The value of a binary form that a JSON text could have made; dates and opaque values are refused.
pub fn decode(binary: &[u8]) -> Result<Value, CodecError> {
    let mut rest = binary;
    let [tp] = take_array(&mut rest, WHAT)?;
    value(tp, rest, 0)
}

/// Reads the value that begins at the start of `bytes`.
fn value(tp: u8, bytes: &[u8], depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(CodecError::malformed(
            WHAT,
            format!("nested deeper than {MAX_DEPTH}"),
        ));
    }
    let mut rest = bytes;
    Ok(match tp {
        LITERAL => read_literal(take(&mut rest, 1, WHAT)?[0])?,
        INT => i64::from_le_bytes(take_array(&mut rest, WHAT)?).into(),
        UINT => u64::from_le_bytes(take_array(&mut rest, WHAT)?).into(),
        DOUBLE => f64::from_le_bytes(take_array(&mut rest, WHAT)?).into(),
        STRING => {
            let len = number::uvarint(&mut rest)?;
            text(take(
                &mut rest,
                usize::try_from(len).unwrap_or(usize::MAX),
                WHAT,
            )?)?
            .into()
        }
        ARRAY => {
            let count = header(bytes, VALUE_ENTRY)?;
            (0..count)
                .map(|i| entry(bytes, HEADER + i * VALUE_ENTRY, depth))
                .collect::<Result<Vec<_>, _>>()?
                .into()
        }
        OBJECT => {
            let count = header(bytes, KEY_ENTRY + VALUE_ENTRY)?;
            let mut members = Map::with_capacity(count);
            for i in 0..count {
                let mut at = &bytes[HEADER + i * KEY_ENTRY..];
                let offset = u32::from_le_bytes(take_array(&mut at, WHAT)?) as usize;
                let len = usize::from(u16::from_le_bytes(take_array(&mut at, WHAT)?));
                let mut key = tail(bytes, offset)?;
                let key = text(take(&mut key, len, WHAT)?)?.to_owned();
                let at = HEADER + count * KEY_ENTRY + i * VALUE_ENTRY;
                members.insert(key, entry(bytes, at, depth)?);
            }
            members.into()
        }
        other => return Err(CodecError::malformed(WHAT, format!("type {other:#04x}"))),
    })
}

/// The count of an object or array whose entries all lie within `bytes`.
fn header(bytes: &[u8], entry: usize) -> Result<usize, CodecError> {
    let mut rest = bytes;
    let count = u32::from_le_bytes(take_array(&mut rest, WHAT)?) as usize;
    let need = count.saturating_mul(entry).saturating_add(HEADER);
    tail(bytes, need)?;
    Ok(count)
}

fn entry(bytes: &[u8], at: usize, depth: usize) -> Result<Value, CodecError> {
    let mut rest = tail(bytes, at)?;
    let [tp] = take_array(&mut rest, WHAT)?;
    if tp == LITERAL {
        return read_literal(take(&mut rest, 1, WHAT)?[0]);
    }
    let offset = u32::from_le_bytes(take_array(&mut rest, WHAT)?) as usize;
    value(tp, tail(bytes, offset)?, depth + 1)
}

fn read_literal(code: u8) -> Result<Value, CodecError> {
    match code {
        NULL => Ok(Value::Null),
        TRUE => Ok(true.into()),
        FALSE => Ok(false.into()),
        other => Err(CodecError::malformed(WHAT, format!("literal {other:#04x}"))),
    }
}

fn tail(bytes: &[u8], at: usize) -> Result<&[u8], CodecError> {
    bytes
        .get(at..)
        .ok_or_else(|| CodecError::malformed(WHAT, format!("offset {at} of {}", bytes.len())))
}

fn text(bytes: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(bytes).map_err(|e| CodecError::malformed(WHAT, e.to_string()))
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null | Value::Bool(_) => LITERAL,
        Value::Number(n) if n.is_i64() => INT,
        Value::Number(n) if n.is_u64() => UINT,
        Value::Number(_) => DOUBLE,
        Value::String(_) => STRING,
        Value::Array(_) => ARRAY,
        Value::Object(_) => OBJECT,
    }
}

fn literal(value: &Value) -> Option<u8> {
    match value {
        Value::Null => Some(NULL),
        Value::Bool(true) => Some(TRUE),
        Value::Bool(false) => Some(FALSE),
        _ => None,
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) -> Result<(), CodecError> {
    match value {
        Value::Null | Value::Bool(_) => out.extend(literal(value)),
        Value::Number(n) => put_number(out, n),
        Value::String(s) => {
            number::put_uvarint(out, s.len() as u64);
            out.extend_from_slice(s.as_bytes());
        }
        Value::Array(items) => put_array(out, items)?,
        Value::Object(members) => put_object(out, members)?,
    }
    Ok(())
}

fn put_number(out: &mut Vec<u8>, n: &Number) {
    let bytes = if let Some(v) = n.as_i64() {
        v.to_le_bytes()
    } else if let Some(v) = n.as_u64() {
        v.to_le_bytes()
    } else {
        n.as_f64().unwrap_or_default().to_le_bytes()
    };
    out.extend_from_slice(&bytes);
}

fn put_array(out: &mut Vec<u8>, items: &[Value]) -> Result<(), CodecError> {
    let start = out.len();
    begin(out, items.len())?;
    let entries = out.len();
    out.resize(entries + items.len() * VALUE_ENTRY, 0);
    for (i, item) in items.iter().enumerate() {
        put_entry(out, start, entries + i * VALUE_ENTRY, item)?;
    }
    finish(out, start)
}

fn put_object(out: &mut Vec<u8>, members: &Map<String, Value>) -> Result<(), CodecError> {
    let start = out.len();
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_unstable_by_key(|(k, _)| k.as_bytes());
    begin(out, sorted.len())?;
    let key_entries = out.len();
    let value_entries = key_entries + sorted.len() * KEY_ENTRY;
    out.resize(value_entries + sorted.len() * VALUE_ENTRY, 0);
    for (i, (key, _)) in sorted.iter().enumerate() {
        let at = key_entries + i * KEY_ENTRY;
        let offset = offset(out.len() - start)?;
        let len = u16::try_from(key.len())
            .map_err(|_| too_large(format!("a key of {} bytes", key.len())))?;
        out[at..at + 4].copy_from_slice(&offset);
        out[at + 4..at + KEY_ENTRY].copy_from_slice(&len.to_le_bytes());
        out.extend_from_slice(key.as_bytes());
    }
    for (i, (_, value)) in sorted.iter().enumerate() {
        put_entry(out, start, value_entries + i * VALUE_ENTRY, value)?;
    }
    finish(out, start)
}

fn begin(out: &mut Vec<u8>, count: usize) -> Result<(), CodecError> {
    out.extend_from_slice(&offset(count)?);
    out.extend_from_slice(&[0; HEADER - 4]);
    Ok(())
}

fn finish(out: &mut [u8], start: usize) -> Result<(), CodecError> {
    let size = offset(out.len() - start)?;
    out[start + 4..start + HEADER].copy_from_slice(&size);
    Ok(())
}

fn put_entry(out: &mut Vec<u8>, start: usize, at: usize, value: &Value) -> Result<(), CodecError> {
    out[at] = type_of(value);
    if let Some(code) = literal(value) {
        out[at + 1] = code;
        return Ok(());
    }
    let offset = offset(out.len() - start)?;
    out[at + 1..at + VALUE_ENTRY].copy_from_slice(&offset);
    put_value(out, value)
}

fn offset(n: usize) -> Result<[u8; 4], CodecError> {
    u32::try_from(n)
        .map(u32::to_le_bytes)
        .map_err(|_| too_large(format!("{n} bytes")))
}

fn too_large(why: String) -> CodecError {
    CodecError::Malformed {
        what: "a JSON text",
        why: format!("{why} do not fit TiDB's binary form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn texts_round_trip(value in json()) {
            let binary = from_text(&value.to_string(), TidbVersion::V8_5).unwrap();
            prop_assert_eq!(decode(&binary), Ok(value));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn numbers_beyond_signed_ones_are_doubles_in_4_0() {
        let text = "18446744073709551615";
        let new = from_text(text, TidbVersion::V8_5).unwrap();
        assert_eq!(new, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff");
        let old = from_text(text, TidbVersion::V4_0).unwrap();
        assert_eq!(old, b"\x0b\0\0\0\0\0\0\xf0\x43");
    }
}

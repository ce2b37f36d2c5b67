//! TiDB's binary JSON and its text (spec/row-and-key-codecs.md §6).

use std::io::Write;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    datum::get_uvarint,
    error::{MountError, take, take_slice},
    time,
};

const OBJECT: u8 = 0x01;
const ARRAY: u8 = 0x03;
const LITERAL: u8 = 0x04;
const INT: u8 = 0x09;
const UINT: u8 = 0x0a;
const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;
const OPAQUE: u8 = 0x0d;
const DATE: u8 = 0x0e;
const DATETIME: u8 = 0x0f;
const TIMESTAMP: u8 = 0x10;
const DURATION: u8 = 0x11;

/// Bytes of a value entry: type code and offset, or an inlined literal.
const VALUE_ENTRY: usize = 5;
/// Bytes of a key entry: offset and length.
const KEY_ENTRY: usize = 6;
/// Bytes of the header of an array or object: member count and size.
const HEADER: usize = 8;
/// TiDB refuses documents nested deeper than 100.
const MAX_DEPTH: usize = 128;
/// Digits of fractional seconds in a JSON time.
const JSON_FSP: usize = 6;

/// Appends the text of a JSON value: type code byte and body.
pub fn write_text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MountError> {
    let ([code], body) = take::<1>(bytes, "JSON type code")?;
    write_value(code, body, out, 0)
}

fn write_value(code: u8, body: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), MountError> {
    if depth > MAX_DEPTH {
        return Err(MountError::invalid(
            "JSON",
            format!("nested deeper than {MAX_DEPTH}"),
        ));
    }
    match code {
        OBJECT => return write_object(body, out, depth),
        ARRAY => return write_array(body, out, depth),
        LITERAL => out.extend_from_slice(match body.first() {
            Some(0) => b"null",
            Some(1) => b"true",
            Some(2) => b"false",
            other => return Err(MountError::invalid("JSON literal", format!("{other:?}"))),
        }),
        INT => {
            let (number, _) = take::<8>(body, "JSON integer")?;
            out.extend_from_slice(
                itoa::Buffer::new()
                    .format(i64::from_le_bytes(number))
                    .as_bytes(),
            );
        }
        UINT => {
            let (number, _) = take::<8>(body, "JSON integer")?;
            out.extend_from_slice(
                itoa::Buffer::new()
                    .format(u64::from_le_bytes(number))
                    .as_bytes(),
            );
        }
        DOUBLE => {
            let (number, _) = take::<8>(body, "JSON double")?;
            write_double(f64::from_le_bytes(number), out);
        }
        STRING => {
            let (len, rest) = get_uvarint(body, "JSON string")?;
            write_string(take_slice(rest, len as usize, "JSON string")?.0, out);
        }
        OPAQUE => write_opaque(body, out)?,
        DATE | DATETIME | TIMESTAMP => write_time(code, body, out)?,
        DURATION => {
            let (nanos, _) = take::<8>(body, "JSON duration")?;
            out.push(b'"');
            time::write_duration(i64::from_le_bytes(nanos), JSON_FSP, out);
            out.push(b'"');
        }
        other => {
            return Err(MountError::invalid(
                "JSON",
                format!("type code {other:#04x}"),
            ));
        }
    }
    Ok(())
}

/// The value of the entry at `at`, counted from the container's first byte.
fn write_entry(
    container: &[u8],
    at: usize,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), MountError> {
    let entry = container
        .get(at..at + VALUE_ENTRY)
        .ok_or(MountError::Short {
            what: "JSON value entry",
            len: container.len(),
            expected: at + VALUE_ENTRY,
        })?;
    if entry[0] == LITERAL {
        return write_value(LITERAL, &entry[1..], out, depth);
    }
    let offset = offset(&entry[1..])?;
    let body = container.get(offset..).ok_or(MountError::Short {
        what: "JSON value",
        len: container.len(),
        expected: offset,
    })?;
    write_value(entry[0], body, out, depth)
}

fn offset(bytes: &[u8]) -> Result<usize, MountError> {
    Ok(u32::from_le_bytes(take::<4>(bytes, "JSON offset")?.0) as usize)
}

/// The member count, checked against the bytes that so many entries need.
fn count(body: &[u8], entry: usize) -> Result<usize, MountError> {
    let count = offset(body)?;
    let expected = count.saturating_mul(entry).saturating_add(HEADER);
    if body.len() < expected {
        return Err(MountError::Short {
            what: "JSON container",
            len: body.len(),
            expected,
        });
    }
    Ok(count)
}

fn write_array(body: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), MountError> {
    let count = count(body, VALUE_ENTRY)?;
    out.push(b'[');
    for member in 0..count {
        if member > 0 {
            out.extend_from_slice(b", ");
        }
        write_entry(body, HEADER + member * VALUE_ENTRY, out, depth + 1)?;
    }
    out.push(b']');
    Ok(())
}

fn write_object(body: &[u8], out: &mut Vec<u8>, depth: usize) -> Result<(), MountError> {
    let count = count(body, KEY_ENTRY + VALUE_ENTRY)?;
    out.push(b'{');
    for member in 0..count {
        if member > 0 {
            out.extend_from_slice(b", ");
        }
        let entry = &body[HEADER + member * KEY_ENTRY..][..KEY_ENTRY];
        let start = offset(entry)?;
        let len = usize::from(u16::from_le_bytes([entry[4], entry[5]]));
        let key = body
            .get(start..start.saturating_add(len))
            .ok_or(MountError::Short {
                what: "JSON key",
                len: body.len(),
                expected: start.saturating_add(len),
            })?;
        write_string(key, out);
        out.extend_from_slice(b": ");
        write_entry(
            body,
            HEADER + count * KEY_ENTRY + member * VALUE_ENTRY,
            out,
            depth + 1,
        )?;
    }
    out.push(b'}');
    Ok(())
}

/// `"base64:type{MySQL type}:{data}"`.
fn write_opaque(body: &[u8], out: &mut Vec<u8>) -> Result<(), MountError> {
    let ([tp], rest) = take::<1>(body, "JSON opaque type")?;
    let (len, rest) = get_uvarint(rest, "JSON opaque value")?;
    let (data, _) = take_slice(rest, len as usize, "JSON opaque value")?;
    write!(out, "\"base64:type{tp}:{}\"", BASE64.encode(data)).expect("a Vec takes any text");
    Ok(())
}

/// JSON times have a bit field of their own, not the packing of rows.
fn write_time(code: u8, body: &[u8], out: &mut Vec<u8>) -> Result<(), MountError> {
    let bits = u64::from_le_bytes(take::<8>(body, "JSON time")?.0);
    let part = |shift: u32, width: u32| bits >> shift & ((1 << width) - 1);
    let parts = time::Parts {
        year: part(50, 14) as u16,
        month: part(46, 4) as u8,
        day: part(41, 5) as u8,
        hour: part(36, 5) as u8,
        minute: part(30, 6) as u8,
        second: part(24, 6) as u8,
        micro: part(4, 20) as u32,
    };
    out.push(b'"');
    match code {
        DATE => parts.write_date(out),
        _ => parts.write_datetime(JSON_FSP, out),
    }
    out.push(b'"');
    Ok(())
}

/// As Go's encoding/json: an exponent below 1e-6 and from 1e21, no fraction for whole numbers.
fn write_double(number: f64, out: &mut Vec<u8>) {
    let magnitude = number.abs();
    if !number.is_finite() {
        out.push(b'0');
    } else if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        write!(out, "{mantissa}e{sign}{exponent}").expect("a Vec takes any text");
    } else {
        write!(out, "{number}").expect("a Vec takes any text");
    }
}

/// As Go's encoding/json without its escapes for HTML.
fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                    write!(out, "\\u{:04x}", u32::from(character)).expect("a Vec takes any text");
                }
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deep_nesting_is_refused() {
        // An array whose only member is the array itself.
        let mut endless = vec![ARRAY, 1, 0, 0, 0, 13, 0, 0, 0, ARRAY];
        endless.extend_from_slice(&0u32.to_le_bytes());
        assert!(write_text(&endless, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = write_text(&bytes, &mut Vec::new());
        }

        #[test]
        fn no_container_panics(code in prop::sample::select(vec![OBJECT, ARRAY]), count in 0u8..4, bytes: Vec<u8>) {
            let mut value = vec![code, count, 0, 0, 0];
            value.extend_from_slice(&bytes);
            let _ = write_text(&value, &mut Vec::new());
        }
    }
}

//! What rows have in a column that is younger than they are (`docs/spec/row-and-key-codecs.md §3`).

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::model::tp;
use super::{Column, Unreadable, Value, text};

/// The value of a column in a row that does not have it.
pub fn of_older_rows(column: &Column) -> Result<Value, Unreadable> {
    let failed = |why: String| Unreadable::new("a column's origin default", why);
    let ft = &column.field_type;
    if let Some(bits) = &column.origin_default_bit {
        let bytes = BASE64_STANDARD.decode(bits);
        let bytes = bytes.map_err(|e| failed(e.to_string()))?;
        return Ok(Value::Uint(big_endian(&bytes)));
    }
    let Some(text) = &column.origin_default else {
        // A generated one is NULL here because no row has it; one that must not be NULL has a default.
        return Ok(Value::Null);
    };
    let no_number = || failed(format!("{text:?} in a column of type {}", ft.tp));
    Ok(match ft.tp {
        tp::BIT => Value::Uint(big_endian(text.as_bytes())),
        tp::ENUM => Value::Uint(member(&ft.elems, text).ok_or_else(no_number)? as u64 + 1),
        tp::SET => {
            let members = text.split(',').filter(|name| !name.is_empty());
            let bits = members.map(|name| Some(1_u64 << (member(&ft.elems, name)? & 63)));
            let bits = bits.collect::<Option<Vec<_>>>().ok_or_else(no_number)?;
            Value::Uint(bits.iter().fold(0, |mask, bit| mask | bit))
        }
        tp::DECIMAL => Value::Decimal(with_digits(text, ft.fraction())),
        tp::JSON if text == "null" => Value::Json(vec![0x04, 0]),
        _ if ft.is_string() => {
            let mut bytes = text.clone().into_bytes();
            if ft.tp == tp::STRING && ft.charset == "binary" {
                bytes.resize(bytes.len().max(usize::try_from(ft.flen).unwrap_or(0)), 0);
            }
            Value::Bytes(bytes)
        }
        _ => return text::value(ft, text.as_bytes()),
    })
}

/// A decimal with so many digits behind its point.
fn with_digits(text: &str, digits: usize) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    match digits {
        0 => whole.to_owned(),
        _ => format!("{whole}.{fraction:0<digits$.digits$}"),
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn member(elems: &[String], name: &str) -> Option<usize> {
    elems.iter().position(|elem| elem == name)
}

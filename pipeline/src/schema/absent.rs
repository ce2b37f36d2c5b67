//! What a row has in a column that its value does not carry: added later, or NULL by default
//! (spec/canal-json.md §8).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    compat::Compat,
    mount::{Value, decimal, time},
};

use super::{
    field::{self, FLAG_NOT_NULL, FLAG_UNSIGNED},
    model::{ColumnModel, default_text},
};

/// The value of an absent column under the rules of `compat`.
pub(super) fn value(column: &ColumnModel, compat: Compat) -> Value<'static> {
    let nullable = column.field_type.flag & FLAG_NOT_NULL == 0;
    let is_enum = column.field_type.tp == field::ENUM;
    match compat {
        // NULL if allowed, else the *current* default's text; the first member of an ENUM goes out by name.
        Compat::V4_0_9 if nullable => Value::Null,
        Compat::V4_0_9 => match (
            own_text(column, &column.default, &column.default_bit),
            column.field_type.elems.first(),
        ) {
            (Some(text), _) => text,
            (None, Some(first)) if is_enum => Value::Text(Cow::Owned(first.clone())),
            // No bits and no members are no number yet.
            (None, _) if matches!(column.field_type.tp, field::BIT | field::SET) => {
                Value::Text("".into())
            }
            (None, _) => zero(column),
        },
        // The text of the default that the column was added with, whatever the type.
        Compat::V6_5 => {
            match own_text(column, &column.origin_default, &column.origin_default_bit) {
                Some(text) => text,
                None if nullable => Value::Null,
                None => zero(column),
            }
        }
        Compat::V8_5 => match (
            bits(column, &column.origin_default_bit),
            default_text(&column.origin_default),
        ) {
            (Some(bits), _) => Value::Uint(big_endian(&bits)),
            (None, Some(text)) => converted(column, text),
            (None, None) if nullable => Value::Null,
            (None, None) if is_enum => Value::Uint(1),
            (None, None) => zero(column),
        },
    }
}

/// The bytes of a BIT column's default.
fn bits(column: &ColumnModel, encoded: &Option<String>) -> Option<Vec<u8>> {
    let encoded = encoded
        .as_deref()
        .filter(|_| column.field_type.tp == field::BIT)?;
    BASE64.decode(encoded).ok()
}

/// A default in its own spelling; that of a BIT column is its bytes, text or not.
fn own_text(
    column: &ColumnModel,
    text: &Option<serde_json::Value>,
    encoded: &Option<String>,
) -> Option<Value<'static>> {
    match bits(column, encoded) {
        Some(bits) => Some(Value::Bytes(Cow::Owned(bits))),
        None => default_text(text).map(|text| Value::Text(Cow::Owned(text))),
    }
}

/// The type's zero.
fn zero(column: &ColumnModel) -> Value<'static> {
    match column.field_type.tp {
        field::FLOAT | field::DOUBLE => Value::Float(0.0),
        field::NEWDECIMAL => Value::Text("0".into()),
        field::DATE | field::NEWDATE => Value::Text("0000-00-00".into()),
        field::DATETIME | field::TIMESTAMP => Value::Text("0000-00-00 00:00:00".into()),
        field::DURATION => Value::Text("00:00:00".into()),
        field::ENUM | field::SET | field::BIT => Value::Uint(0),
        field::JSON => Value::Text("null".into()),
        field::VECTOR => Value::Text("[]".into()),
        tp if field::is_string(tp) => Value::Bytes(Cow::Borrowed(b"")),
        _ if column.field_type.flag & FLAG_UNSIGNED != 0 => Value::Uint(0),
        _ => Value::Int(0),
    }
}

/// A default's text as the type takes it; a text that does not fit stays text.
fn converted(column: &ColumnModel, text: String) -> Value<'static> {
    let field = &column.field_type;
    let parsed = match field.tp {
        field::FLOAT | field::DOUBLE => text.parse().ok().map(Value::Float),
        field::NEWDECIMAL => {
            decimal::rescale(&text, field.decimal).map(|text| Value::Text(Cow::Owned(text)))
        }
        field::DATE | field::NEWDATE | field::DATETIME | field::TIMESTAMP => {
            time::parse_packed(&text).map(Value::Time)
        }
        field::DURATION => time::parse_duration(&text).map(Value::Duration),
        field::ENUM => position(&field.elems, &text).map(|at| Value::Uint(at as u64 + 1)),
        field::SET => set_mask(&field.elems, &text).map(Value::Uint),
        field::BIT => Some(Value::Uint(big_endian(text.as_bytes()))),
        field::YEAR => year(&text).map(Value::Int),
        tp if field::is_integer(tp) && field.flag & FLAG_UNSIGNED != 0 => {
            text.parse().ok().map(Value::Uint)
        }
        tp if field::is_integer(tp) => text.parse().ok().map(Value::Int),
        tp if field::is_string(tp) => {
            let mut bytes = text.clone().into_bytes();
            if tp == field::STRING && field.charset == "binary" && field.flen > bytes.len() as i64 {
                bytes.resize(field.flen as usize, 0);
            }
            Some(Value::Bytes(Cow::Owned(bytes)))
        }
        _ => None,
    };
    parsed.unwrap_or(Value::Text(Cow::Owned(text)))
}

/// A year, of which one or two digits are the last ones of 1970 to 2069.
fn year(text: &str) -> Option<i64> {
    let trimmed = text.trim();
    Some(match trimmed.parse().ok()? {
        0 if text.len() != 4 && trimmed.starts_with('0') => 2000,
        short @ 1..=69 => 2000 + short,
        short @ 70..=99 => 1900 + short,
        year => year,
    })
}

fn position(elems: &[String], name: &str) -> Option<usize> {
    elems.iter().position(|elem| elem == name).or_else(|| {
        elems
            .iter()
            .position(|elem| elem.eq_ignore_ascii_case(name))
    })
}

fn set_mask(elems: &[String], text: &str) -> Option<u64> {
    if text.is_empty() {
        return Some(0);
    }
    text.split(',').try_fold(0u64, |mask, name| {
        Some(mask | 1u64.checked_shl(position(elems, name)? as u32)?)
    })
}

/// The number in up to 8 big-endian bytes (a longer text keeps its low bytes).
fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::year;

    #[test]
    fn short_years_have_their_century() {
        for (text, full) in [
            ("20", 2020),
            ("69", 2069),
            ("70", 1970),
            ("5", 2005),
            ("0", 2000),
            ("00", 2000),
            ("0000", 0),
            ("1901", 1901),
        ] {
            assert_eq!(year(text), Some(full), "{text}");
        }
        assert_eq!(year("x"), None);
    }
}

//! What a key holds of a row's value (`docs/spec/row-and-key-codecs.md §8, §9`).

use super::VerifyError;
use super::read::model::{FieldType, Part};
use super::read::{Table, Value};

/// How a string becomes a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// As it is.
    Itself,
    /// Without trailing spaces.
    Trimmed,
    /// By weights, which MariaDB is asked for: its collation of the same name has the same.
    Weights,
}

/// The rule of a column.
pub(super) fn rule(table: &Table, ft: &FieldType) -> Result<Rule, VerifyError> {
    if !ft.is_string() || !table.new_collations() || ft.charset == "binary" {
        return Ok(Rule::Itself);
    }
    match ft.collate.as_str() {
        "utf8mb4_0900_bin" => Ok(Rule::Itself),
        "utf8mb4_bin" | "utf8_bin" | "latin1_bin" | "ascii_bin" => Ok(Rule::Trimmed),
        "utf8mb4_general_ci" | "utf8_general_ci" | "utf8mb4_unicode_ci" | "utf8_unicode_ci" => {
            Ok(Rule::Weights)
        }
        other => Err(VerifyError::Collation {
            table: table.name.original.clone(),
            collation: other.to_owned(),
        }),
    }
}

/// The value of a part in a key; none if it takes weights that are not known.
pub(super) fn in_key(
    table: &Table,
    part: &Part,
    value: &Value,
    weights: Option<&Vec<u8>>,
) -> Option<Value> {
    let ft = &table.columns.get(part.offset)?.field_type;
    Some(match value {
        Value::Time(packed) => Value::Uint(*packed),
        Value::Bytes(bytes) => {
            let held = cut(table, ft, part.length, bytes);
            Value::Bytes(match rule(table, ft).ok()? {
                Rule::Itself => held.to_vec(),
                Rule::Trimmed => trimmed(held).to_vec(),
                Rule::Weights => weights?.clone(),
            })
        }
        value => value.clone(),
    })
}

/// What an index of `length` holds of a string.
pub(super) fn cut<'a>(table: &Table, ft: &FieldType, length: i64, text: &'a [u8]) -> &'a [u8] {
    let Ok(length) = usize::try_from(length) else {
        return text;
    };
    let is_utf8 = ft.charset.starts_with("utf8");
    // Strings are in UTF-8 whatever the character set; 4.0 counts bytes where that is not the column's own.
    if ft.charset == "binary" || !table.new_collations() && !is_utf8 {
        return &text[..length.min(text.len())];
    }
    let begins = |(_, byte): &(usize, &u8)| **byte & 0xc0 != 0x80;
    match text.iter().enumerate().filter(begins).nth(length) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A string without trailing spaces.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - spaces]
}

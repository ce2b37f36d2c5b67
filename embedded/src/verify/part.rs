//! What a key holds of a row's value (`docs/spec/row-and-key-codecs.md §8, §9`).

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
    /// By weights that MariaDB does not have.
    Unknown,
}

/// The rule of a column.
pub(super) fn rule(table: &Table, ft: &FieldType) -> Rule {
    if !ft.is_text() || !table.new_collations() {
        return Rule::Itself;
    }
    match ft.collate.as_str() {
        "utf8mb4_0900_bin" => Rule::Itself,
        _ if ft.is_bin() => Rule::Trimmed,
        "utf8mb4_general_ci" | "utf8_general_ci" | "utf8mb4_unicode_ci" | "utf8_unicode_ci"
        | "gbk_bin" => Rule::Weights,
        // `gbk_chinese_ci` too: a backslash weighs otherwise there.
        _ => Rule::Unknown,
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
            Value::Bytes(match rule(table, ft) {
                Rule::Itself => held.to_vec(),
                Rule::Trimmed => trimmed(held).to_vec(),
                Rule::Weights => weights?.clone(),
                Rule::Unknown => return None,
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

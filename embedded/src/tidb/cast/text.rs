//! Texts.

use super::CastError;
use crate::tidb::catalog::model::{FieldType, Tp};
use crate::tidb::codec::Datum;

/// Bytes that a TEXT or BLOB type holds.
fn capacity(tp: Tp) -> usize {
    match tp {
        Tp::TinyBlob => 0xff,
        Tp::Blob => 0xffff,
        Tp::MediumBlob => 0xff_ffff,
        _ => 0xffff_ffff,
    }
}

/// Whether the bytes of a text stay as they are under the other character set: those of UTF-8 kin, else ASCII only.
fn keeps_bytes(bytes: &[u8], from: Option<&FieldType>, to: &FieldType) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    let from = from.map_or("utf8mb4", |ft| ft.charset.as_str());
    match (from, to.charset.as_str()) {
        (from, to) if from == to => true,
        ("utf8", "utf8mb4") => true,
        // Without what takes four bytes.
        ("utf8mb4", "utf8") => bytes.iter().all(|b| *b < 0xf0),
        _ => false,
    }
}

/// A text as a value of a string type; `from` is its type, if it was one.
pub(super) fn to_text(
    bytes: &[u8],
    column: &str,
    from: Option<&FieldType>,
    to: &FieldType,
) -> Result<Datum, CastError> {
    if !keeps_bytes(bytes, from, to) {
        return Err(CastError::unserved(format!(
            "a text with other than ASCII for the character set {}",
            to.charset
        )));
    }
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let filled_up = from.is_some_and(|ft| ft.tp == Tp::String && ft.is_binary_string());
    if filled_up && bytes.ends_with(&[0]) {
        return Err(CastError::unserved("a BINARY that was filled up"));
    }
    if to.tp.is_blob() {
        return match bytes.len() <= capacity(to.tp) {
            true => Ok(Datum::Bytes(bytes.to_vec())),
            false => Err(CastError::truncated(column, &shown())),
        };
    }
    let limit = usize::try_from(to.flen).unwrap_or(usize::MAX);
    let length = |bytes: &[u8]| match to.is_binary_string() {
        true => bytes.len(),
        // What follows the first byte of a character begins with the bits 10.
        false => bytes.iter().filter(|b| **b & 0xc0 != 0x80).count(),
    };
    let is_char = to.tp == Tp::String && !to.is_binary_string();
    let kept = match is_char {
        true => bytes.trim_ascii_end_spaces(),
        false => bytes,
    };
    if length(kept) > limit {
        // Blanks that do not fit are no loss for one, and a note for the other.
        return Err(match length(bytes.trim_ascii_end_spaces()) <= limit {
            true => CastError::unserved("blanks at the end that do not fit"),
            false => CastError::truncated(column, &shown()),
        });
    }
    let mut out = kept.to_vec();
    if to.tp == Tp::String && to.is_binary_string() {
        out.resize(limit.max(out.len()), 0);
    }
    Ok(Datum::Bytes(out))
}

trait Trim {
    /// Without the blanks at the end.
    fn trim_ascii_end_spaces(&self) -> &[u8];
}

impl Trim for [u8] {
    fn trim_ascii_end_spaces(&self) -> &[u8] {
        let end = self.iter().rposition(|b| *b != b' ');
        &self[..end.map_or(0, |last| last + 1)]
    }
}

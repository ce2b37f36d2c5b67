//! Sort keys: what a string becomes inside a key (`docs/spec/row-and-key-codecs.md §9`).

use super::CodecError;
use std::borrow::Cow;

/// Weight of every character outside the basic plane under `_general_ci`.
const REPLACEMENT_WEIGHT: u16 = 0xfffd;

/// The sort key of `text` under `collation`, with TiDB's new collation framework on.
///
/// Known: `binary`, every `_bin`, and `utf8(mb4)_general_ci` for ASCII, CJK, and characters outside the basic plane.
/// Anything else is refused: a wrong sort key would be a wrong record key.
pub fn sort_key<'a>(collation: &str, text: &'a [u8]) -> Result<Cow<'a, [u8]>, CodecError> {
    match collation {
        "binary" | "utf8mb4_0900_bin" => Ok(Cow::Borrowed(text)),
        "utf8mb4_bin" | "utf8_bin" | "latin1_bin" | "ascii_bin" => Ok(Cow::Borrowed(trim(text))),
        "utf8mb4_general_ci" | "utf8_general_ci" => general_ci(trim(text))
            .map(Cow::Owned)
            .ok_or_else(|| unknown(collation, text)),
        _ => Err(unknown(collation, text)),
    }
}

/// Whether [`sort_key`] knows the collation at all.
pub fn is_known(collation: &str) -> bool {
    sort_key(collation, b"").is_ok()
}

/// Whether the sort key loses something, so that the row value must repeat the column
/// (`docs/spec/row-and-key-codecs.md §3`, "needs restored data").
pub fn needs_restored_data(collation: &str, is_varchar: bool) -> bool {
    match collation {
        "binary" | "utf8mb4_0900_bin" => false,
        c => !c.ends_with("_bin") || is_varchar,
    }
}

fn unknown(collation: &str, text: &[u8]) -> CodecError {
    CodecError::Collation {
        collation: collation.to_owned(),
        text: String::from_utf8_lossy(text).into_owned(),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b != b' ').map_or(0, |i| i + 1);
    &text[..end]
}

fn general_ci(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 2);
    for c in std::str::from_utf8(text).ok()?.chars() {
        let weight = match u32::from(c) {
            0..=0x7f => u16::from(c.to_ascii_uppercase() as u8),
            // CJK and the scripts around it have neither case nor accents there.
            cp @ 0x2e80..=0xd7ff => cp as u16,
            0x1_0000.. => REPLACEMENT_WEIGHT,
            _ => return None,
        };
        out.extend_from_slice(&weight.to_be_bytes());
    }
    Some(out)
}

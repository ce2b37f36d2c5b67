//! Sort keys: what a string is compared by, and what it becomes inside a key (`docs/spec/row-and-key-codecs.md §9`).

pub mod weights;

use std::borrow::Cow;

/// Why there is no sort key. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SortKeyError {
    /// There is no table of weights for this collation.
    #[error("weigh a text: there are no sort weights for collation {0}")]
    Unknown(String),
    /// The table of weights is damaged.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A table of weights cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a table of sort weights: {0}")]
pub struct TableError(pub(crate) String);

/// The sort key of `text` under `collation`, with TiDB's new collation framework on.
///
/// `text` is UTF-8 under every collation but `binary`. Collations without a table here are refused: a wrong sort key
/// would be a wrong key. Where a text is not UTF-8 it ends, as far as the collations with tables are concerned.
///
/// # Errors
/// See [`SortKeyError`].
pub fn sort_key<'a>(collation: &str, text: &'a [u8]) -> Result<Cow<'a, [u8]>, SortKeyError> {
    let (table, text, put): (_, _, fn(&mut Vec<u8>, u16)) = match collation {
        "binary" | "utf8mb4_0900_bin" => return Ok(Cow::Borrowed(text)),
        "utf8mb4_bin" | "utf8_bin" | "latin1_bin" | "ascii_bin" => {
            return Ok(Cow::Borrowed(trim(text)));
        }
        "utf8mb4_general_ci" | "utf8_general_ci" => (&weights::GENERAL_CI, trim(text), put_pair),
        "utf8mb4_unicode_ci" | "utf8_unicode_ci" => (&weights::UNICODE_CI, trim(text), put_pair),
        "utf8mb4_0900_ai_ci" => (&weights::UCA_0900_AI_CI, text, put_pair),
        "gbk_bin" => (&weights::GBK_BIN, trim(text), put_short),
        "gbk_chinese_ci" => (&weights::GBK_CHINESE_CI, trim(text), put_short),
        _ => return Err(SortKeyError::Unknown(collation.to_owned())),
    };
    let table = table.as_ref().map_err(Clone::clone)?;
    let mut out = Vec::with_capacity(text.len() * 2);
    for c in text
        .utf8_chunks()
        .take(1)
        .flat_map(|chunk| chunk.valid().chars())
    {
        table.weigh(c, &mut |weight| put(&mut out, weight));
    }
    Ok(Cow::Owned(out))
}

fn put_pair(out: &mut Vec<u8>, weight: u16) {
    out.extend_from_slice(&weight.to_be_bytes());
}

/// A weight that fits is one byte.
fn put_short(out: &mut Vec<u8>, weight: u16) {
    match u8::try_from(weight) {
        Ok(byte) => out.push(byte),
        Err(_) => put_pair(out, weight),
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
        c => !is_bin(c) || is_varchar,
    }
}

/// Whether a sort key is the text itself, without trailing spaces if the collation pads. `gbk_bin` and `gb18030_bin` are
/// not among them: their sort keys are in another encoding.
pub fn is_bin(collation: &str) -> bool {
    matches!(
        collation,
        "binary" | "ascii_bin" | "latin1_bin" | "utf8_bin" | "utf8mb4_bin" | "utf8mb4_0900_bin"
    )
}

fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b != b' ').map_or(0, |i| i + 1);
    &text[..end]
}

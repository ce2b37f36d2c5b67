//! Functions of texts, by characters; of binary texts by bytes.

use std::borrow::Cow;

use super::value::{Collation, Type};

/// Whether a text is bytes.
pub(super) fn is_bytes(tp: &Type) -> bool {
    match tp {
        Type::Text(Collation { name, .. }) | Type::Named(Collation { name, .. }) => {
            &**name == "binary"
        }
        Type::Hex => true,
        _ => false,
    }
}

/// Where the characters begin, and the end.
fn starts(text: &[u8], bytes: bool) -> Vec<usize> {
    let mut out: Vec<usize> = match std::str::from_utf8(text) {
        Ok(text) if !bytes => text.char_indices().map(|(at, _)| at).collect(),
        _ => (0..text.len()).collect(),
    };
    out.push(text.len());
    out
}

/// How many characters.
pub(super) fn count(text: &[u8], bytes: bool) -> usize {
    starts(text, bytes).len() - 1
}

/// Characters from a place on, counted from 1, or from the end if it is negative; at most so many.
pub(super) fn part(text: &[u8], bytes: bool, from: i128, length: i128) -> Vec<u8> {
    let starts = starts(text, bytes);
    let all = starts.len() - 1;
    let first = match from {
        1.. => usize::try_from(from - 1).unwrap_or(usize::MAX),
        0 => return Vec::new(),
        _ => match usize::try_from(-from) {
            Ok(back) if back <= all => all - back,
            _ => return Vec::new(),
        },
    };
    if first >= all || length <= 0 {
        return Vec::new();
    }
    let last = first
        .saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
        .min(all);
    text[starts[first]..starts[last]].to_vec()
}

/// The last characters.
pub(super) fn last(text: &[u8], bytes: bool, length: i128) -> Vec<u8> {
    let starts = starts(text, bytes);
    let all = starts.len() - 1;
    let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
    text[starts[all.saturating_sub(length)]..].to_vec()
}

/// In small letters, or in capitals. Letters that would become several stay.
pub(super) fn cased(text: &[u8], bytes: bool, capitals: bool) -> Vec<u8> {
    fn one(c: char, mut many: impl Iterator<Item = char>) -> char {
        match (many.next(), many.next()) {
            (Some(other), None) => other,
            _ => c,
        }
    }
    match std::str::from_utf8(text) {
        Ok(text) if !bytes => text
            .chars()
            .map(|c| match capitals {
                true => one(c, c.to_uppercase()),
                false => one(c, c.to_lowercase()),
            })
            .collect::<String>()
            .into_bytes(),
        _ => text.to_vec(),
    }
}

/// Where a text first occurs in another one, counted from 1; 0 if nowhere.
pub(super) fn position(part: &[u8], whole: &[u8], bytes: bool) -> usize {
    if part.is_empty() {
        return 1;
    }
    memchr::memmem::find(whole, part).map_or(0, |at| count(&whole[..at], bytes) + 1)
}

/// Without what is repeated at the ends.
pub(super) fn trimmed<'a>(
    mut text: Cow<'a, [u8]>,
    remove: &[u8],
    leading: bool,
    trailing: bool,
) -> Cow<'a, [u8]> {
    if remove.is_empty() {
        return text;
    }
    let (mut start, mut end) = (0, text.len());
    while leading && text[start..end].starts_with(remove) {
        start += remove.len();
    }
    while trailing && text[start..end].ends_with(remove) {
        end -= remove.len();
    }
    match &mut text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[start..end]),
        Cow::Owned(text) => Cow::Owned(text[start..end].to_vec()),
    }
}

/// With each occurrence replaced.
pub(super) fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    if from.is_empty() {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for found in memchr::memmem::find_iter(text, from) {
        out.extend_from_slice(&text[at..found]);
        out.extend_from_slice(to);
        at = found + from.len();
    }
    out.extend_from_slice(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_characters() {
        for (from, length, expected) in [
            (1, 2, "äb"),
            (2, 9, "bc"),
            (-1, 9, "c"),
            (-4, 9, ""),
            (0, 9, ""),
            (4, 1, ""),
            (1, 0, ""),
        ] {
            assert_eq!(
                part("äbc".as_bytes(), false, from, length),
                expected.as_bytes(),
                "{from}"
            );
        }
        assert_eq!(part("äbc".as_bytes(), true, 3, 1), b"b");
        assert_eq!(last("abä".as_bytes(), false, 2), "bä".as_bytes());
        assert_eq!(position(b"c", "äbc".as_bytes(), false), 3);
        assert_eq!(cased("äß".as_bytes(), false, true), "Äß".as_bytes());
        assert_eq!(replaced(b"aaa", b"aa", b"b"), b"ba");
        assert_eq!(
            &*trimmed(Cow::Borrowed(b"xxaxx"), b"x", true, false),
            b"axx"
        );
    }
}

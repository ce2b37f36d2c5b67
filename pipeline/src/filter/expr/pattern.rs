//! LIKE and REGEXP.

use tidb_sql::collation;

/// What a pattern of LIKE is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// `%`
    Any,
    /// `_`
    One,
    /// A character, by what it is compared by.
    Just(Vec<u8>),
}

/// A pattern of LIKE.
#[derive(Debug, Clone)]
pub(super) struct Like {
    collation: String,
    pieces: Vec<Piece>,
}

impl Like {
    /// Reads a pattern. `escape` takes the meaning of the character behind it.
    pub(super) fn new(pattern: &[u8], escape: Option<char>, collation: &str) -> Self {
        let mut pieces = Vec::new();
        let units = units(pattern, collation);
        let mut units = units.into_iter().peekable();
        let escape = escape.map(|c| c.to_string().into_bytes());
        while let Some(unit) = units.next() {
            pieces.push(match unit {
                unit if escape.as_deref() == Some(unit) => {
                    Piece::Just(weight(units.next().unwrap_or(unit), collation))
                }
                b"%" => Piece::Any,
                b"_" => Piece::One,
                unit => Piece::Just(weight(unit, collation)),
            });
        }
        Self {
            collation: collation.to_owned(),
            pieces,
        }
    }

    /// Whether all of a text is as the pattern says.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let text: Vec<Vec<u8>> = units(text, &self.collation)
            .into_iter()
            .map(|unit| weight(unit, &self.collation))
            .collect();
        let (mut at, mut piece) = (0, 0);
        // Behind the last `%`, and how much of the text it has taken.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let fits = match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    piece += 1;
                    retry = Some((piece, at));
                    continue;
                }
                Some(Piece::One) => at < text.len(),
                Some(Piece::Just(weight)) => text.get(at) == Some(weight),
                None if at == text.len() => return true,
                None => false,
            };
            if fits {
                (at, piece) = (at + 1, piece + 1);
                continue;
            }
            match &mut retry {
                Some((behind, taken)) if *taken < text.len() => {
                    *taken += 1;
                    (at, piece) = (*taken, *behind);
                }
                _ => return false,
            }
        }
    }
}

/// Characters; of binary texts, and of what is not UTF-8, bytes.
fn units<'a>(text: &'a [u8], collation: &str) -> Vec<&'a [u8]> {
    let mut out = Vec::with_capacity(text.len());
    if collation == "binary" {
        out.extend(text.chunks(1));
        return out;
    }
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let ends = valid.char_indices().map(|(at, c)| at..at + c.len_utf8());
        out.extend(ends.filter_map(|range| valid.as_bytes().get(range)));
        out.extend(chunk.invalid().chunks(1));
    }
    out
}

/// What a character is compared by. A space is not left out here, though it is at a text's end.
fn weight(unit: &[u8], collation: &str) -> Vec<u8> {
    match collation::sort_key(collation, unit) {
        Ok(key) if unit != b" " && !key.is_empty() => key.into_owned(),
        _ => unit.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(text: &str, pattern: &str, collation: &str) -> bool {
        Like::new(pattern.as_bytes(), Some('\\'), collation).matches(text.as_bytes())
    }

    #[test]
    fn wildcards_and_escapes() {
        for (text, pattern, expected) in [
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "%b", false),
            ("", "%", true),
            ("", "_", false),
            ("a%c", r"a\%c", true),
            ("abc", r"a\%c", false),
            ("aXbXc", "a%X_", true),
            ("a ", "a", false),
            ("äb", "_b", true),
            (r"a\", r"a\", true),
        ] {
            assert_eq!(
                like(text, pattern, "utf8mb4_bin"),
                expected,
                "{text} like {pattern}"
            );
        }
        assert!(like("ÄB", "a_", "utf8mb4_general_ci") && !like("ÄB", "a_", "utf8mb4_bin"));
        assert!(!like("ä", "_", "binary") && like("ä", "__", "binary"));
    }

    proptest! {
        #[test]
        fn as_a_regular_expression(text in "[ab%_]{0,8}", pattern in "[ab%_]{0,6}") {
            let expression = pattern.replace('%', ".*").replace('_', ".");
            let expected = regex::Regex::new(&format!("^{expression}$")).unwrap().is_match(&text);
            prop_assert_eq!(like(&text, &pattern, "utf8mb4_bin"), expected);
        }

        #[test]
        fn no_bytes_panic(text: Vec<u8>, pattern: Vec<u8>) {
            for collation in ["binary", "utf8mb4_bin", "utf8mb4_unicode_ci"] {
                let _ = Like::new(&pattern, Some('\\'), collation).matches(&text);
            }
        }
    }
}

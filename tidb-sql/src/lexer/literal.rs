//! What tokens mean.

use std::borrow::Cow;

use crate::SqlMode;

/// The value of a [`Text`](super::TokenKind::Text) token.
pub fn string_value(token: &str, mode: SqlMode) -> Cow<'_, str> {
    let quote = token.chars().next().unwrap_or('\'');
    let inner = inner(token);
    let escapes = !mode.no_backslash_escapes && inner.contains('\\');
    if !escapes && !inner.contains(quote) {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if !mode.no_backslash_escapes => match chars.next() {
                Some('0') => out.push('\0'),
                Some('b') => out.push('\u{8}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('Z') => out.push('\u{1a}'),
                // These two mean something in patterns only.
                Some(c @ ('%' | '_')) => {
                    out.push('\\');
                    out.push(c);
                }
                Some(other) => out.push(other),
                None => {}
            },
            c if c == quote => {
                chars.next();
                out.push(quote);
            }
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

/// The name in a [`QuotedName`](super::TokenKind::QuotedName) token.
pub fn name_value(token: &str) -> String {
    let quote = token.chars().next().unwrap_or('`');
    let doubled = format!("{quote}{quote}");
    inner(token).replace(&doubled, &quote.to_string())
}

/// What stands between the quotes.
fn inner(token: &str) -> &str {
    token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default()
}

/// The bytes of a [`Hex`](super::TokenKind::Hex) token; None for an odd number of digits in quotes or other characters.
pub(crate) fn hex_value(token: &str) -> Option<Vec<u8>> {
    let (digits, quoted) = match token.strip_prefix("0x") {
        Some(digits) => (digits, false),
        None => (inner(token.get(1..)?), true),
    };
    let odd = digits.len() % 2 == 1;
    if odd && quoted {
        return None;
    }
    let padded: Cow<'_, str> = if odd {
        format!("0{digits}").into()
    } else {
        digits.into()
    };
    padded
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// The bytes of a [`Bits`](super::TokenKind::Bits) token; None for other digits than 0 and 1.
pub(crate) fn bits_value(token: &str) -> Option<Vec<u8>> {
    let digits = match token.strip_prefix("0b") {
        Some(digits) => digits,
        None => inner(token.get(1..)?),
    };
    let width = digits.len().div_ceil(8) * 8;
    format!("{digits:0>width$}")
        .as_bytes()
        .chunks(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).ok()?, 2).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let mode = SqlMode::default();
        assert_eq!(string_value(r"'it''s\n\%\q'", mode), "it's\n\\%q");
        assert_eq!(string_value(r#""a""b'c""#, mode), "a\"b'c");
        let raw = SqlMode {
            no_backslash_escapes: true,
            ..mode
        };
        assert_eq!(string_value(r"'a\n'", raw), r"a\n");
        assert_eq!(name_value("`a``b`"), "a`b");
        assert_eq!(hex_value("0x1ff"), Some(vec![1, 255]));
        assert_eq!(hex_value("x'1ff'"), None);
        assert_eq!(bits_value("b'101'"), Some(vec![5]));
        assert_eq!(bits_value("0b100000001"), Some(vec![1, 1]));
        assert_eq!(bits_value("b''"), Some(vec![]));
    }
}

//! SQL texts with bytes in them that are no UTF-8, as drivers write parameters that are bytes: `_binary'…'`. The front reads
//! those as hexadecimal literals.

use std::borrow::Cow;

use tidb_sql::lexer::{TokenKind, string_value};
use tidb_sql::{Release, SqlMode};

use super::scan::scan;

/// A text that is UTF-8, with the values of what it is made of; none if bytes stand elsewhere than in such strings.
pub(super) fn readable(sql: &[u8], reading: (SqlMode, Release)) -> Option<Cow<'_, str>> {
    if let Ok(sql) = std::str::from_utf8(sql) {
        return Some(Cow::Borrowed(sql));
    }
    // A character for each byte, so that it can be cut into tokens.
    let widened: String = sql.iter().map(|b| char::from(*b)).collect();
    let mut out = Vec::with_capacity(sql.len() * 2);
    let mut introduced = false;
    for token in scan(&widened, reading).ok()? {
        let piece = narrowed(token.text);
        let is_bytes = token.kind == TokenKind::Text && std::str::from_utf8(&piece).is_err();
        if introduced && is_bytes {
            let value = narrowed(&string_value(token.text, reading.0));
            // Apart from the introducer.
            out.extend_from_slice(format!(" x'{}'", hex::encode_upper(value)).as_bytes());
        } else {
            out.extend_from_slice(&piece);
        }
        if !token.kind.is_trivia() {
            introduced = token.is_word("_binary");
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// The bytes that characters stand for.
fn narrowed(text: &str) -> Vec<u8> {
    // No other characters were made.
    text.chars().map(|c| u32::from(c) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(sql: &[u8]) -> Option<Cow<'_, str>> {
        readable(sql, (SqlMode::default(), Release::default()))
    }

    #[test]
    fn bytes_become_hexadecimal() {
        for (sql, expected) in [
            (&b"select 'a', _binary'b'"[..], "select 'a', _binary'b'"),
            (
                b"insert into t values ('\xc3\xbc', _binary'\xff\\0\\'''\\Z', _Binary \"x\") -- _binary'\xc3\xbc'",
                "insert into t values ('ü', _binary x'FF0027271A', _Binary \"x\") -- _binary'ü'",
            ),
            (b"select _binary  '\x80'", "select _binary   x'80'"),
        ] {
            assert_eq!(read(sql).as_deref(), Some(expected));
        }
        for sql in [
            &b"select '\xff'"[..],
            b"select a_binary'\xff'",
            b"select \xff",
            b"select _binary'\xff",
        ] {
            assert_eq!(read(sql), None);
        }
    }

    proptest! {
        #[test]
        fn every_value_is_kept(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut sql = b"select _binary'".to_vec();
            for byte in &bytes {
                match byte {
                    0 => sql.extend_from_slice(b"\\0"),
                    b'\'' | b'\\' => sql.extend_from_slice(&[b'\\', *byte]),
                    other => sql.push(*other),
                }
            }
            sql.push(b'\'');
            let found = read(&sql).unwrap().into_owned();
            let expected = match std::str::from_utf8(&bytes) {
                Ok(_) => String::from_utf8(sql).unwrap(),
                Err(_) => format!("select _binary x'{}'", hex::encode_upper(&bytes)),
            };
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn arbitrary_texts_never_panic(sql in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&sql);
        }
    }
}

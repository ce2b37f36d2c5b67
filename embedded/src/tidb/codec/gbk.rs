//! GBK: MariaDB holds texts of that character set in it, TiDB in UTF-8.

use std::collections::HashMap;
use std::sync::LazyLock;

use tidb_sql::collation::weights;

use super::CodecError;

/// Characters by their code. Sort keys under `gbk_bin` are the codes.
static CHARACTERS: LazyLock<Result<HashMap<u16, char>, CodecError>> = LazyLock::new(|| {
    let table = weights::GBK_BIN.as_ref().map_err(|error| error.clone())?;
    let mut out = HashMap::new();
    for c in '\0'..='\u{ffff}' {
        table.weigh(c, &mut |code| {
            // A question mark stands for all that have no code.
            if code != u16::from(b'?') || c == '?' {
                out.insert(code, c);
            }
        });
    }
    Ok(out)
});

/// The UTF-8 of a GBK text.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, CodecError> {
    const WHAT: &str = "a text in GBK";
    if text.is_ascii() {
        return Ok(text.to_vec());
    }
    let characters = CHARACTERS.as_ref().map_err(Clone::clone)?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text.iter();
    while let Some(first) = rest.next() {
        let code = match first {
            ..=0x80 => u16::from(*first),
            lead => match rest.next() {
                Some(trail) => u16::from_be_bytes([*lead, *trail]),
                None => return Err(CodecError::malformed(WHAT, "it ends within a character")),
            },
        };
        match characters.get(&code) {
            Some(c) => out.push(*c),
            None => {
                let why = format!("no character has the code {code:#x}");
                return Err(CodecError::malformed(WHAT, why));
            }
        }
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::codec::collate::sort_key;
    use proptest::prelude::*;

    #[test]
    fn codes_are_decoded() {
        for (code, text) in [
            (&b"ascii \\ ?"[..], "ascii \\ ?"),
            (b"\xb8\xfc\xd0\xc2", "更新"),
            (b"a\xd6\xd0z", "a中z"),
            (b"\x81\x5c", "乗"),
        ] {
            assert_eq!(decode(code).unwrap(), text.as_bytes());
        }
        for broken in [&b"\xd6"[..], b"\xff\xff", b"\xd6\x20"] {
            assert!(decode(broken).is_err(), "{broken:x?}");
        }
    }

    proptest! {
        /// What has a code comes back.
        #[test]
        fn codes_round_trip(text in "[a-z?\u{a0}-\u{ffff}]{0,12}") {
            let has_code = |c: &char| {
                let key = sort_key("gbk_bin", c.to_string().as_bytes()).unwrap().into_owned();
                *c == '?' || key != b"?"
            };
            let text: String = text.chars().filter(has_code).collect();
            let key = sort_key("gbk_bin", text.as_bytes()).unwrap();
            prop_assert_eq!(decode(&key).unwrap(), text.into_bytes());
        }

        #[test]
        fn arbitrary_bytes_never_panic(text: Vec<u8>) {
            let _ = decode(&text);
        }
    }
}

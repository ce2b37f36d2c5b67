//! JSON strings as Go writes them, HTML's characters escaped too (spec/canal-json.md §1).

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What stands for a byte inside a string; an empty text: the byte itself.
const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
        }
    }
}

/// Appends `bytes`, taken as UTF-8, in quotes; invalid bytes become U+FFFD.
pub(super) fn push_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        push_utf8(chunk.valid(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn push_utf8(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
        let separator =
            byte == 0xe2 && matches!(bytes.get(at..at + 3), Some([_, 0x80, 0xa8 | 0xa9]));
        if is_plain(byte) && !separator {
            at += 1;
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        if separator {
            out.extend_from_slice(b"\\u202");
            out.push(HEX[usize::from(bytes[at + 2] & 0xf)]);
            at += 3;
        } else {
            push_escaped(byte, out);
            at += 1;
        }
        from = at;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Appends `bytes`, each taken as the character of that number (ISO-8859-1), in quotes.
pub(super) fn push_latin1(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        if byte >= 0x80 {
            out.extend_from_slice(&[0xc0 | byte >> 6, 0x80 | byte & 0x3f]);
        } else if is_plain(byte) {
            out.push(byte);
        } else {
            push_escaped(byte, out);
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_string(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn html_and_line_separators_are_escaped() {
        assert_eq!(
            string(b"<a href=\"x\">&\\\x01\x7f\t"),
            r#""\u003ca href=\"x\"\u003e\u0026\\\u0001"#.to_owned() + "\x7f\\t\""
        );
        assert_eq!(
            string("é\u{2028}\u{2029}\u{2027}".as_bytes()),
            "\"é\\u2028\\u2029\u{2027}\""
        );
        assert_eq!(string(b"a\xff\xc3\x28"), r#""a\ufffd\ufffd(""#);
    }

    #[test]
    fn bytes_are_latin1() {
        let mut out = Vec::new();
        push_latin1(
            &[5, 7, 0x0a, 0x0f, 0x24, 0x32, 0x2b, 0x3c, 0x26, 0xff, 0xfe],
            &mut out,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#""\u0005\u0007\n\u000f$2+\u003c\u0026ÿþ""#
        );
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text: String) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(text.as_bytes())).unwrap(), text);
        }

        #[test]
        fn any_bytes_read_back(bytes: Vec<u8>) {
            let mut out = Vec::new();
            push_latin1(&bytes, &mut out);
            let text: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(text.chars().map(|c| c as u32 as u8).collect::<Vec<_>>(), bytes.clone());
            prop_assert!(serde_json::from_str::<String>(&string(&bytes)).is_ok());
        }
    }
}

//! Where the members of a JSON object stand in its text, so that parts can be replaced and the rest kept byte by byte.

use std::ops::Range;

/// The members of the object at `object`: the name's text with its quotes, and where the value stands. The text must be
/// well-formed JSON.
pub(super) fn members(text: &str, object: Range<usize>) -> Vec<(&str, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = object.start + 1;
    while at < object.end {
        match bytes[at] {
            b'"' => {
                let name = value(bytes, at);
                let mut start = name.end;
                while start < object.end && matches!(bytes[start], b':' | b' ') {
                    start += 1;
                }
                let span = value(bytes, start);
                at = span.end;
                found.push((&text[name], span));
            }
            _ => at += 1,
        }
    }
    found
}

/// The value that begins at `start`.
fn value(bytes: &[u8], start: usize) -> Range<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                in_string = !in_string;
                if !in_string && depth == 0 {
                    return start..at + 1;
                }
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return start..at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return start..at + 1;
                }
            }
            b',' if depth == 0 => return start..at,
            _ => {}
        }
    }
    start..bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_where_they_stand() {
        let text = r#"{"a":1,"b{":"x\",}","c":{"d":[1,{"e":2}]},"f":null}"#;
        let found: Vec<(&str, &str)> = members(text, 0..text.len())
            .into_iter()
            .map(|(name, span)| (name, &text[span]))
            .collect();
        assert_eq!(
            found,
            [
                ("\"a\"", "1"),
                ("\"b{\"", r#""x\",}""#),
                ("\"c\"", r#"{"d":[1,{"e":2}]}"#),
                ("\"f\"", "null")
            ]
        );
        assert!(members("{}", 0..2).is_empty());
    }
}

//! JSON as text: read as TiDB reads it, printed as TiDB prints it (`docs/spec/row-and-key-codecs.md §6`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::CodecError;
use super::json::MAX_DEPTH;
use crate::tidb::catalog::TidbVersion;

/// Reads a JSON text. A number is a signed integer if it fits, an unsigned one if it only fits there (a double in 4.0),
/// else a double; of two equal keys the last one wins.
pub fn parse(text: &str, version: TidbVersion) -> Result<Value, CodecError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(malformed)?;
    value(raw.get(), version, 0)
}

fn value(raw: &str, version: TidbVersion, depth: usize) -> Result<Value, CodecError> {
    if depth > MAX_DEPTH {
        return Err(malformed(format!("nested deeper than {MAX_DEPTH}")));
    }
    match raw.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(raw).map_err(malformed)?;
            let members = members
                .into_iter()
                .map(|(key, raw)| Ok((key, value(raw.get(), version, depth + 1)?)))
                .collect::<Result<Map<_, _>, CodecError>>()?;
            Ok(Value::Object(members))
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(malformed)?;
            let items = items
                .into_iter()
                .map(|raw| value(raw.get(), version, depth + 1))
                .collect::<Result<_, _>>()?;
            Ok(Value::Array(items))
        }
        Some(b'-' | b'0'..=b'9') => number(raw, version).map(Value::Number),
        _ => serde_json::from_str(raw).map_err(malformed),
    }
}

/// Read by ourselves: serde_json takes `-0` for a double, and its doubles may be off in the last digit.
fn number(raw: &str, version: TidbVersion) -> Result<Number, CodecError> {
    if let Ok(n) = raw.parse::<i64>() {
        return Ok(n.into());
    }
    if version > TidbVersion::V4_0
        && let Ok(n) = raw.parse::<u64>()
    {
        return Ok(n.into());
    }
    let double: f64 = raw.parse().map_err(malformed)?;
    Number::from_f64(double).ok_or_else(|| malformed(format!("{raw} is out of range")))
}

fn malformed(why: impl ToString) -> CodecError {
    CodecError::malformed("a JSON text", why.to_string())
}

/// The text that TiDB shows for a JSON text, if it is one.
pub fn normal(text: &str, version: TidbVersion) -> Result<String, CodecError> {
    parse(text, version).map(|value| print(&value))
}

/// The text that TiDB shows for a value.
pub fn print(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value);
    out
}

fn put(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => put_number(out, number),
        Value::String(text) => put_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                put(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                put_string(out, key);
                out.push_str(": ");
                put(out, value);
            }
            out.push('}');
        }
    }
}

/// Doubles as Go's `encoding/json` prints them: with an exponent below 1e-6 and from 1e21, whole ones without fraction.
fn put_number(out: &mut String, number: &Number) {
    let double = match number.as_f64() {
        Some(double) if number.is_f64() => double,
        _ => {
            let _ = write!(out, "{number}");
            return;
        }
    };
    let magnitude = double.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        let _ = write!(out, "{double}");
        return;
    }
    let text = format!("{double:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => {
            let _ = write!(out, "{digits}e+{exponent}");
        }
        _ => out.push_str(&text),
    }
}

/// Strings as Go's `encoding/json` prints them, without its escapes for HTML.
fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        normal(text, TidbVersion::V8_5).unwrap()
    }

    #[test]
    fn texts_are_shown_as_recorded() {
        // ticdc/v8.4/types-json.jsonl, steps 3 and 9.
        for (text, tidb) in [
            ("null", "null"),
            ("true", "true"),
            ("-1", "-1"),
            ("18446744073709551615", "18446744073709551615"),
            ("1.5", "1.5"),
            (
                r#"[1, "a", null, true, {"k": [1.0, 2e3]}]"#,
                r#"[1, "a", null, true, {"k": [1, 2000]}]"#,
            ),
            (
                r#"{"b": 1, "a": 2, "aa": 3, "c": {"z": null, "y": "é"}}"#,
                r#"{"a": 2, "aa": 3, "b": 1, "c": {"y": "é", "z": null}}"#,
            ),
            (r#"{"dup": 1, "dup": 2}"#, r#"{"dup": 2}"#),
            (
                r#""quote \" back \\ nl \n uni \u00e9 < > &""#,
                r#""quote \" back \\ nl \n uni é < > &""#,
            ),
            ("9223372036854775807", "9223372036854775807"),
            ("1e20", "100000000000000000000"),
            ("0.1", "0.1"),
            ("1.0", "1"),
            ("-0.0", "-0"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
        ] {
            assert_eq!(shown(text), tidb, "{text}");
        }
        assert_eq!(
            normal("18446744073709551615", TidbVersion::V4_0).unwrap(),
            "18446744073709552000"
        );
    }

    #[test]
    fn numbers_and_escapes_are_those_of_go() {
        for (text, tidb) in [
            ("-0", "0"),
            ("1e-6", "0.000001"),
            ("1e-7", "1e-7"),
            ("-1.25e-10", "-1.25e-10"),
            ("1e21", "1e+21"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("7.2057594037927933e16", "72057594037927940"),
            ("\t[ ]\n", "[]"),
            (
                r#""\b\f\r\t\/\u0001\u2028\u007f""#,
                "\"\\u0008\\u000c\\r\\t/\\u0001\\u2028\x7f\"",
            ),
            (r#""\ud83d\ude00""#, "\"\u{1f600}\""),
        ] {
            assert_eq!(shown(text), tidb, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(MAX_DEPTH + 2) + &"]".repeat(MAX_DEPTH + 2);
        for text in [
            "", "{", "{bad}", "1e400", "-1e400", "nul", "01", "1 2", r#""\x""#, &deep,
        ] {
            assert!(parse(text, TidbVersion::V8_5).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_of_tidb_stays(text in any::<String>(), double in proptest::num::f64::NORMAL, n: u64) {
            let text = serde_json::json!({"t": text, &text: [double, n], "n": null}).to_string();
            let once = shown(&text);
            prop_assert_eq!(&shown(&once), &once);
            let (a, b): (Value, Value) =
                (parse(&text, TidbVersion::V8_5).unwrap(), parse(&once, TidbVersion::V8_5).unwrap());
            // A whole double is an integer when it is read again.
            prop_assert_eq!(a.as_object().map(Map::len), b.as_object().map(Map::len));
        }

        #[test]
        fn doubles_keep_every_bit(double in proptest::num::f64::NORMAL) {
            let shown = shown(&format!("{double:e}"));
            prop_assert_eq!(shown.parse::<f64>().unwrap().to_bits(), double.to_bits());
        }

        #[test]
        fn arbitrary_texts_never_panic(text: String) {
            let _ = parse(&text, TidbVersion::V8_5);
        }
    }
}

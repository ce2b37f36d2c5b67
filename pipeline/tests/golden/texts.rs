//! Texts of decimals, times and JSON.

use pipeline::mount::{datum, decimal, json, time};

use crate::{hex_of, text_of, vectors};

fn decimal_text(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    decimal::write_text(bytes, &mut out)
        .unwrap_or_else(|error| panic!("{error}: {}", hex::encode(bytes)));
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn decimals() {
    for vector in vectors("decimal.json") {
        let (schema, expected) = (&vector["schema"], &vector["expected"]);
        let digit = |name: &str| schema[name].as_u64().expect("a number") as u8;
        if vector["what"] == "decimal binary size" {
            let mut bytes = vec![digit("precision"), digit("frac")];
            bytes.resize(2 + expected["bytes"].as_u64().expect("a size") as usize, 0);
            let (number, rest) = decimal::split(&bytes).expect("a decimal of zero bytes");
            assert_eq!((number.len(), rest.len()), (bytes.len(), 0), "{vector}");
            continue;
        }
        let mut bytes = hex_of(&vector, "hex");
        if schema["precision"].is_number() {
            bytes.splice(0..0, [digit("precision"), digit("frac")]);
        }
        let text = decimal_text(&bytes);
        let expected = text_of(expected, "text");
        // The vectors have the text of the value; ours has all digits of the column's scale.
        let scaled = decimal::rescale(expected, i64::from(bytes[1])).expect("a decimal");
        assert_eq!(text, scaled, "{vector}");
    }
}

#[test]
fn dates_and_times() {
    for vector in vectors("datetime.json") {
        let (schema, expected) = (&vector["schema"], &vector["expected"]);
        let packed: u64 = text_of(expected, "packed").parse().expect("a number");
        let parts = time::Parts::unpack(packed).unwrap_or_else(|error| panic!("{error}: {vector}"));
        let mut text = Vec::new();
        match text_of(schema, "type") {
            "date" => parts.write_date(&mut text),
            _ => parts.write_datetime(
                schema["fsp"].as_u64().expect("a number") as usize,
                &mut text,
            ),
        }
        let expected = text_of(expected, "text");
        assert_eq!(
            String::from_utf8(text).expect("UTF-8"),
            expected,
            "{vector}"
        );
        assert_eq!(time::parse_packed(expected), Some(packed), "{vector}");
        assert_eq!(parts.pack(), packed, "{vector}");
    }
}

#[test]
fn durations() {
    for vector in vectors("duration.json") {
        let expected = &vector["expected"];
        let nanos: i64 = text_of(expected, "ns").parse().expect("a number");
        let fsp = vector["schema"]["fsp"].as_u64().expect("a number") as usize;
        let mut text = Vec::new();
        time::write_duration(nanos, fsp, &mut text);
        assert_eq!(
            String::from_utf8(text).expect("UTF-8"),
            text_of(expected, "text"),
            "{vector}"
        );
        assert_eq!(
            time::parse_duration(text_of(expected, "text")),
            Some(nanos),
            "{vector}"
        );
        if expected["comparable_datum_hex"].is_string() {
            let bytes = hex_of(expected, "comparable_datum_hex");
            assert_eq!(
                datum::get(&bytes),
                Ok((datum::Datum::Int(nanos), &[][..])),
                "{vector}"
            );
        }
    }
}

#[test]
fn documents() {
    let mut by_text = 0;
    for vector in vectors("json-binary.json") {
        let bytes = hex_of(&vector, "hex");
        let mut text = Vec::new();
        json::write_text(&bytes, &mut text).unwrap_or_else(|error| panic!("{error}: {vector}"));
        let (text, expected) = (
            String::from_utf8(text).expect("UTF-8"),
            text_of(&vector["expected"], "text"),
        );
        let note = vector["note"].as_str().unwrap_or_default();
        if text == expected {
            by_text += 1;
        } else if note.starts_with("text is the source document")
            || note.starts_with("text as TiFlash")
        {
            // Another spelling of the same value: spaces, or where the exponent begins.
            let value = |text: &str| serde_json::from_str::<Document>(text).expect("JSON");
            assert_eq!(value(&text), value(expected), "{vector}");
        } else {
            panic!("{text} of {vector}");
        }
        // As a datum it ends where it ends.
        let datum: Vec<u8> = [&[0x0a], &bytes[..], b"rest"].concat();
        assert_eq!(
            datum::get(&datum),
            Ok((datum::Datum::Json(&bytes), &b"rest"[..])),
            "{vector}"
        );
    }
    assert!(by_text >= 60, "{by_text} texts are the same");
}

/// A document whose numbers are compared by value: 4 is 4.0.
#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(untagged)]
enum Document {
    Number(f64),
    Array(Vec<Document>),
    Object(std::collections::BTreeMap<String, Document>),
    Other(serde_json::Value),
}

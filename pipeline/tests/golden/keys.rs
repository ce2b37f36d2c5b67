//! Keys of rows and of metadata.

use pipeline::{
    mount::{
        datum::Datum,
        key::{self, RowHandle},
        memcomparable, time,
    },
    schema::keys::MetaKey,
};
use serde_json::Value;

use crate::{hex_of, text_of, vectors};

#[test]
fn row_keys() {
    let mut rows = 0;
    for vector in vectors("keys.json") {
        let expected = &vector["expected"];
        let mut key = hex_of(&vector, "hex");
        if expected["ts"].is_string() || expected["raw_key_hex"].is_string() {
            key = unwrapped(key.strip_prefix(b"z").unwrap_or(&key));
        } else if text_of(&vector, "what").contains("EncodeBytes")
            || text_of(&vector, "what").contains("wrapped")
        {
            key = unwrapped(&key);
        }
        if expected["raw_key_hex"].is_string() {
            assert_eq!(
                hex::encode(&key),
                text_of(expected, "raw_key_hex"),
                "{vector}"
            );
            continue;
        }
        if let Some(id) = expected["table_id"].as_i64() {
            assert_eq!(key::physical_id(&key), Some(id), "{vector}");
        }
        match &expected["handle"] {
            Value::Null => {}
            Value::Array(parts) => {
                let (_, handle) = key::decode_row_key(&key)
                    .expect("a row key")
                    .expect("a row key");
                let RowHandle::Common(handle) = handle else {
                    panic!("{handle:?} of {vector}")
                };
                let datums = key::decode_common_handle(handle, parts.len()).expect("datums");
                for (datum, expected) in datums.iter().zip(parts) {
                    check(datum, expected, &vector);
                }
                rows += 1;
            }
            number => {
                let (_, handle) = key::decode_row_key(&key)
                    .expect("a row key")
                    .expect("a row key");
                let RowHandle::Int(handle) = handle else {
                    panic!("{handle:?} of {vector}")
                };
                let expected = number
                    .as_str()
                    .map_or_else(|| number.to_string(), str::to_owned);
                let same =
                    handle.to_string() == expected || (handle as u64).to_string() == expected;
                assert!(same, "{handle} of {vector}");
                rows += 1;
            }
        }
    }
    assert!(rows >= 30, "{rows} row keys");
}

/// The raw key in TiKV's form, without what follows it.
fn unwrapped(key: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    memcomparable::get_bytes(key, &mut raw).expect("comparable bytes");
    raw
}

fn check(datum: &Datum<'_>, expected: &Value, vector: &Value) {
    let (kind, expected) = expected
        .as_object()
        .and_then(|o| o.iter().next())
        .expect("a datum");
    let text = expected
        .as_str()
        .map_or_else(|| expected.to_string(), str::to_owned);
    match (kind.as_str(), datum) {
        ("int", Datum::Int(number)) => assert_eq!(number.to_string(), text, "{vector}"),
        ("uint", Datum::Uint(number)) => assert_eq!(number.to_string(), text, "{vector}"),
        ("double", Datum::Float(number)) => assert_eq!(Ok(*number), text.parse(), "{vector}"),
        ("bytes" | "sort_key", Datum::Bytes(bytes)) => {
            assert_eq!(&bytes[..], text.as_bytes(), "{vector}")
        }
        ("bytes_hex" | "sort_key_hex", Datum::Bytes(bytes)) => {
            assert_eq!(hex::encode(bytes), text, "{vector}")
        }
        ("decimal", Datum::Decimal(bytes)) => {
            let mut out = Vec::new();
            pipeline::mount::decimal::write_text(bytes, &mut out).expect("a decimal");
            assert_eq!(String::from_utf8_lossy(&out), text, "{vector}");
        }
        ("datetime" | "date", Datum::Uint(packed)) => {
            assert_eq!(Some(*packed), time::parse_packed(&text), "{vector}")
        }
        ("time", Datum::Int(nanos)) => {
            assert_eq!(Some(*nanos), time::parse_duration(&text), "{vector}")
        }
        (kind, datum) => panic!("{kind} {text} but {datum:?} of {vector}"),
    }
}

#[test]
fn meta_keys() {
    for vector in vectors("meta-keys.json") {
        let expected = &vector["expected"];
        let raw = hex_of(&vector, "hex");
        let Some(kind) = expected["kind"]
            .as_str()
            .filter(|kind| !kind.contains("prefix"))
        else {
            continue;
        };
        let key = MetaKey::decode(&raw)
            .unwrap_or_else(|error| panic!("{error}: {vector}"))
            .expect("a meta key");
        let name = text_of(expected, "key").as_bytes().to_vec();
        match (kind, key) {
            ("hash data", MetaKey::Hash { key, field }) => {
                assert_eq!(key, name, "{vector}");
                let same = match expected["field"].as_str() {
                    Some(text) => field == text.as_bytes(),
                    None => hex::encode(&field) == text_of(expected, "field_hex"),
                };
                assert!(same, "field {field:?} of {vector}");
            }
            ("list data", MetaKey::List { key, index }) => {
                assert_eq!(
                    (key, index.to_string().as_str()),
                    (name, text_of(expected, "index")),
                    "{vector}"
                );
            }
            ("string", MetaKey::Other { key, kind }) => {
                assert_eq!((key, kind), (name, u64::from(b's')), "{vector}")
            }
            ("list meta", MetaKey::Other { key, kind }) => {
                assert_eq!((key, kind), (name, u64::from(b'L')), "{vector}")
            }
            ("hash meta", MetaKey::Other { key, kind }) => {
                assert_eq!((key, kind), (name, u64::from(b'H')), "{vector}")
            }
            (kind, key) => panic!("{kind} but {key:?} of {vector}"),
        }
    }
}

//! A column's bytes to canal-json's text, `sqlType` and `mysqlType`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use jiff::tz::TimeZone;
use pipeline::{
    codec::canal_json::{Config, Encoded, Encoder},
    compat::Compat,
    model::{Op, RawKv},
    mount::{Mounter, RowEvent, SplitRule, TextRules, Value},
    schema::{TableInfo, field, model::ColumnModel},
};
use serde_json::Value as Json;

use crate::{
    hex_of,
    sql_type::{column_model, field_type, table},
    text_of, vectors,
};

fn rules() -> TextRules {
    TextRules {
        time_zone: TimeZone::fixed(jiff::tz::offset(8)),
        release: Compat::V8_5.into(),
    }
}

/// The message of an INSERT of this one value.
fn message(table: &TableInfo, value: Value<'_>, rules: TextRules) -> Json {
    let event = RowEvent {
        table,
        key: b"",
        physical_id: table.id,
        start_ts: 1,
        commit_ts: 2,
        new: Some(vec![value]),
        old: None,
    };
    let mut out = Vec::new();
    let encoded = Encoder::new(Config::new(rules.release), rules)
        .encode_row(&event, 0, &mut out)
        .expect("a message");
    assert_eq!(encoded, Encoded::Whole);
    serde_json::from_slice(&out).expect("JSON")
}

fn check(message: &Json, vector: &Json) {
    let expected = &vector["expected"];
    assert_eq!(
        message["mysqlType"]["c"], expected["mysql_type"],
        "{vector}"
    );
    if !expected["java_sql_type"].is_null() {
        assert_eq!(
            message["sqlType"]["c"], expected["java_sql_type"],
            "{vector}"
        );
    }
    let text = &message["data"][0]["c"];
    let null = expected["canal_text"].is_null() || expected["value_in_test"] == "nil";
    assert_eq!(
        text,
        if null {
            &Json::Null
        } else {
            &expected["canal_text"]
        },
        "{vector}"
    );
}

#[test]
fn stored_bytes() {
    for vector in vectors("canal-values.json") {
        if vector["what"] != "SQL value -> row v2 column bytes -> canal text" {
            continue;
        }
        let bytes = hex_of(&vector, "hex");
        let (not_null, null) = if bytes.is_empty() { (0u8, 1u8) } else { (1, 0) };
        let mut row = vec![128, 0, not_null, 0, null, 0, 1];
        if not_null == 1 {
            row.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            row.extend_from_slice(&bytes);
        }
        let table = table(
            vec![column_model(1, field_type(text_of(&vector["schema"], "1")))],
            Compat::V8_5,
        );
        let mut rules = rules();
        if text_of(&vector["expected"], "sql").ends_with("in UTC") {
            rules.time_zone = TimeZone::UTC;
        }
        let kv = put(row);
        let event = mount(&kv, &table, &rules);
        let value = event.row()[0].borrowed();
        check(&message(&table, value, rules), &vector);
    }
}

fn put(value: Vec<u8>) -> RawKv {
    RawKv {
        op: Op::Put,
        key: Bytes::from(hex::decode("7480000000000000685f728000000000000001").expect("a key")),
        value: value.into(),
        old_value: Bytes::new(),
        start_ts: 1,
        commit_ts: 2,
    }
}

fn mount<'a>(kv: &'a RawKv, table: &'a TableInfo, rules: &TextRules) -> RowEvent<'a> {
    let mounter = Mounter {
        text: rules.clone(),
        split: SplitRule::Keep,
    };
    mounter.mount(kv, table).expect("a row").expect("a row")
}

/// The values as the tests of TiCDC v6.5 write them: `int64(127)`, `"text"`, `[]uint8("text")`, `nil`.
#[test]
fn decoded_values() {
    for vector in vectors("canal-values.json") {
        if !text_of(&vector, "what").starts_with("decoded column value") {
            continue;
        }
        let field_type = field_type(text_of(&vector["expected"], "mysql_type"));
        let tp = field_type.tp;
        let table = table(vec![column_model(1, field_type)], Compat::V8_5);
        let written = text_of(&vector["expected"], "value_in_test");
        let inside = |lead: &str| {
            written
                .strip_prefix(lead)
                .and_then(|rest| rest.strip_suffix(')'))
        };
        let quoted = |text: &str| serde_json::from_str::<String>(text).expect("a quoted text");
        let value = if written == "nil" {
            Value::Null
        } else if let Some(number) = inside("int64(") {
            Value::Int(number.parse().expect("a number"))
        } else if let Some(number) = inside("uint64(") {
            Value::Uint(number.parse().expect("a number"))
        } else if let Some(text) = inside("[]uint8(") {
            Value::Bytes(quoted(text).into_bytes().into())
        } else if matches!(tp, field::FLOAT | field::DOUBLE) {
            let number: f64 = written.parse().expect("a number");
            Value::Float(if tp == field::FLOAT {
                f64::from(number as f32)
            } else {
                number
            })
        } else {
            Value::Text(quoted(written).into())
        };
        check(&message(&table, value, rules()), &vector);
    }
}

#[test]
fn absent_columns() {
    for vector in vectors("canal-values.json") {
        if vector["what"] != "column absent from the stored row" {
            continue;
        }
        let schema = &vector["schema"];
        let mut field_type = field_type(text_of(schema, "1"));
        if schema["not_null"] == true {
            field_type.flag |= field::FLAG_NOT_NULL;
        }
        let origin_default = schema["origin_default"]
            .as_str()
            .map(|text| Json::from(text.replace(" (UTC)", "")));
        let column = ColumnModel {
            origin_default,
            ..column_model(1, field_type)
        };
        let table = table(vec![column], Compat::V8_5);
        let kv = put(vec![128, 0, 0, 0, 0, 0]);
        let rules = rules();
        let message = message(
            &table,
            mount(&kv, &table, &rules).row()[0].borrowed(),
            rules,
        );
        let expected = match &vector["expected"]["value"] {
            Json::Number(number) => Json::from(number.to_string()),
            Json::String(text) => Json::from(text.replace(" (+08:00)", "")),
            other => other.clone(),
        };
        assert_eq!(message["data"][0]["c"], expected, "{vector}");
    }
}

/// v4.0.9 has no bits and no members where v6.5 has the number 0, and v6.5 takes the text of a default for a number where it says the type.
#[test]
fn absent_columns_of_older_releases() {
    let bits = |compat| (compat, "bit(3)", None);
    for ((compat, sql_type, default), value, java) in [
        (bits(Compat::V4_0_9), "", -7),
        ((Compat::V4_0_9, "set('a','b')", None), "", 1),
        ((Compat::V6_5, "set('a','b')", None), "0", -7),
        (bits(Compat::V6_5), "0", -7),
        (
            (
                Compat::V6_5,
                "bigint unsigned",
                Some("18446744073709551615"),
            ),
            "18446744073709551615",
            3,
        ),
        ((Compat::V6_5, "bigint unsigned", Some("7")), "7", -5),
        ((Compat::V6_5, "tinyint unsigned", Some("128")), "128", 5),
    ] {
        let mut field_type = field_type(sql_type);
        field_type.flag |= field::FLAG_NOT_NULL;
        let column = ColumnModel {
            origin_default: default.map(Json::from),
            ..column_model(1, field_type)
        };
        let table = table(vec![column], compat);
        let kv = put(vec![128, 0, 0, 0, 0, 0]);
        let rules = TextRules {
            release: compat.into(),
            ..rules()
        };
        let event = mount(&kv, &table, &rules);
        let message = message(&table, event.row()[0].borrowed(), rules);
        assert_eq!(message["data"][0]["c"], value, "{sql_type}");
        assert_eq!(message["sqlType"]["c"], java, "{sql_type}");
    }
}

/// The bytes of a BIT column's default go out as a text, whether they are one or not.
#[test]
fn bits_of_a_default_are_no_text_in_older_releases() {
    for compat in [Compat::V4_0_9, Compat::V6_5] {
        let mut field_type = field_type("bit(16)");
        field_type.flag |= field::FLAG_NOT_NULL;
        let bits = Some(BASE64_STANDARD.encode([b'A', 0xff]));
        let column = ColumnModel {
            default_bit: bits.clone(),
            origin_default_bit: bits,
            ..column_model(1, field_type)
        };
        let table = table(vec![column], compat);
        let kv = put(vec![128, 0, 0, 0, 0, 0]);
        let rules = TextRules {
            release: compat.into(),
            ..rules()
        };
        let event = mount(&kv, &table, &rules);
        let mut out = Vec::new();
        let encoded = Encoder::new(Config::new(compat), rules).encode_row(&event, 0, &mut out);
        assert_eq!(encoded.expect("a message"), Encoded::Whole);
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains(r#""c":"A\ufffd""#), "{text}");
    }
}

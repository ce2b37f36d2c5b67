//! Whole row values, of both formats.

use jiff::tz::TimeZone;
use pipeline::{
    compat::Compat,
    mount::{TextRules, Value, row::RowValue},
    schema::field,
};
use serde_json::Value as Json;

use crate::{hex_of, sql_type::column, vectors};

#[test]
fn format_v2() {
    all_columns_decode("row-v2.json");
}

#[test]
fn format_v1() {
    all_columns_decode("row-v1.json");
}

fn all_columns_decode(file: &str) {
    for vector in vectors(file) {
        let bytes = hex_of(&vector, "hex");
        let row = RowValue::parse(&bytes).unwrap_or_else(|error| panic!("{error}: {vector}"));
        for (id, expected) in vector["expected"].as_object().expect("columns") {
            let id: i64 = id.parse().expect("a column id");
            let column = column(
                id,
                vector["schema"][id.to_string()]
                    .as_str()
                    .unwrap_or("any null"),
            );
            let value = row
                .column(&column)
                .unwrap_or_else(|error| panic!("{error}: {vector}"));
            let value = value.unwrap_or_else(|| panic!("no column {id} in {vector}"));
            check(&value, &column, expected, &vector);
        }
        let absent = column(99, "int");
        assert_eq!(
            row.column(&absent).expect("no such column"),
            None,
            "{vector}"
        );
    }
}

fn check(value: &Value<'_>, column: &pipeline::schema::Column, expected: &Json, vector: &Json) {
    if expected.is_null() {
        assert!(value.is_null(), "{value:?} of {vector}");
        return;
    }
    let rules = TextRules {
        time_zone: TimeZone::UTC,
        release: Compat::V8_5.into(),
    };
    let mut text = Vec::new();
    rules
        .write(value, column, &mut text)
        .unwrap_or_else(|error| panic!("{error}: {vector}"));
    let expected = match expected {
        Json::Object(members) => {
            let name = ["index", "bits", "json", "bytes_hex"]
                .into_iter()
                .find(|name| members.contains_key(*name));
            &members[name.expect("a known member")]
        }
        plain => plain,
    };
    let expected = expected
        .as_str()
        .map_or_else(|| expected.to_string(), |text| text.replace(" (UTC)", ""));
    let text = String::from_utf8(text).expect("UTF-8");
    match column.tp() {
        field::FLOAT => assert_eq!(text.parse::<f32>(), expected.parse::<f32>(), "{vector}"),
        field::DOUBLE => assert_eq!(text.parse::<f64>(), expected.parse::<f64>(), "{vector}"),
        _ => assert_eq!(text, expected, "{vector}"),
    }
}

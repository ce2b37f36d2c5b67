//! One row as each release between the recorded ones writes it (spec/canal-json.md §0).

use jiff::tz::TimeZone;
use pipeline::{
    codec::canal_json::{Config, Encoded, Encoder},
    compat::{Compat, Release},
    mount::{RowEvent, TextRules, Value},
    schema::{TableInfo, field, model::CiStr},
};

use crate::sql_type::{column_model, field_type, table};

/// Columns whose names are not in order.
fn columns() -> TableInfo {
    let columns = [("n", "int unsigned"), ("f", "float"), ("b", "binary(1)")];
    let column = |(offset, (name, text)): (usize, (&str, &str))| {
        let mut column = column_model(offset as i64 + 1, field_type(text));
        column.name = CiStr::from(name);
        column.offset = offset;
        if name == "n" {
            column.field_type.flag |= field::FLAG_ZEROFILL;
        }
        column
    };
    let columns = columns.into_iter().enumerate().map(column).collect();
    table(columns, Compat::V8_5)
}

fn message(release: &str, updated: bool) -> String {
    let release: Release = release.parse().expect("a release");
    let text = TextRules {
        time_zone: TimeZone::UTC,
        release,
    };
    let row = |number| {
        vec![
            Value::Uint(number),
            Value::Float(f64::from(0.1_f32)),
            Value::Bytes(b"x".as_slice().into()),
        ]
    };
    let table = columns();
    let event = RowEvent {
        table: &table,
        key: b"",
        physical_id: table.id,
        start_ts: 1,
        commit_ts: 2 << 18,
        new: Some(row(7)),
        old: updated.then(|| row(3_000_000_000)),
    };
    let mut out = Vec::new();
    let encoded = Encoder::new(Config::new(release), text).encode_row(&event, 5, &mut out);
    assert_eq!(encoded.expect("a message"), Encoded::Whole);
    let message = String::from_utf8(out).expect("UTF-8");
    let (_, rest) = message.split_once(r#""es":2,"#).expect("a head");
    rest.to_owned()
}

#[test]
fn a_row_of_each_release() {
    let promoted =
        r#""sqlType":{"b":1,"f":7,"n":-5},"mysqlType":{"b":"binary","f":"float","n":"int"}"#;
    let by_name = r#""sqlType":{"b":2004,"f":7,"n":4},"mysqlType":{"b":"binary","f":"float","n":"int unsigned"}"#;
    let by_place = r#""sqlType":{"n":4,"f":7,"b":2004},"mysqlType":{"n":"int unsigned","f":"float","b":"binary"}"#;
    let wide = "0.10000000149011612";
    let sorted = |data: &str, old: &str| format!(r#""data":{data},"old":{old}}}"#);
    let placed = |data: &str, old: &str| format!(r#""old":{old},"data":{data}}}"#);
    let row_by_name = |f: &str| format!(r#"[{{"b":"x","f":"{f}","n":"7"}}]"#);
    let row = |f: &str| format!(r#"[{{"n":"7","f":"{f}","b":"x"}}]"#);
    let head = |ts: u8, types: &str| format!(r#""ts":{ts},"sql":"",{types},"#);
    let by_place_zerofill = by_place.replace("unsigned", "unsigned zerofill");
    for (release, expected) in [
        (
            "v5.3.4",
            head(0, promoted) + &sorted(&row_by_name(wide), "[null]"),
        ),
        (
            "v5.4.0",
            head(5, by_name) + &sorted(&row_by_name(wide), "null"),
        ),
        ("v6.1.3", head(5, by_place) + &placed(&row(wide), "null")),
        ("v6.1.7", head(5, by_place) + &placed(&row("0.1"), "null")),
        (
            "v6.4.0",
            head(5, by_name) + &sorted(&row_by_name(wide), "null"),
        ),
        (
            "v6.5.0",
            head(5, by_place) + &placed(&row(wide), "null") + "\r\n",
        ),
        (
            "v6.5.12",
            head(5, &by_place_zerofill) + &placed(&row("0.1"), "null"),
        ),
        ("v7.1.0", head(5, by_place) + &placed(&row("0.1"), "null")),
        (
            "v8.5.3",
            head(5, &by_place_zerofill) + &placed(&row("0.1"), "null"),
        ),
    ] {
        assert_eq!(message(release, false), expected, "{release}");
    }
    // An update: the old row beside the new one, in either order.
    let old = row_by_name(wide).replace("\"7\"", "\"3000000000\"");
    let expected = head(5, by_name) + &sorted(&row_by_name(wide), &old);
    assert_eq!(message("v6.4.0", true), expected);
}

//! Whatever bytes come, decoding refuses or the message is JSON; and what is decoded twice is the same.

use bytes::Bytes;
use jiff::tz::TimeZone;
use pipeline::{
    codec::canal_json::{Config, Encoded, Encoder},
    compat::Compat,
    model::{Op, RawKv},
    mount::{Mounter, SplitRule, TextRules},
    schema::TableInfo,
};
use proptest::prelude::*;

use crate::sql_type::{column_model, field_type, table};

const TYPES: &[&str] = &[
    "tinyint",
    "smallint unsigned",
    "mediumint",
    "int",
    "bigint unsigned",
    "float",
    "double",
    "decimal(10,2)",
    "bit(8)",
    "year",
    "date",
    "datetime(3)",
    "timestamp(6)",
    "time(2)",
    "enum('a','b')",
    "set('a','b')",
    "json",
    "vector",
    "char(3)",
    "binary(3)",
    "varchar(9)",
    "varbinary(9)",
    "text",
    "blob",
];

fn tables(compat: Compat) -> TableInfo {
    let column = |(at, text): (usize, &&str)| {
        let mut column = column_model(at as i64 + 1, field_type(text));
        column.name = format!("c{at}").as_str().into();
        column
    };
    table(TYPES.iter().enumerate().map(column).collect(), compat)
}

/// A row of format v2 whose columns 1, 2, … have these bytes; empty ones are NULL.
fn row(values: &[Vec<u8>]) -> Vec<u8> {
    let ids = |null: bool| {
        (1u8..)
            .zip(values)
            .filter(move |(_, value)| value.is_empty() == null)
            .map(|(id, _)| id)
    };
    let mut row = vec![
        128,
        0,
        ids(false).count() as u8,
        0,
        ids(true).count() as u8,
        0,
    ];
    row.extend(ids(false).chain(ids(true)));
    let mut end = 0u16;
    for value in values.iter().filter(|value| !value.is_empty()) {
        end += value.len() as u16;
        row.extend_from_slice(&end.to_le_bytes());
    }
    row.extend(values.concat());
    row
}

fn check(compat: Compat, value: Vec<u8>, old_value: Vec<u8>) {
    let table = tables(compat);
    let text = TextRules {
        time_zone: TimeZone::get("America/New_York").expect("a zone"),
        release: compat.into(),
    };
    let kv = RawKv {
        op: Op::Put,
        key: Bytes::from(hex::decode("7480000000000000685f728000000000000001").expect("a key")),
        value: value.into(),
        old_value: old_value.into(),
        start_ts: 1,
        commit_ts: 2,
    };
    let mounter = Mounter {
        text: text.clone(),
        split: SplitRule::Split { from: 1 },
    };
    let mut encoder = Encoder::new(
        Config {
            content_compatible: true,
            ..Config::new(compat)
        },
        text,
    );
    for event in mounter.mount_txn([&kv], &table).unwrap_or_default() {
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        if encoder.encode_row(&event, 0, &mut once).is_ok() {
            serde_json::from_slice::<serde_json::Value>(&once).expect("JSON");
            let again = encoder.encode_row(&event, 0, &mut twice);
            assert_eq!(again.expect("the same again"), Encoded::Whole);
            assert_eq!(once, twice);
        }
    }
}

fn column_bytes() -> impl Strategy<Value = Vec<u8>> {
    let width = prop::sample::select(vec![0usize, 1, 2, 4, 8]);
    prop_oneof![
        width.prop_flat_map(|len| prop::collection::vec(any::<u8>(), len)),
        prop::collection::vec(any::<u8>(), 0..20)
    ]
}

proptest! {
    #[test]
    fn rows_of_any_column_bytes(
        new in prop::collection::vec(column_bytes(), TYPES.len()),
        old in prop::collection::vec(column_bytes(), TYPES.len()),
        compat in prop::sample::select(&Compat::ALL[..]),
    ) {
        check(compat, row(&new), row(&old));
    }

    #[test]
    fn rows_of_any_bytes(new: Vec<u8>, old: Vec<u8>, large: bool, compat in prop::sample::select(&Compat::ALL[..])) {
        check(compat, new.clone(), old.clone());
        let v2 = |bytes: &[u8]| [&[128, u8::from(large)], bytes].concat();
        check(compat, v2(&new), v2(&old));
    }

    /// Column by column, so that one broken column does not hide the others.
    #[test]
    fn one_column_of_any_bytes(at in 0..TYPES.len(), bytes in column_bytes(), compat in prop::sample::select(&Compat::ALL[..])) {
        let mut values = vec![Vec::new(); TYPES.len()];
        values[at] = bytes;
        check(compat, row(&values), Vec::new());
    }
}

//! The checks find what a broken pipeline would do: a run that is good passes, and each way to spoil it is told.

use super::{Evidence, Options, all};
use crate::lab::Compat;
use crate::observe::flink::table::Column;
use crate::observe::kafka::Record;
use crate::scenario::message::Message;
use crate::scenario::tables::Table;

fn column(name: &str, data_type: &str, primary: bool) -> Column {
    Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        column_type: data_type.to_owned(),
        primary,
    }
}

/// The message of a row of `d.t`; `old` and `data` are the values of `v`.
fn row(kind: &str, id: u32, es: u64, old: Option<&str>, data: &str) -> String {
    let cells = |v: &str| format!(r#"[{{"id":"{id}","v":"{v}"}}]"#);
    let old = old.map_or("null".to_owned(), cells);
    format!(
        r#"{{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"{kind}","es":{es},"ts":{},"sql":"","sqlType":{{"id":4,"v":4}},"mysqlType":{{"id":"int","v":"int"}},"old":{old},"data":{}}}"#,
        es + 5,
        cells(data)
    )
}

fn good() -> Vec<String> {
    vec![
        r#"{"id":0,"database":"d","table":"t","pkNames":null,"isDdl":true,"type":"CREATE","es":1000,"ts":1005,"sql":"CREATE TABLE `t` (`id` INT PRIMARY KEY,`v` INT)","sqlType":null,"mysqlType":null,"data":null,"old":null}"#.to_owned(),
        row("INSERT", 1, 1010, None, "10"),
        row("INSERT", 2, 1010, None, "20"),
        row("UPDATE", 1, 1020, Some("10"), "11"),
        row("UPDATE", 1, 1030, Some("11"), "12"),
        row("DELETE", 2, 1040, None, "20"),
        row("INSERT", 3, 1050, None, "30"),
    ]
}

fn evidence(texts: &[String]) -> Evidence {
    let read = |(offset, text): (usize, &String)| {
        let record = Record {
            partition: 0,
            offset: offset as i64,
            key: (!text.contains("\"isDdl\":true")).then(Vec::new),
            value: Some(text.clone().into_bytes()),
            headers: 0,
        };
        Message::read(&record).unwrap()
    };
    let cells = |id: &str, v: &str| vec![Some(id.to_owned()), Some(v.to_owned())];
    Evidence {
        dialect: Compat::V8,
        options: Options::default(),
        databases: vec!["d".to_owned()],
        messages: texts.iter().enumerate().map(read).collect(),
        may_repeat: false,
        window: (900, 2000),
        tables: vec![Table {
            database: "d".to_owned(),
            name: "t".to_owned(),
            columns: vec![column("id", "int", true), column("v", "int", false)],
            eligible: true,
            rows: vec![cells("1", "12"), cells("3", "30")],
        }],
    }
}

/// Which checks complain about these messages.
fn complaints(texts: &[String]) -> Vec<&'static str> {
    let mut checks: Vec<&str> = all(&evidence(texts))
        .iter()
        .map(|found| found.check)
        .collect();
    checks.dedup();
    checks
}

#[test]
fn a_good_run_passes() {
    assert_eq!(all(&evidence(&good())), []);
}

#[test]
fn every_row_that_is_missing_is_missed() {
    for place in 1..good().len() {
        let mut texts = good();
        texts.remove(place);
        assert!(complaints(&texts).contains(&"replay"), "without {place}");
    }
}

#[test]
fn every_message_that_comes_twice_is_told() {
    for place in 0..good().len() {
        let mut texts = good();
        texts.insert(place, texts[place].clone());
        assert_eq!(complaints(&texts), ["once"], "{place} twice");
        let mut found = evidence(&texts);
        found.may_repeat = true;
        assert_eq!(all(&found), [], "{place} twice, after an interruption");
    }
}

#[test]
fn rows_of_one_key_that_change_places_are_told() {
    let mut texts = good();
    texts.swap(3, 4);
    assert_eq!(complaints(&texts), ["order", "replay"]);
}

#[test]
fn a_row_before_its_table_is_told() {
    let mut texts = good();
    texts.swap(0, 1);
    assert!(complaints(&texts).contains(&"order"));
}

#[test]
fn one_key_in_two_partitions_is_told() {
    let mut found = evidence(&good());
    found.messages[4].partition = 1;
    let told = all(&found);
    assert!(told.iter().any(|v| v.check == "order"), "{told:?}");
}

#[test]
fn keys_of_records_are_told() {
    for (place, key) in [(0, Some(Vec::new())), (1, None), (1, Some(vec![1]))] {
        let mut found = evidence(&good());
        found.messages[place].record_key = key;
        let told = all(&found);
        assert!(
            told.iter()
                .any(|v| v.check == "shape" && v.what.contains("record's key")),
            "{told:?}"
        );
    }
}

#[test]
fn values_types_times_and_strangers_are_told() {
    for (what, from, to, check) in [
        ("another value", r#""v":"30""#, r#""v":"31""#, "replay"),
        ("a NULL", r#""v":"30""#, r#""v":null"#, "replay"),
        (
            "another type",
            r#""sqlType":{"id":4"#,
            r#""sqlType":{"id":-5"#,
            "shape",
        ),
        (
            "a type of the other dialect",
            r#""old":null,"data":[{"id":"3""#,
            r#""old":[null],"data":[{"id":"3""#,
            "shape",
        ),
        ("no time of encoding", r#""ts":1055"#, r#""ts":0"#, "shape"),
        (
            "a commit before the run",
            r#""es":1050"#,
            r#""es":50"#,
            "times",
        ),
        (
            "a table of another database",
            r#""database":"d""#,
            r#""database":"other""#,
            "scope",
        ),
    ] {
        let mut texts = good();
        let last = texts.len() - 1;
        let spoilt = texts[last].replacen(from, to, 1);
        assert_ne!(spoilt, texts[last], "{what}");
        texts[last] = spoilt;
        let told = complaints(&texts);
        assert!(told.contains(&check), "{what}: {told:?}");
    }
}

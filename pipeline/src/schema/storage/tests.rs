//! Tests of [`super::SchemaStorage`] on v4.0.9's job list, whose jobs need no row around them.

use std::convert::Infallible;

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::{MetaReader, SchemaStorage, ddl_spans};
use crate::{
    coded::Code,
    compat::Compat,
    config::replica::EventFilterRule,
    filter::EventFilters,
    model::{Op, RawKv, Span, Ts},
    mount::memcomparable,
    schema::{Action, DdlEvent, SchemaError, TableInfo, Verdict},
};

struct Nothing;

impl MetaReader for Nothing {
    type Error = Infallible;

    async fn scan(&self, _: &Span) -> Result<Vec<(Bytes, Bytes)>, Infallible> {
        Ok(Vec::new())
    }
}

/// One database with one table, which a job is about to drop.
struct Dropping;

impl MetaReader for Dropping {
    type Error = Infallible;

    async fn scan(&self, span: &Span) -> Result<Vec<(Bytes, Bytes)>, Infallible> {
        let databases = super::keys::hash_range("DBs", "DB:", "DB;");
        let json = if *span == databases {
            r#"{"id":1,"db_name":{"O":"d","L":"d"},"state":5}"#
        } else {
            r#"{"id":7,"name":{"O":"t","L":"t"},"state":1,"pk_is_handle":true,
                "cols":[{"id":1,"name":{"O":"id","L":"id"},"state":5,"type":{"Tp":3,"Flag":3}}]}"#
        };
        Ok(vec![(Bytes::from_static(b"key"), Bytes::from(json))])
    }
}

#[test]
fn a_table_that_is_being_dropped_is_there_until_the_job_is_done() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut storage = runtime
        .block_on(SchemaStorage::load(&Dropping, 10, Compat::V4_0_9))
        .unwrap();
    let drop_table = 4;
    storage
        .on_kv(&table_job(100, drop_table, 20, 7, "t"))
        .unwrap();
    let events = storage.on_resolved(20).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].query, "statement 100");
}

fn load(compat: Compat) -> Result<SchemaStorage, SchemaError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(SchemaStorage::load(&Nothing, 10, compat))
}

/// A storage that has seen the creation of database 1, at 20.
fn storage() -> SchemaStorage {
    let mut storage = load(Compat::V4_0_9).unwrap();
    assert!(
        storage
            .on_kv(&job(
                100,
                1,
                20,
                r#""schema_id":1"#,
                r#""DBInfo":{"id":1,"db_name":{"O":"d","L":"d"},"state":5}"#
            ))
            .unwrap()
    );
    assert_eq!(storage.on_resolved(20).unwrap().len(), 1);
    storage
}

fn job(id: i64, action: u8, commit_ts: Ts, ids: &str, made: &str) -> RawKv {
    let json = format!(
        r#"{{"id":{id},"type":{action},{ids},"state":4,"query":"statement {id}","binlog":{{"SchemaVersion":{id},{made}}}}}"#
    );
    let mut key = vec![b'm'];
    memcomparable::put_bytes(&mut key, b"DDLJobList");
    key.extend_from_slice(&u64::from(b'l').to_be_bytes());
    memcomparable::put_i64(&mut key, 0);
    RawKv {
        op: Op::Put,
        key: key.into(),
        value: json.into(),
        old_value: Bytes::new(),
        start_ts: commit_ts - 1,
        commit_ts,
    }
}

/// The job that leaves table `id` with this name; with a key unless it is called `nopk`.
fn table_job(job_id: i64, action: u8, commit_ts: Ts, id: i64, name: &str) -> RawKv {
    let flag = if name == "nopk" { 0 } else { 3 };
    let made = format!(
        r#""TableInfo":{{"id":{id},"name":{{"O":"{name}","L":"{name}"}},"state":5,"pk_is_handle":{},
        "cols":[{{"id":1,"name":{{"O":"id","L":"id"}},"state":5,"type":{{"Tp":3,"Flag":{flag}}}}}]}}"#,
        flag == 3
    );
    job(
        job_id,
        action,
        commit_ts,
        &format!(r#""schema_id":1,"table_id":{id}"#),
        &made,
    )
}

fn names(tables: &[std::sync::Arc<TableInfo>]) -> Vec<&str> {
    tables.iter().map(|table| table.name.as_str()).collect()
}

const CREATE: u8 = 3;
const DROP: u8 = 4;
const RENAME: u8 = 14;
const ADD_COLUMN: u8 = 5;

#[test]
fn jobs_apply_by_commit_ts_once_they_are_complete() {
    let mut storage = storage();
    // Told in another order than committed, and twice.
    for kv in [
        table_job(103, RENAME, 50, 7, "b"),
        table_job(101, CREATE, 30, 7, "a"),
        table_job(101, CREATE, 30, 7, "a"),
        table_job(102, CREATE, 40, 8, "c"),
    ] {
        storage.on_kv(&kv).unwrap();
    }
    let queries = |events: Vec<DdlEvent>| {
        events
            .into_iter()
            .map(|event| event.query)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        queries(storage.on_resolved(45).unwrap()),
        ["statement 101", "statement 102"]
    );
    assert_eq!(names(&storage.tables(45)), ["a", "c"]);
    assert_eq!(queries(storage.on_resolved(60).unwrap()), ["statement 103"]);
    assert_eq!(storage.resolved_ts(), 60);
    // A job that had been resolved before changes nothing.
    assert!(!storage.on_kv(&table_job(104, DROP, 55, 7, "b")).unwrap());
    assert!(storage.on_resolved(70).unwrap().is_empty());
}

#[test]
fn every_version_is_kept_until_collected() {
    let mut storage = storage();
    for kv in [
        table_job(101, CREATE, 30, 7, "a"),
        table_job(102, RENAME, 40, 7, "b"),
        table_job(103, DROP, 50, 7, "b"),
    ] {
        storage.on_kv(&kv).unwrap();
    }
    storage.on_resolved(60).unwrap();
    let name = |storage: &SchemaStorage, ts| storage.table(7, ts).map(|table| table.name.clone());
    assert_eq!(name(&storage, 29), None);
    assert_eq!(name(&storage, 30).as_deref(), Some("a"));
    assert_eq!(name(&storage, 39).as_deref(), Some("a"));
    assert_eq!(name(&storage, 40).as_deref(), Some("b"));
    assert_eq!(name(&storage, 50), None);
    storage.gc(45);
    assert_eq!(name(&storage, 39), None);
    assert_eq!(name(&storage, 45).as_deref(), Some("b"));
    storage.gc(60);
    assert!(storage.versions.is_empty() && storage.seen.is_empty());
}

#[test]
fn events_say_which_ids_come_and_go() {
    let mut storage = storage();
    storage.on_kv(&table_job(101, CREATE, 30, 7, "a")).unwrap();
    storage.on_kv(&table_job(102, DROP, 40, 7, "a")).unwrap();
    let events = storage.on_resolved(50).unwrap();
    assert_eq!(
        (&events[0].created[..], &events[0].dropped[..]),
        (&[7][..], &[][..])
    );
    assert_eq!(
        (&events[1].created[..], &events[1].dropped[..]),
        (&[][..], &[7][..])
    );
    assert_eq!(events[1].table, "a");
}

#[test]
fn old_versions_never_take_back_a_table_without_a_key() {
    let mut storage = storage();
    storage
        .on_kv(&table_job(101, CREATE, 30, 7, "nopk"))
        .unwrap();
    storage
        .on_kv(&table_job(102, ADD_COLUMN, 40, 7, "a"))
        .unwrap();
    let events = storage.on_resolved(50).unwrap();
    let verdicts: Vec<_> = events.iter().map(|event| event.verdict(false)).collect();
    assert_eq!(verdicts, [Verdict::Skip, Verdict::Skip]);
    assert!(
        events
            .iter()
            .all(|event| event.verdict(true) == Verdict::Emit)
    );
}

#[test]
fn old_versions_tell_of_the_drop_of_a_table_without_a_key() {
    let mut storage = storage();
    storage
        .on_kv(&table_job(101, CREATE, 30, 7, "nopk"))
        .unwrap();
    storage.on_kv(&table_job(102, DROP, 40, 7, "nopk")).unwrap();
    let mut events = storage.on_resolved(50).unwrap();
    for (compat, of_drop) in [
        (Compat::V4_0_9, Verdict::Emit),
        (Compat::V6_5, Verdict::Emit),
        (Compat::V8_5, Verdict::Skip),
    ] {
        let verdicts = events.iter_mut().map(|event| {
            event.compat = compat;
            event.verdict(false)
        });
        assert_eq!(verdicts.collect::<Vec<_>>(), [Verdict::Skip, of_drop]);
    }
}

#[test]
fn a_table_that_loses_its_key_is_left_out_before_v8_5() {
    let mut storage = storage();
    storage.on_kv(&table_job(101, CREATE, 30, 7, "a")).unwrap();
    storage
        .on_kv(&table_job(102, ADD_COLUMN, 40, 7, "nopk"))
        .unwrap();
    let mut event = storage.on_resolved(50).unwrap().remove(1);
    for (compat, verdict) in [
        (Compat::V4_0_9, Verdict::Skip),
        (Compat::V6_5, Verdict::Skip),
        (Compat::V8_5, Verdict::BecomesIneligible),
    ] {
        event.compat = compat;
        assert_eq!(event.verdict(false), verdict, "{compat}");
    }
}

/// With no rule at all: v6.5 looks at the text of each statement but those about partitions, in its own SQL mode.
#[test]
fn a_statement_that_v6_5_cannot_read_ends_a_changefeed() {
    let mut storage = storage();
    storage.on_kv(&table_job(101, CREATE, 30, 7, "a")).unwrap();
    let mut event = storage.on_resolved(50).unwrap().remove(0);
    event.query = r#"create table "a" ("id" int primary key)"#.to_owned();
    let drops = |event: &DdlEvent, compat| {
        let filters = EventFilters::new(None, compat, TimeZone::UTC).unwrap();
        filters.drop_ddl(event).map_err(|error| error.code())
    };
    let unreadable = Err(Code::ErrConvertDDLToEventTypeFailed);
    for (compat, expected) in [
        (Compat::V4_0_9, Ok(false)),
        (Compat::V6_5, unreadable),
        (Compat::V8_5, Ok(false)),
    ] {
        event.compat = compat;
        assert_eq!(drops(&event, compat), expected, "{compat}");
    }
    event.action = Action::ADD_TABLE_PARTITION;
    assert_eq!(drops(&event, Compat::V6_5), Ok(false));
}

/// By a table's old name, or in v6.5 by its new one.
#[test]
fn a_rename_is_filtered_by_one_of_its_names() {
    const RENAME: u8 = 14;
    let mut storage = storage();
    for kv in [
        table_job(101, CREATE, 30, 7, "a"),
        table_job(102, RENAME, 40, 7, "b"),
    ] {
        storage.on_kv(&kv).unwrap();
    }
    let mut event = storage.on_resolved(50).unwrap().remove(1);
    event.query = "rename table d.a to d.b".to_owned();
    for (compat, table, expected) in [
        (Compat::V6_5, "d.a", false),
        (Compat::V6_5, "d.b", true),
        (Compat::V8_5, "d.a", true),
        (Compat::V8_5, "d.b", false),
    ] {
        let rule = EventFilterRule {
            matcher: vec![table.to_owned()],
            ignore_event: vec!["rename table".to_owned()],
            ..EventFilterRule::default()
        };
        let filters = EventFilters::new(Some(&[rule]), compat, TimeZone::UTC).unwrap();
        event.compat = compat;
        assert_eq!(
            filters.drop_ddl(&event).unwrap(),
            expected,
            "{compat} {table}"
        );
    }
}

#[test]
fn a_job_about_an_unknown_table_is_an_error() {
    let mut storage = storage();
    storage.on_kv(&table_job(101, DROP, 30, 7, "a")).unwrap();
    let error = storage.on_resolved(30).unwrap_err().to_string();
    assert!(
        error.starts_with("[CDC:ErrSnapshotTableNotFound]table 7 not found"),
        "{error}"
    );
}

#[test]
fn a_current_cluster_has_a_table_of_jobs() {
    let error = load(Compat::V8_5).unwrap_err().to_string();
    assert!(error.contains("mysql.tidb_ddl_job"), "{error}");
}

#[test]
fn broken_jobs_are_errors() {
    let mut storage = storage();
    let mut kv = table_job(101, CREATE, 30, 7, "a");
    kv.value = Bytes::from_static(b"{\"id\":");
    assert!(
        storage
            .on_kv(&kv)
            .unwrap_err()
            .to_string()
            .starts_with("decode a DDL job: ")
    );
}

#[test]
fn spans_hold_the_keys_of_jobs() {
    let key = job(1, CREATE, 30, r#""schema_id":1"#, r#""x":1"#).key;
    let holds = |compat| ddl_spans(compat).iter().any(|span| span.contains(&key));
    assert!(holds(Compat::V4_0_9) && holds(Compat::V6_5) && !holds(Compat::V8_5));
    let row = hex::decode("748000fffffffffffe5f728000000000000071").unwrap();
    let holds = |compat| ddl_spans(compat).iter().any(|span| span.contains(&row));
    assert!(!holds(Compat::V4_0_9) && holds(Compat::V6_5) && holds(Compat::V8_5));
}

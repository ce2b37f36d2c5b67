//! Event filters over tables and rows.

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::EventFilters;
use crate::{
    coded::Coded,
    compat::Compat,
    config::replica::EventFilterRule,
    model::{Op, RawKv},
    mount::{Mounter, SplitRule, TextRules, key},
    schema::TableInfo,
};

/// `test.NAME (id INT PRIMARY KEY, v INT)` of id 1.
fn table(name: &str) -> TableInfo {
    let column = |id: i64, name: &str, flag: u32| {
        serde_json::json!({
            "id": id, "name": {"O": name, "L": name}, "offset": id - 1, "state": 5,
            "type": {"Tp": 3, "Flag": flag, "Flen": 11, "Charset": "binary", "Collate": "binary"},
        })
    };
    let model = serde_json::json!({
        "id": 1, "name": {"O": name, "L": name}, "pk_is_handle": true, "state": 5,
        "cols": [column(1, "id", 3), column(2, "v", 0)],
    });
    TableInfo::new(
        1,
        "test",
        1,
        &serde_json::from_value(model).unwrap(),
        Compat::V8_5,
    )
}

fn rule() -> EventFilterRule {
    EventFilterRule {
        matcher: vec!["test.*".to_owned()],
        ..EventFilterRule::default()
    }
}

fn filters(rule: EventFilterRule) -> Result<EventFilters, Coded> {
    EventFilters::new(Some(&[rule]), Compat::V8_5, TimeZone::UTC)
}

fn change(id: i64, value: Option<u8>, old: Option<u8>) -> RawKv {
    // Row format v2 with one column of one byte, by its id.
    let row = |v: u8| Bytes::from(vec![128, 0, 1, 0, 0, 0, 2, 1, 0, v]);
    let mut key = key::row_range(1).0.to_vec();
    key.extend((id as u64 ^ (1 << 63)).to_be_bytes());
    RawKv {
        op: match value {
            Some(_) => Op::Put,
            None => Op::Delete,
        },
        key: key.into(),
        value: value.map(row).unwrap_or_default(),
        old_value: old.map(row).unwrap_or_default(),
        start_ts: 1,
        commit_ts: 2,
    }
}

fn mounter() -> Mounter {
    Mounter {
        text: TextRules {
            time_zone: TimeZone::UTC,
            release: Compat::V8_5.into(),
        },
        split: SplitRule::Split { from: 1 },
    }
}

fn dropped(filters: &EventFilters, change: &RawKv) -> Result<bool, Coded> {
    let table = table("t");
    let event = mounter().mount(change, &table).unwrap().unwrap();
    match filters.of_rows(&table) {
        Some(rows) => rows.drop_row(&event),
        None => Ok(false),
    }
}

#[test]
fn an_update_is_dropped_for_its_old_row_or_its_new_one() {
    let filters = filters(EventFilterRule {
        ignore_insert_value_expr: "v > 50".to_owned(),
        ignore_update_old_value_expr: "v = 7".to_owned(),
        ignore_update_new_value_expr: "v = 9".to_owned(),
        ignore_delete_value_expr: "id = 5".to_owned(),
        ..rule()
    })
    .unwrap();
    for (id, value, old, expected) in [
        (1, Some(51), None, true),
        (1, Some(50), None, false),
        (1, Some(1), Some(7), true),
        (1, Some(9), Some(1), true),
        (1, Some(7), Some(9), false),
        (1, Some(60), Some(60), false),
        (5, None, Some(1), true),
        (6, None, Some(7), false),
    ] {
        let change = change(id, value, old);
        assert_eq!(
            dropped(&filters, &change),
            Ok(expected),
            "{id} {value:?} {old:?}"
        );
    }
}

#[test]
fn kinds_of_rows_and_tables() {
    let delete = |matcher: &str| {
        filters(EventFilterRule {
            matcher: vec![matcher.to_owned()],
            ignore_event: vec!["delete".to_owned(), "truncate table".to_owned()],
            ..EventFilterRule::default()
        })
        .unwrap()
    };
    let gone = change(1, None, Some(1));
    assert_eq!(dropped(&delete("test.*"), &gone), Ok(true));
    assert_eq!(
        dropped(&delete("test.*"), &change(1, Some(1), None)),
        Ok(false)
    );
    // A matcher has regard to case, and without one nothing matches.
    assert_eq!(dropped(&delete("TEST.*"), &gone), Ok(false));
    let nothing = EventFilterRule {
        matcher: Vec::new(),
        ..rule()
    };
    assert!(filters(nothing).unwrap().of_rows(&table("t")).is_none());
}

#[test]
fn conditions_are_checked_whether_or_not_a_table_matches() {
    let with = |text: &str| EventFilterRule {
        matcher: vec!["other.*".to_owned()],
        ignore_delete_value_expr: text.to_owned(),
        ..EventFilterRule::default()
    };
    let (t, u) = (table("t"), table("u"));
    let both = [&t, &u];
    let error = filters(with("id >"))
        .unwrap()
        .verify(both)
        .unwrap_err()
        .to_string();
    let expected = "[CDC:ErrInvalidFilterExpression]invalid filter expressions. There is a syntax error in: 'id >'";
    assert!(error.starts_with(expected), "{error}");
    // What cannot be evaluated needs a table.
    assert_eq!(filters(with("sleep(nope)")).unwrap().verify(both), Ok(()));
    let here = |text: &str| EventFilterRule {
        ignore_delete_value_expr: text.to_owned(),
        ..rule()
    };
    let error = filters(here("id = 1 and w = 2"))
        .unwrap()
        .verify(both)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "[CDC:ErrExpressionColumnNotFound]invalid filter expression(s). Cannot find column 'w' from table 'test.t' in: \
         id = 1 and w = 2"
    );
    let error = filters(here("id = uuid_short()"))
        .unwrap()
        .verify(both)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("[CDC:ErrUnsupportedByPipeline]")
            && error.contains("UUID_SHORT() in ignore-delete-value-expr = 'id = uuid_short()' for the table test.t"),
        "{error}"
    );
}

#[test]
fn rules_that_are_none() {
    let refused = |rule: EventFilterRule| filters(rule).unwrap_err().to_string();
    let of = |events: &[&str], sql: &[&str], matcher: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        EventFilterRule {
            matcher: owned(matcher),
            ignore_event: owned(events),
            ignore_sql: owned(sql),
            ..EventFilterRule::default()
        }
    };
    assert_eq!(
        refused(of(&["nope"], &[], &[])),
        "[CDC:ErrInvalidIgnoreEventType]invalid ignore event type: 'nope'"
    );
    assert_eq!(
        refused(of(&[], &[], &["a.b", "test"])),
        "[CDC:ErrFilterRuleInvalid]filter rule is invalid [a.b test]: at <cmdline>:1: wrong table pattern"
    );
    let error = refused(of(&[], &["^drop", "["], &[]));
    let expected = "[CDC:ErrFilterRuleInvalid]filter rule is invalid failed to create binlog event filter: compile regular \
                    expression [^drop []: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_column_that_is_gone_is_missed_when_a_row_needs_it() {
    let filters = filters(EventFilterRule {
        ignore_insert_value_expr: "w = 1".to_owned(),
        ..rule()
    })
    .unwrap();
    assert_eq!(dropped(&filters, &change(1, None, Some(1))), Ok(false));
    let error = dropped(&filters, &change(1, Some(1), None)).unwrap_err();
    assert!(crate::changefeed::lifecycle::is_fatal(&error), "{error}");
}

#[test]
fn the_rest_of_an_update_is_not_judged_again() {
    let table = table("t");
    let mut rest = change(1, Some(1), None);
    let kept = |kv: &RawKv| {
        let events = mounter().mount_txn_of([kv], &table, |_| Ok::<_, Coded>(false));
        events.unwrap().len()
    };
    assert_eq!(kept(&rest), 0);
    rest.op = Op::Rest;
    assert_eq!(kept(&rest), 1);
}

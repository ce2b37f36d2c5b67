use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tidb::catalog::Zone;
use crate::tidb::catalog::model::{CiStr, ColumnInfo, PartitionDefinition, Tp};
use crate::tidb::codec::Time;

/// A table of one column `c` and these partitions: names, bounds, values.
fn table(
    column: (Tp, &str),
    kind: PartitionType,
    expr: Option<&str>,
    definitions: &[(&[&str], &[&[&str]])],
) -> Partitioning {
    let (tp, collate) = column;
    let charset = collate.split('_').next().unwrap_or_default();
    let info: ColumnInfo = serde_json::from_value(json!({
        "id": 1, "name": {"O": "c", "L": "c"}, "offset": 0, "origin_default": null, "default": null,
        "default_bit": null, "default_is_expr": false, "generated_expr_string": "", "generated_stored": false,
        "dependences": null, "state": 5, "comment": "", "hidden": false, "version": 2,
        "type": {"Tp": tp as u8, "Flag": 0, "Flen": 20, "Decimal": 0, "Charset": charset, "Collate": collate}
    }))
    .unwrap();
    let version = TidbVersion::V8_5;
    let mut out = TableInfo::new(version, 7, CiStr::new("t"), String::new(), String::new());
    out.columns.push(info);
    let mut partition = PartitionInfo::new(version, kind);
    match expr {
        Some(expr) => partition.expr = expr.to_owned(),
        None => partition.columns = Some(vec![CiStr::new("c")]),
    }
    for (n, (bounds, values)) in definitions.iter().enumerate() {
        let mut definition = PartitionDefinition::new(version, CiStr::new(format!("p{n}")));
        definition.id = 100 + n as i64;
        let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        if !bounds.is_empty() {
            definition.less_than = Some(texts(bounds));
        }
        if !values.is_empty() {
            definition.in_values = Some(Some(values.iter().map(|v| texts(v)).collect()));
        }
        partition.definitions.push(definition);
    }
    out.partition = Some(partition);
    Partitioning::of(&Arc::new(out)).unwrap().unwrap()
}

const INT: (Tp, &str) = (Tp::Long, "binary");
const TEXT: (Tp, &str) = (Tp::Varchar, "utf8mb4_bin");
const DATE: (Tp, &str) = (Tp::Date, "binary");

fn id(partitioning: &Partitioning, value: Datum) -> Option<i64> {
    partitioning.locate(&[value]).ok().map(|table| table.id)
}

#[test]
fn ranges_end_below_their_bound_and_null_is_lowest() {
    let by = table(
        INT,
        PartitionType::Range,
        Some("`c`"),
        &[(&["10"], &[]), (&["20"], &[])],
    );
    for (value, place) in [(-5, Some(100)), (9, Some(100)), (10, Some(101)), (20, None)] {
        assert_eq!(id(&by, Datum::Int(value)), place, "{value}");
    }
    assert_eq!(id(&by, Datum::Null), Some(100));
    let by = table(
        INT,
        PartitionType::Range,
        Some("`c`"),
        &[(&["MAXVALUE"], &[])],
    );
    assert_eq!(id(&by, Datum::Int(i64::MAX)), Some(100));
}

#[test]
fn ranges_of_columns_compare_as_the_columns_do() {
    let by = table(
        TEXT,
        PartitionType::Range,
        None,
        &[(&["'b'"], &[]), (&["'d'"], &[]), (&["MAXVALUE"], &[])],
    );
    for (value, place) in [("a", 100), ("b", 101), ("b ", 101), ("cc", 101), ("d", 102)] {
        let value = Datum::Bytes(value.into());
        assert_eq!(id(&by, value), Some(place));
    }
    assert_eq!(id(&by, Datum::Null), Some(100));
    let by = table(
        DATE,
        PartitionType::Range,
        None,
        &[(&["'2024-01-01'"], &[]), (&["'2025-01-01'"], &[])],
    );
    let date = |text: &str| Datum::Time(Time::parse(text).unwrap());
    assert_eq!(id(&by, date("2023-12-31")), Some(100));
    assert_eq!(id(&by, date("2024-01-01")), Some(101));
    assert_eq!(id(&by, date("2025-01-01")), None);
}

#[test]
fn lists_take_their_values_null_and_the_rest() {
    let by = table(
        INT,
        PartitionType::List,
        Some("`c`"),
        &[(&[], &[&["1"], &["NULL"]]), (&[], &[&["DEFAULT"]])],
    );
    for (value, place) in [
        (Datum::Int(1), 100),
        (Datum::Null, 100),
        (Datum::Int(2), 101),
    ] {
        assert_eq!(id(&by, value), Some(place));
    }
    let by = table(
        TEXT,
        PartitionType::List,
        None,
        &[(&[], &[&["'a'"], &["NULL"]])],
    );
    assert_eq!(id(&by, Datum::Bytes(b"a ".to_vec())), Some(100));
    assert_eq!(id(&by, Datum::Null), Some(100));
    assert_eq!(id(&by, Datum::Bytes(b"b".to_vec())), None);
}

/// The partitions that a real TiDB chose (golden/ticdc, v8.4/partition).
#[test]
fn keys_go_where_a_real_tidb_put_them() {
    for (count, text, place) in [
        (4, "a", 3),
        (4, "b", 1),
        (4, "c", 3),
        (6, "b", 5),
        (6, "c", 3),
        (5, "b", 1),
        (5, "c", 0),
    ] {
        let definitions: Vec<(&[&str], &[&[&str]])> = vec![(&[], &[]); count];
        let by = table(TEXT, PartitionType::Key, None, &definitions);
        assert_eq!(
            id(&by, Datum::Bytes(text.into())),
            Some(100 + place),
            "{text} of {count}"
        );
    }
}

#[test]
fn functions_of_dates() {
    let definitions: Vec<(&[&str], &[&[&str]])> = vec![(&[], &[]); 1000];
    let by = |expr: &str| table(DATE, PartitionType::Hash, Some(expr), &definitions);
    let date = || Datum::Time(Time::parse("2024-05-17").unwrap());
    for (expr, value) in [
        ("YEAR(`c`)", 24),
        ("MONTH(`c`)", 5),
        ("DAY(`c`)", 17),
        ("(TO_DAYS(`c`) - 739000)", 388),
        ("QUARTER(`c`)", 2),
        ("WEEKDAY(`c`)", 4),
        ("DAYOFYEAR(`c`)", 138),
        ("EXTRACT(YEAR_MONTH FROM `c`)", 405),
        ("DATEDIFF(`c`, '2024-05-01')", 16),
        ("(-YEAR(`c`) DIV 2)", 12),
        ("(YEAR(`c`) % 100)", 24),
    ] {
        assert_eq!(id(&by(expr), date()), Some(100 + value), "{expr}");
    }
    assert_eq!(id(&by("YEAR(`c`)"), Datum::Null), Some(100));
}

#[test]
fn what_tidb_refuses_is_refused() {
    let by = table(DATE, PartitionType::Hash, Some("YEAR(`c`)"), &[(&[], &[])]);
    let of = |text: &str| {
        let tree = tidb_sql::parse_expr(text, &options(TidbVersion::V8_5)).unwrap();
        Node::compile(&tree, &by.table).unwrap_err()
    };
    assert_eq!(of("x"), ExprError::UnknownColumn("x".to_owned()));
    assert_eq!(of("c"), ExprError::ColumnType("c".to_owned()));
    assert_eq!(of("1"), ExprError::WrongArgument);
    assert_eq!(of("sin(c)"), ExprError::NotAllowed);
    assert_eq!(of("unix_timestamp(c)"), ExprError::WrongArgument);
    assert_eq!(of("hour(c)"), ExprError::WrongArgument);
    assert_eq!(of("year(c) / 2"), ExprError::NotAllowed);
}

proptest! {
    /// Every number has its place, whatever its sign.
    #[test]
    fn hashes_are_remainders(value: i64, count in 1..50_usize) {
        let definitions: Vec<(&[&str], &[&[&str]])> = vec![(&[], &[]); count];
        let by = table(INT, PartitionType::Hash, Some("`c`"), &definitions);
        let place = (value % count as i64).abs();
        prop_assert_eq!(id(&by, Datum::Int(value)), Some(100 + place));
    }
}

#[test]
fn constants_are_read_in_the_sessions_time_zone() {
    let of = |text: &str, offset| {
        let zone = Zone::new("", offset);
        let tree = tidb_sql::parse_expr(text, &options(TidbVersion::V8_5)).unwrap();
        Node::constant(&tree, &zone)
    };
    let noon = "UNIX_TIMESTAMP('2024-03-01 12:00:00')";
    assert_eq!(of(noon, 0), Ok(Some(1_709_294_400)));
    assert_eq!(of(noon, 3 * 3600), Ok(Some(1_709_283_600)));
    assert_eq!(of("UNIX_TIMESTAMP('24-03-01 12:00')", 0), of(noon, 0));
    assert_eq!(of("TO_DAYS('2024-03-01') + 1", 3600), Ok(Some(739_312)));
    assert_eq!(of("-(5 * 2)", 0), Ok(Some(-10)));
    assert_eq!(of("NULL", 0), Ok(None));
    assert!(of("'x'", 0).is_err());
    let berlin = |text: &str| {
        let tree = tidb_sql::parse_expr(text, &options(TidbVersion::V8_5)).unwrap();
        Node::constant(&tree, &Zone::new("Europe/Berlin", 3600))
    };
    let summer = berlin("UNIX_TIMESTAMP('2024-07-01 12:00:00')");
    assert_eq!(summer, of("UNIX_TIMESTAMP('2024-07-01 10:00:00')", 0));
    assert!(berlin("UNIX_TIMESTAMP('2024-03-31 02:30:00')").is_err());
}

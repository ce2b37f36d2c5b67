//! Values of every type: what is written by SQL is in TiKV as SELECT shows it.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::compare_all;
use mysql_async::prelude::Queryable;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Rows written to each table.
const ROWS: usize = 150;
/// Session time zones that they are written in.
const ZONES: [&str; 4] = ["+00:00", "+08:00", "-11:30", "+05:45"];

/// Literals of a type.
type Literals = BoxedStrategy<String>;

/// A number between two, its ends more often than chance has it.
fn between(min: i128, max: i128) -> Literals {
    let edge = prop_oneof![Just(min), Just(max), Just(0.clamp(min, max))];
    prop_oneof![3 => (min..=max).boxed(), 1 => edge.boxed()]
        .prop_map(|n| n.to_string())
        .boxed()
}

fn decimal(digits: usize, scale: usize) -> Literals {
    let whole = format!("-?[0-9]{{1,{}}}", (digits - scale).max(1));
    let fraction = format!("[0-9]{{{scale}}}");
    let shown = move |(whole, fraction): (String, String)| match scale {
        0 => whole,
        n if n == digits => format!("0.{fraction}"),
        _ => format!("{whole}.{fraction}"),
    };
    let number = |pattern: &str| proptest::string::string_regex(pattern).unwrap();
    (number(&whole), number(&fraction)).prop_map(shown).boxed()
}

/// Few enough digits that a FLOAT shows them all.
fn float() -> Literals {
    let parts = (-99_999_i32..=99_999, -30_i32..=30);
    parts
        .prop_map(|(digits, e)| format!("{digits}e{e}"))
        .boxed()
}

fn double() -> Literals {
    let finite = any::<f64>().prop_filter("finite", |x| x.is_finite());
    finite.prop_map(|x| format!("{x:e}")).boxed()
}

fn fraction(fsp: usize) -> impl Strategy<Value = String> {
    (0..10_u32.pow(fsp as u32)).prop_map(move |n| match fsp {
        0 => String::new(),
        _ => format!(".{n:0fsp$}"),
    })
}

fn date(years: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = String> {
    (years, 1..=12, 1..=28).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}"))
}

fn datetime(years: std::ops::RangeInclusive<i32>, fsp: usize) -> Literals {
    let time = (0..24, 0..60, 0..60).prop_map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}"));
    (date(years), time, fraction(fsp))
        .prop_map(|(date, time, fraction)| format!("'{date} {time}{fraction}'"))
        .boxed()
}

fn time(fsp: usize) -> Literals {
    let parts = ("-?", 0..=837, 0..60, 0..60, fraction(fsp));
    parts
        .prop_map(|(sign, h, m, s, fraction)| format!("'{sign}{h:02}:{m:02}:{s:02}{fraction}'"))
        .boxed()
}

/// A string of characters of a class.
fn text(class: &str, max: usize) -> Literals {
    let pattern = format!("[{class}]{{0,{max}}}");
    let quoted = |text: String| {
        let escaped = text.replace('\\', "\\\\").replace('\'', "''");
        format!("'{}'", escaped.replace('\0', "\\0"))
    };
    proptest::string::string_regex(&pattern)
        .unwrap()
        .prop_map(quoted)
        .boxed()
}

fn bytes(max: usize) -> Literals {
    proptest::collection::vec(any::<u8>(), 0..=max)
        .prop_map(|bytes| format!("x'{}'", hex::encode(bytes)))
        .boxed()
}

fn json() -> Literals {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        "\"[a-zé中]{0,6}\"",
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        let array = proptest::collection::vec(inner.clone(), 0..4);
        let object = proptest::collection::vec(("[a-z]{0,3}", inner), 0..4);
        let member = |(key, value)| format!("\"{key}\":{value}");
        prop_oneof![
            array.prop_map(|items| format!("[{}]", items.join(","))),
            object.prop_map(move |members| {
                let members: Vec<String> = members.into_iter().map(member).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    });
    value.prop_map(|json| format!("'{json}'")).boxed()
}

/// Columns of every type with literals of it.
fn columns(version: &str) -> Vec<(&'static str, Literals)> {
    const PLAIN: &str = "a-zA-Z0-9 '\\\\%_\u{1}-\u{7f}";
    const WIDE: &str = "a-z '\u{a0}-\u{d7ff}\u{e000}-\u{fffd}\u{1f300}-\u{1f5ff}";
    const THREE: &str = "A-z\u{a0}-\u{d7ff}";
    const CHINESE: &str = "a-z ?一-龥，。";
    let mut out = vec![
        ("tinyint", between(-128, 127)),
        ("tinyint unsigned", between(0, 255)),
        ("smallint", between(i16::MIN.into(), i16::MAX.into())),
        ("smallint unsigned", between(0, u16::MAX.into())),
        ("mediumint", between(-(1 << 23), (1 << 23) - 1)),
        ("mediumint unsigned", between(0, (1 << 24) - 1)),
        ("int", between(i32::MIN.into(), i32::MAX.into())),
        ("int unsigned", between(0, u32::MAX.into())),
        ("bigint", between(i64::MIN.into(), i64::MAX.into())),
        ("bigint unsigned", between(0, u64::MAX.into())),
        ("decimal(10,2)", decimal(10, 2)),
        ("decimal(65,30)", decimal(65, 30)),
        ("decimal(9,0)", decimal(9, 0)),
        ("decimal(5,5)", decimal(5, 5)),
        ("decimal(20,9)", decimal(20, 9)),
        ("float", float()),
        ("double", double()),
        ("bit(1)", between(0, 1)),
        ("bit(17)", between(0, (1 << 17) - 1)),
        ("bit(64)", between(0, u64::MAX.into())),
        ("enum('a','b''c','','乙','d\\\\e')", between(1, 5)),
        ("set('x','y z','w','乙')", between(0, 15)),
        ("year", between(1901, 2155)),
        (
            "date",
            date(1000..=9999)
                .prop_map(|date| format!("'{date}'"))
                .boxed(),
        ),
        ("datetime", datetime(1000..=9999, 0)),
        ("datetime(3)", datetime(1000..=9999, 3)),
        ("datetime(6)", datetime(1000..=9999, 6)),
        ("timestamp null", datetime(1971..=2037, 0)),
        ("timestamp(1) null", datetime(1971..=2037, 1)),
        ("timestamp(6) null", datetime(1971..=2037, 6)),
        ("time", time(0)),
        ("time(1)", time(1)),
        ("time(4)", time(4)),
        ("time(6)", time(6)),
        ("char(10)", text(PLAIN, 10)),
        ("char(200) charset utf8mb4", text(WIDE, 60)),
        ("varchar(30) collate utf8mb4_general_ci", text(WIDE, 30)),
        ("varchar(30) collate utf8mb4_unicode_ci", text(WIDE, 30)),
        ("varchar(30) charset utf8", text(THREE, 30)),
        ("varchar(30) charset latin1", text("a-zß-ÿ", 15)),
        ("varchar(30) charset ascii", text(PLAIN, 30)),
        ("text", text(WIDE, 100)),
        ("longtext", text(WIDE, 300)),
        ("binary(7)", bytes(7)),
        ("varbinary(300)", bytes(300)),
        ("blob", bytes(300)),
        ("json", json()),
    ];
    if version != OLD {
        out.extend([
            ("varchar(30) charset gbk", text(CHINESE, 30)),
            ("char(9) charset gbk collate gbk_bin", text(CHINESE, 9)),
            ("text charset gbk", text(CHINESE, 60)),
            ("varchar(20) collate utf8mb4_0900_ai_ci", text(CHINESE, 20)),
            ("varchar(20) collate utf8mb4_0900_bin", text(WIDE, 20)),
        ]);
    }
    out
}

const NEW: &str = "v8.5.3";
const OLD: &str = "v4.0.9";

async fn values_are_in_tikv_as_select_shows_them(version: &'static str) {
    let columns = columns(version);
    let mut runner = TestRunner::default();
    let mut cluster = Cluster::start(version).await;
    let mut conn = cluster.sql().await;
    let client = cluster.client().await;
    let definitions: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, (definition, _))| format!("c{i} {definition}"))
        .collect();
    // With a clustered key, and without.
    for (table, key) in [("clustered", "primary key"), ("rows", "unique")] {
        let create = format!(
            "create table `{table}` (id int {key}, {})",
            definitions.join(", ")
        );
        conn.query_drop(create).await.unwrap();
        for id in 0..ROWS {
            let zone = ZONES[id % ZONES.len()];
            conn.query_drop(format!("set time_zone = '{zone}'"))
                .await
                .unwrap();
            let mut literal = |literals: &Literals| {
                let null = (0..10_u8).new_tree(&mut runner).unwrap().current() == 0;
                let value = literals.new_tree(&mut runner).unwrap().current();
                if null { "NULL".to_owned() } else { value }
            };
            let values: Vec<String> = columns.iter().map(|(_, l)| literal(l)).collect();
            let insert = format!("insert into `{table}` values ({id}, {})", values.join(", "));
            conn.query_drop(&insert)
                .await
                .unwrap_or_else(|e| panic!("{insert}: {e}"));
            if id % 3 == 0 {
                // Another value takes the place of each third one.
                let sets = columns.iter().enumerate().skip(id % 2).step_by(3);
                let sets: Vec<String> = sets
                    .map(|(i, (_, l))| format!("c{i} = {}", literal(l)))
                    .collect();
                let update = format!("update `{table}` set {} where id = {id}", sets.join(", "));
                conn.query_drop(&update)
                    .await
                    .unwrap_or_else(|e| panic!("{update}: {e}"));
            }
        }
    }
    // In which TiKV has TIMESTAMPs.
    conn.query_drop("set time_zone = '+00:00'").await.unwrap();
    let rows = compare_all(&mut conn, &client, version).await;
    assert!(rows.values().all(|rows| rows.len() == ROWS));
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_8_5() {
    values_are_in_tikv_as_select_shows_them(NEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_of_4_0() {
    values_are_in_tikv_as_select_shows_them(OLD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_no_row_can_hold_are_refused() {
    for version in [NEW, OLD] {
        let mut cluster = Cluster::start(version).await;
        let mut conn = cluster.sql().await;
        conn.query_drop("create table t (id int primary key, c longtext, b mediumblob)")
            .await
            .unwrap();
        for sql in [
            "insert into t values (1, repeat('é', 3145729), '')",
            "insert into t values (1, '', repeat('b', 6291457))",
        ] {
            match conn.query_drop(sql).await {
                Err(mysql_async::Error::Server(error)) => assert_eq!(error.code, 8025, "{error}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
        conn.query_drop("insert into t values (1, repeat('é', 3000000), 'b')")
            .await
            .unwrap();
        conn.disconnect().await.unwrap();
        cluster.verify().await;
    }
}

//! Conditions of event filters against a second opinion: random expressions over random rows, evaluated by the pipeline on
//! what TiKV holds, and by SQL on the embedded TiDB, whose engine is MariaDB's.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::tz::TimeZone;
use pipeline::{
    changefeed::snapshot::schema_at,
    compat::Compat,
    filter::expr::{CompileError, Expr},
    model::{Op, RawKv, Span},
    mount::{Mounter, SplitRule, TextRules, Value, key},
    upstream::Upstream,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRng, TestRunner},
};

use super::cluster::{Cluster, block};

const ROWS: usize = 60;
const EXPRESSIONS: usize = 1500;

const TABLE: &str = "create table e (id int primary key, i int, u bigint unsigned, d decimal(10,3), f double, \
    s varchar(10) collate utf8mb4_bin, c varchar(10) collate utf8mb4_general_ci, k enum('x','y','z'), \
    dt datetime(3), da date, t time, y year, n int)";

/// A row in SQL.
fn row() -> impl Strategy<Value = String> {
    let nullable =
        |value: BoxedStrategy<String>| prop_oneof![6 => value, 1 => Just("null".to_owned())];
    let text = || "'[abAB ]{0,3}[äÄb]?'".prop_map(|text: String| text).boxed();
    (
        nullable((-9_i32..10).prop_map(|n| n.to_string()).boxed()),
        nullable((0_u32..20).prop_map(|n| n.to_string()).boxed()),
        nullable((-9999_i32..9999).prop_map(|n| format!("{n}e-3")).boxed()),
        nullable(
            (-40_i32..40)
                .prop_map(|n| format!("{}", f64::from(n) / 4.0))
                .boxed(),
        ),
        (nullable(text()), nullable(text())),
        nullable("'[xyz]'".boxed()),
        nullable("'2024-0[1-3]-0[1-9] 0[0-9]:[0-5]0:00\\.[05]00'".boxed()),
        nullable("'2024-0[1-3]-0[1-9]'".boxed()),
        nullable("'-?0[0-9]:[0-5]0:00'".boxed()),
        nullable("202[0-5]".boxed()),
    )
        .prop_map(|(i, u, d, f, (s, c), k, dt, da, t, y)| {
            format!("{i},{u},{d},{f},{s},{c},{k},{dt},{da},{t},{y},null")
        })
}

/// A text of the family of one column: texts of two collations are not compared.
fn text(column: &'static str) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => Just(column.to_owned()),
        1 => "'[abAB]{0,3}'",
        1 => Just("'ä'".to_owned()),
    ];
    leaf.prop_recursive(2, 6, 3, move |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("concat({a},{b})")),
            inner.clone().prop_map(|a| format!("lower({a})")),
            inner.clone().prop_map(|a| format!("upper({a})")),
            (inner.clone(), 0..4).prop_map(|(a, n)| format!("left({a},{n})")),
            (inner.clone(), 0..4).prop_map(|(a, n)| format!("right({a},{n})")),
            (inner.clone(), -3..4, 0..3)
                .prop_map(|(a, from, n)| format!("substring({a},{from},{n})")),
            inner.clone().prop_map(|a| format!("trim({a})")),
            inner.clone().prop_map(|a| format!("replace({a},'a','bb')")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("coalesce({a},{b})")),
        ]
    })
    .boxed()
}

fn number() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(vec!["i", "u", "d", "f", "y", "n"]).prop_map(str::to_owned),
        2 => (-12_i32..13).prop_map(|n| format!("({n})")),
        1 => (-90_i32..90).prop_map(|n| format!("({}.{})", n / 10, n.abs() % 10)),
        1 => text("s").prop_map(|s| format!("char_length({s})")),
        1 => text("c").prop_map(|s| format!("length({s})")),
        1 => proptest::sample::select(vec!["year", "month", "day", "hour", "minute"])
            .prop_map(|unit| format!("{unit}(dt)")),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        let operator = proptest::sample::select(vec!["+", "-", "*", "/", "%", "div"]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => inner.clone().prop_map(|a| format!("(-{a})")),
            1 => inner.clone().prop_map(|a| format!("abs({a})")),
            1 => inner.clone().prop_map(|a| format!("sign({a})")),
            1 => inner.clone().prop_map(|a| format!("floor({a})")),
            1 => inner.clone().prop_map(|a| format!("ceil({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("ifnull({a},{b})")),
            1 => (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("if({a} > 0,{b},{c})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("greatest({a},{b})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("least({a},{b})")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!(
                "case when {a} < {b} then i when n is null then 2 else d end"
            )),
        ]
    })
    .boxed()
}

fn condition() -> BoxedStrategy<String> {
    let compare = || proptest::sample::select(vec!["=", "<=>", "<>", "<", "<=", ">", ">="]);
    let of_texts = |column| {
        prop_oneof![
            (text(column), compare(), text(column))
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (text(column), "'[ab%_]{0,4}'").prop_map(|(a, b)| format!("({a} like {b})")),
            (text(column), "'[aB]%'").prop_map(|(a, b)| format!("({a} not like {b})")),
            (text(column), "'[ab]'", "'[AB]'").prop_map(|(a, b, c)| format!("({a} in ({b},{c}))")),
            text(column).prop_map(|a| format!("({a} is null)")),
        ]
    };
    let leaf = prop_oneof![
        5 => (number(), compare(), number()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("({a} between {b} and {c})")),
        1 => (number(), number(), number()).prop_map(|(a, b, c)| format!("({a} not in ({b},{c},3))")),
        1 => (number(), "'[0-9]{1,2}(\\.5)?'").prop_map(|(a, b)| format!("({a} >= {b})")),
        3 => of_texts("s"),
        3 => of_texts("c"),
        1 => (compare(), "'[xyz]'").prop_map(|(op, b)| format!("(k {op} {b})")),
        1 => (compare(), 0..4).prop_map(|(op, b)| format!("(k {op} {b})")),
        1 => (compare(), "'2024-0[1-3]-0[1-9]( 0[0-9]:[0-5]0)?'").prop_map(|(op, b)| format!("(dt {op} {b})")),
        1 => (compare(), "'2024-0[1-3]-0[1-9]'").prop_map(|(op, b)| format!("(da {op} {b})")),
        1 => compare().prop_map(|op| format!("(da {op} dt)")),
        1 => (compare(), "'-?0[0-9]:[0-5]0'").prop_map(|(op, b)| format!("(t {op} {b})")),
        1 => (compare(), "202[0-5]").prop_map(|(op, b)| format!("(y {op} {b})")),
        1 => (number(), number()).prop_map(|(a, b)| format!("((i & 3) = (u | 1)) = ({a} is null or {b})")),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("(not {a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} xor {b})")),
            inner.clone().prop_map(|a| format!("({a} is true)")),
            inner.clone().prop_map(|a| format!("({a} is not false)")),
            inner.prop_map(|a| format!("({a} is unknown)")),
        ]
    })
    .boxed()
}

/// The rows of the table from TiKV, by id.
struct Held {
    kvs: Vec<RawKv>,
}

#[test]
fn conditions_hold_where_sql_says_so() {
    let cluster = Cluster::start("v8.5.3", "v8.5");
    cluster.sql(TABLE);
    let rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let rows: Vec<String> = (1..=ROWS)
        .map(|id| format!("({id},{})", row().new_tree(&mut runner).unwrap().current()))
        .collect();
    cluster.answers(&format!("insert into e values {}", rows.join(",")));

    let pd = vec![format!("http://127.0.0.1:{}", cluster.pd)];
    let (schema, ts, kvs) = block(async move {
        let upstream = Upstream::connect(&pd).await.unwrap();
        let ts = upstream.tso().await.unwrap();
        let schema = schema_at(&upstream, ts, Compat::V8_5).await.unwrap();
        let table = schema
            .tables(ts)
            .into_iter()
            .find(|table| table.name == "e")
            .unwrap();
        let (start, end) = key::row_range(table.id);
        let rows = upstream.snapshot(ts).scan(Span::new(start, end));
        (schema, ts, rows.collect().await.unwrap())
    });
    let table = schema
        .tables(ts)
        .into_iter()
        .find(|table| table.name == "e")
        .unwrap();
    let held = Held {
        kvs: kvs
            .into_iter()
            .map(|(key, value)| RawKv {
                op: Op::Put,
                key,
                value,
                old_value: Bytes::new(),
                start_ts: 1,
                commit_ts: 2,
            })
            .collect(),
    };
    assert_eq!(held.kvs.len(), ROWS);
    let mounter = Mounter {
        text: TextRules {
            time_zone: TimeZone::UTC,
            release: Compat::V8_5.into(),
        },
        split: SplitRule::Keep,
    };
    let mounted: Vec<Vec<Value<'_>>> = held
        .kvs
        .iter()
        .map(|kv| mounter.mount(kv, &table).unwrap().unwrap().new.unwrap())
        .collect();

    let expressions: Vec<String> = (0..EXPRESSIONS)
        .map(|_| condition().new_tree(&mut runner).unwrap().current())
        .collect();
    // Constants among themselves are compared as a TiCDC server's own session does it.
    let collation = "set names utf8mb4 collate utf8mb4_bin;\n".to_owned();
    let questions: String = expressions
        .iter()
        .enumerate()
        .map(|(at, text)| {
            format!("select {at}, group_concat(id order by id) from e where {text};\n")
        })
        .fold(collation, |all, one| all + &one);
    let answers: HashMap<usize, String> = cluster
        .answers(&questions)
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(at, ids)| (at.parse().unwrap(), ids.replace("NULL", "")))
        .collect();

    let (mut compared, mut without, mut refused, mut wrong) = (0, 0, 0, Vec::new());
    for (at, text) in expressions.iter().enumerate() {
        let expr = match Expr::new(text, &table, &TimeZone::UTC, Compat::V6_5) {
            Ok(expr) => expr,
            Err(CompileError::Unsupported { .. }) => {
                refused += 1;
                continue;
            }
            Err(error) => panic!("{text}: {error}"),
        };
        let verdicts: Result<Vec<bool>, _> = mounted.iter().map(|row| expr.is_one(row)).collect();
        let (Ok(verdicts), Some(theirs)) = (verdicts, answers.get(&at)) else {
            without += 1;
            continue;
        };
        let ours: Vec<String> = (1..=ROWS)
            .zip(verdicts)
            .filter(|(_, holds)| *holds)
            .map(|(id, _)| id.to_string())
            .collect();
        compared += 1;
        if ours.join(",") != *theirs {
            wrong.push(format!(
                "{text}\n    ours {}\n    SQL  {theirs}",
                ours.join(",")
            ));
        }
    }
    println!(
        "{compared} conditions compared on {ROWS} rows, {without} without a verdict on either side, {refused} refused"
    );
    assert!(
        wrong.is_empty(),
        "{} of {compared}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(15)].join("\n")
    );
    assert!(
        compared > EXPRESSIONS * 3 / 5,
        "only {compared} were compared"
    );
}

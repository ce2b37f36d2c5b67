//! Changes of a column's type that write rows again: MariaDB's rows and TiKV's stay equal, whatever the values are.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::{catalog, compare_all};
use cluster::sql::outcome;

const V: &str = "v8.5.3";

/// A type, another, and values of the first: each is cast to the second, refused by name, or fails as in TiDB.
const CHANGES: [(&str, &str, &[&str]); 26] = [
    ("INT", "BIGINT UNSIGNED", &["0", "7", "-7"]),
    ("BIGINT", "TINYINT", &["127", "-128", "128", "-129"]),
    ("BIGINT UNSIGNED", "BIGINT", &["7", "9223372036854775808"]),
    ("INT", "VARCHAR(3)", &["12", "-12", "123", "-123"]),
    ("INT", "BINARY(4)", &["12", "1234"]),
    ("INT", "DECIMAL(4,1)", &["12", "-12", "1234"]),
    ("BIGINT", "FLOAT", &["12", "16777217"]),
    ("INT", "DOUBLE", &["12", "-2147483648"]),
    (
        "VARCHAR(20)",
        "INT",
        &[
            "'12'",
            "'-12'",
            "'+12'",
            "'007'",
            "'a'",
            "''",
            "'1.5'",
            "' 1'",
            "'99999999999'",
        ],
    ),
    (
        "VARCHAR(20)",
        "TINYINT UNSIGNED",
        &["'12'", "'-1'", "'256'"],
    ),
    (
        "VARCHAR(20)",
        "DECIMAL(5,2)",
        &["'1.5'", "'-0.05'", "'007.10'", "'1.005'", "'x'", "'1234'"],
    ),
    (
        "VARCHAR(20)",
        "CHAR(3)",
        &["'ab'", "'ab '", "'äöü'", "'äöüß'", "'ab   '"],
    ),
    ("CHAR(5)", "VARCHAR(3)", &["'ab'", "'äöü'", "'abcd'"]),
    (
        "VARCHAR(20)",
        "VARCHAR(5) CHARACTER SET latin1",
        &["'ab'", "'äö'"],
    ),
    ("TEXT", "VARCHAR(5)", &["'ab'", "'abcdef'", "'ab '"]),
    (
        "VARCHAR(300)",
        "TINYTEXT",
        &["'ab'", "REPEAT('x', 255)", "REPEAT('x', 256)"],
    ),
    (
        "VARCHAR(20)",
        "DATE",
        &["'2024-02-29'", "'2023-02-29'", "'20240101'"],
    ),
    (
        "VARCHAR(30)",
        "DATETIME(3)",
        &[
            "'2024-02-29 01:02:03.450'",
            "'2024-02-29'",
            "'2024-02-29 01:02:03.4567'",
        ],
    ),
    (
        "DECIMAL(10,4)",
        "DECIMAL(6,2)",
        &["1.25", "-1234.5", "1.255", "12345.5"],
    ),
    ("DECIMAL(10,2)", "INT", &["12", "-12.00", "12.5"]),
    ("DECIMAL(10,2)", "VARCHAR(6)", &["12", "-0.5", "12345.5"]),
    ("DOUBLE", "FLOAT", &["1.5", "-0.25"]),
    ("DATE", "VARCHAR(10)", &["'2024-02-29'"]),
    ("DATETIME(3)", "VARCHAR(30)", &["'2024-02-29 01:02:03.456'"]),
    (
        "DATETIME(3)",
        "DATETIME",
        &["'2024-02-29 01:02:03'", "'2024-02-29 01:02:03.5'"],
    ),
    (
        "TIME(3)",
        "VARCHAR(20)",
        &["'-838:59:59'", "'01:02:03.456'"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_hold_the_same_after_a_change_of_type() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let mut changed = 0;
    for (from, to, values) in CHANGES {
        for value in values {
            let sql = format!("a column of {from} with {value} to {to}");
            // With a row of NULL, and an index that is made anew.
            let is_text = [from, to].iter().any(|tp| tp.ends_with("TEXT"));
            let index = if is_text { "" } else { ", KEY k (v, a)" };
            for statement in [
                "DROP TABLE IF EXISTS t".to_owned(),
                format!("CREATE TABLE t (a INT PRIMARY KEY, v {from}, b INT DEFAULT 5{index})"),
                format!("INSERT INTO t VALUES (1, {value}, 1), (2, NULL, 2)"),
            ] {
                let error = outcome(&mut conn, &statement).await;
                assert_eq!(error, None, "{sql}: {statement}");
            }
            if value == &values[0] {
                // Rows that lack a column.
                let add = "ALTER TABLE t ADD COLUMN c VARCHAR(5) DEFAULT 'c'";
                assert_eq!(outcome(&mut conn, add).await, None, "{sql}: {add}");
            }
            let before = compare_all(&mut conn, &client, V).await;
            let error = outcome(&mut conn, &format!("ALTER TABLE t MODIFY v {to}")).await;
            assert!(
                matches!(error, None | Some(1235 | 1265 | 1292 | 1690)),
                "{sql}: {error:?}"
            );
            let after = compare_all(&mut conn, &client, V).await;
            if error.is_some() {
                assert_eq!(before, after, "{sql}: refused, and nothing is changed");
            } else {
                changed += 1;
                assert_eq!(outcome(&mut conn, "UPDATE t SET b = b + 1").await, None);
                assert_eq!(
                    outcome(&mut conn, "DELETE FROM t WHERE v IS NULL").await,
                    None
                );
                compare_all(&mut conn, &client, V).await;
            }
        }
    }
    assert!(changed >= CHANGES.len(), "{changed} values were cast");
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_moves_is_renamed_and_keeps_its_index_while_it_is_rewritten() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    for statement in [
        "CREATE TABLE t (id VARCHAR(10) PRIMARY KEY, v INT, w INT, KEY k (w, v), UNIQUE KEY u (v))",
        "INSERT INTO t VALUES ('a', 1, 10), ('b', 2, 20)",
        "ALTER TABLE t CHANGE v vv VARCHAR(10) NOT NULL DEFAULT 'x' FIRST, ADD COLUMN n INT DEFAULT 3",
        "INSERT INTO t (id, w) VALUES ('c', 30)",
        "UPDATE t SET vv = 'one' WHERE vv = '1'",
    ] {
        assert_eq!(outcome(&mut conn, statement).await, None, "{statement}");
    }
    compare_all(&mut conn, &client, V).await;
    let schema = catalog(&client, V).await;
    let table = schema.table("test", "t").unwrap();
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.o.as_str()).collect();
    assert_eq!(names, ["vv", "id", "w", "n"]);
    let indexes: Vec<(&str, i64, usize)> = table
        .indexes
        .iter()
        .map(|i| (i.name.o.as_str(), i.id, i.columns[0].offset))
        .collect();
    assert_eq!(indexes, [("k", 4, 2), ("u", 5, 0), ("PRIMARY", 3, 1)]);
    // NULL where there may be none, a key, a value among others that does not fit, and a table with row ids.
    for (statement, code) in [
        ("CREATE TABLE r (a INT)", 0),
        ("ALTER TABLE r MODIFY a VARCHAR(5)", 1235),
        ("ALTER TABLE t MODIFY id INT", 8200),
        ("ALTER TABLE t MODIFY vv INT, ADD COLUMN m INT", 1235),
        ("INSERT INTO t VALUES ('y', 'd', NULL, 1)", 0),
        ("ALTER TABLE t MODIFY w VARCHAR(5) NOT NULL", 1265),
    ] {
        let error = outcome(&mut conn, statement).await.unwrap_or(0);
        assert_eq!(error, code, "{statement}");
    }
    compare_all(&mut conn, &client, V).await;
    cluster.verify().await;
}

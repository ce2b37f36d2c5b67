//! Changes of a column's type that write rows again: MariaDB's rows and TiKV's stay equal, whatever the values are.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::compare_all;
use cluster::sql::outcome;

const V: &str = "v8.5.3";

/// A type, another, and values of the first: each is cast to the second, refused by name, or fails as in TiDB.
const CHANGES: &[(&str, &str, &[&str])] = &[
    ("INT", "BIGINT UNSIGNED", &["0", "7", "-7"]),
    ("BIGINT", "TINYINT", &["127", "-128", "128", "-129"]),
    ("BIGINT UNSIGNED", "BIGINT", &["7", "9223372036854775808"]),
    ("INT", "VARCHAR(3)", &["12", "-12", "123", "-123"]),
    ("INT(4) ZEROFILL", "VARCHAR(4)", &["7", "12345"]),
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
    ("TIMESTAMP", "DATETIME", &["'2024-02-29 01:02:03'"]),
    (
        "TIMESTAMP(3)",
        "VARCHAR(30)",
        &["'2024-02-29 01:02:03.450'"],
    ),
    (
        "TIMESTAMP(3)",
        "TIMESTAMP",
        &["'2024-02-29 01:02:03'", "'2024-02-29 01:02:03.5'"],
    ),
    (
        "TIMESTAMP",
        "DATE",
        &["'2024-02-29 00:00:00'", "'2024-02-29 01:02:03'"],
    ),
    (
        "DATE",
        "TIMESTAMP",
        &["'2024-02-29'", "'1969-02-01'", "'2060-02-01'"],
    ),
    (
        "DATETIME(6)",
        "TIMESTAMP(3)",
        &["'2024-02-29 01:02:03.25'", "'2024-02-29 01:02:03.0001'"],
    ),
    (
        "VARCHAR(30)",
        "TIMESTAMP",
        &["'2024-02-29 01:02:03'", "'2024-02-29'", "'20240229'"],
    ),
    ("SET('a','b','c')", "SET('c','b')", &["'b,c'", "''", "'a'"]),
    (
        "SET('a','b','c')",
        "VARCHAR(3)",
        &["'c,b'", "''", "'a,b,c'"],
    ),
    (
        "SET('a','b','c')",
        "ENUM('c','b')",
        &["'b'", "''", "'b,c'", "'a'"],
    ),
    ("SET('a','b','c')", "INT", &["'b,c'", "''"]),
    ("SET('3','2','1')", "TINYINT UNSIGNED", &["'1'"]),
    ("SET('a','b','c')", "DECIMAL(3,1)", &["'b,c'"]),
    ("SET('a','b','c')", "DOUBLE", &["'b,c'"]),
    ("SET('a','b','c')", "BIT(2)", &["'b'", "'c'"]),
    ("ENUM('a','b')", "SET('b','a')", &["'a'"]),
    ("ENUM('7','b')", "INT", &["'7'"]),
    ("ENUM('7','b')", "FLOAT", &["'b'"]),
    (
        "VARCHAR(20)",
        "SET('a','b','c')",
        &["'c,a'", "''", "'b,b'", "'A'", "'2'", "'d'", "'a '"],
    ),
    ("INT", "SET('a','b','c')", &["5", "0", "8", "-1"]),
    ("INT", "ENUM('a','b','c')", &["3", "0", "4"]),
    ("BIT(10)", "INT", &["5", "1023"]),
    ("BIT(64)", "BIGINT", &["5", "0xffffffffffffffff"]),
    ("BIT(64)", "BIGINT UNSIGNED", &["0xffffffffffffffff"]),
    ("BIT(10)", "TINYINT", &["127", "128"]),
    ("BIT(10)", "DECIMAL(4,1)", &["300", "1023"]),
    ("BIT(10)", "VARCHAR(3)", &["300", "0", "1023"]),
    ("BIT(10)", "BINARY(4)", &["300"]),
    ("BIT(10)", "BIT(5)", &["31", "32"]),
    ("INT", "BIT(10)", &["1023", "1024", "-1"]),
    ("BIGINT UNSIGNED", "BIT(64)", &["18446744073709551615"]),
    ("DECIMAL(10,2)", "BIT(10)", &["5", "5.5", "1024"]),
    ("DOUBLE", "BIT(10)", &["5", "5.5"]),
    ("INT", "JSON", &["5", "-5"]),
    (
        "VARCHAR(40)",
        "JSON",
        &[
            "'{\"b\":1, \"a\":[1.5,null]}'",
            "'\"x\"'",
            "' 7 '",
            "'{x'",
            "''",
        ],
    ),
    ("TEXT", "JSON", &["'[1, 2]'"]),
    ("YEAR", "JSON", &["2024"]),
    (
        "JSON",
        "VARCHAR(20)",
        &[
            "'{\"a\": 1, \"b\": 2}'",
            "'{\"b\": 1, \"a\": 2}'",
            "'[1,2]'",
            "'null'",
        ],
    ),
    ("JSON", "TEXT", &["'[1, 2.5, \"äöü\"]'", "'1.0'"]),
    ("JSON", "CHAR(3)", &["'[1]'", "'[1, 2]'"]),
    (
        "JSON",
        "INT",
        &["'7'", "'-7'", "'7.0'", "'\"7\"'", "'99999999999'"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_hold_the_same_after_a_change_of_type() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let mut utc = cluster.sql().await;
    // Of a session that is not in UTC.
    let zone = "SET time_zone = '+03:00'";
    assert_eq!(outcome(&mut conn, zone).await, None);
    let mut changed = 0;
    for (from, to, values) in CHANGES {
        for value in *values {
            let sql = format!("a column of {from} with {value} to {to}");
            // With a row of NULL, and an index that is made anew.
            let has_no_key = |tp: &&&str| tp.ends_with("TEXT") || tp.ends_with("JSON");
            let index = match [from, to].iter().any(has_no_key) {
                true => "",
                false => ", KEY k (v, a)",
            };
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
            let before = compare_all(&mut utc, &client, V).await;
            let error = outcome(&mut conn, &format!("ALTER TABLE t MODIFY v {to}")).await;
            assert!(
                matches!(error, None | Some(1235 | 1265 | 1292 | 1690)),
                "{sql}: {error:?}"
            );
            let after = compare_all(&mut utc, &client, V).await;
            if error.is_some() {
                assert_eq!(before, after, "{sql}: refused, and nothing is changed");
            } else {
                changed += 1;
                assert_eq!(outcome(&mut conn, "UPDATE t SET b = b + 1").await, None);
                assert_eq!(
                    outcome(&mut conn, "DELETE FROM t WHERE v IS NULL").await,
                    None
                );
                compare_all(&mut utc, &client, V).await;
            }
        }
    }
    assert!(changed >= CHANGES.len(), "{changed} values were cast");
    cluster.verify().await;
}

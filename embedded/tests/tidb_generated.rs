//! After any SQL, generated columns are what their expressions come to: stored ones in the rows in TiKV, virtual ones in the
//! index entries and nowhere else. The expressions are computed here once more, from the other columns of the rows.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use cluster::Cluster;
use cluster::dice::Dice;
use cluster::rows::catalog;
use cluster::sql::run;
use embedded::client::Client;
use embedded::tidb::catalog::TableInfo;
use embedded::tidb::codec::{Datum, Handle, index, json, keys, origin, row};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const V: &str = "v8.5.3";

/// What column `name` comes to, given the others; none if it is not generated.
fn computed(table: &TableInfo, name: &str, row: &[Datum]) -> Option<Datum> {
    let of = |name: &str| row[table.column(name).unwrap().offset].clone();
    let number = |name: &str| match of(name) {
        Datum::Int(n) => Some(n),
        Datum::Null => None,
        other => panic!("{name} is {other:?}"),
    };
    let text = |name: &str| match of(name) {
        Datum::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
        Datum::Null => None,
        other => panic!("{name} is {other:?}"),
    };
    let member = |name: &str| match of("j") {
        Datum::Json(binary) => json::decode(&binary).unwrap().get(name).cloned(),
        Datum::Null => None,
        other => panic!("j is {other:?}"),
    };
    let int = |n: Option<i64>| n.map_or(Datum::Null, Datum::Int);
    let string = |s: Option<String>| s.map_or(Datum::Null, |s| Datum::Bytes(s.into_bytes()));
    Some(match name {
        "v" => int(number("a").map(|a| a * 2 + 1)),
        "vv" => int(number("a").map(|a| (a * 2 + 1) - 7)),
        "st" => string(text("b").map(|b| format!("x{b}"))),
        "n" => int(member("n").map(|n| match n {
            serde_json::Value::Number(n) => n.as_i64().unwrap(),
            serde_json::Value::Bool(truth) => i64::from(truth),
            serde_json::Value::Null => 0,
            other => panic!("n is {other}"),
        })),
        "w" => string(member("s").map(|s| match s {
            serde_json::Value::String(s) => s,
            other => other.to_string(),
        })),
        "late" => int(number("a").map(|a| a + number("id").unwrap())),
        "_V$_up_0" => string(text("b").map(|b| b.chars().map(upper).collect())),
        "_V$_sums_0" => int(number("a").map(|a| a + 100)),
        _ => return None,
    })
}

/// A letter for a letter: ß stays.
fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// Compares rows and entries of table `g` with what is computed; gives how many entries there are.
async fn check(client: &Client, version: &str) -> usize {
    let schema = catalog(client, version).await;
    let table = schema.table("test", "g").unwrap();
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let mut rows: BTreeMap<Handle, Vec<Datum>> = BTreeMap::new();
    for physical in table.physical_ids() {
        let (start, end) = (keys::record_prefix(physical), keys::record_end(physical));
        for pair in snapshot.scan(&start, &end).await.unwrap() {
            let (_, handle) = keys::decode_record_key(&pair.key).unwrap();
            let in_value = row::disassemble(&pair.value).unwrap();
            let mut values =
                row::decode_row(table, &handle, &pair.value, origin::origin_value).unwrap();
            for column in &table.columns {
                let Some(expected) = computed(table, &column.name.o, &values) else {
                    continue;
                };
                if column.is_virtual() {
                    let held = in_value.iter().any(|(id, _)| *id == column.id);
                    assert!(!held, "the virtual {} is in a row", column.name.o);
                } else {
                    assert_eq!(
                        values[column.offset], expected,
                        "{} of {values:?}",
                        column.name.o
                    );
                }
                values[column.offset] = expected;
            }
            rows.insert(handle, values);
        }
    }
    let mut entries = 0;
    for one in index::written(table) {
        let expected: BTreeSet<(Vec<u8>, Vec<u8>)> = rows
            .iter()
            .map(|(handle, values)| {
                let row = index::Row {
                    physical_id: table.id,
                    values,
                    handle,
                };
                let entry = index::entry(table, one, row).unwrap();
                (entry.key, entry.value)
            })
            .collect();
        let start = keys::index_prefix(table.id, one.id);
        let mut end = start.clone();
        end.push(0xff);
        let pairs = snapshot.scan(&start, &end).await.unwrap();
        let held: BTreeSet<(Vec<u8>, Vec<u8>)> = pairs
            .into_iter()
            .map(|pair| (pair.key.to_vec(), pair.value.to_vec()))
            .collect();
        assert_eq!(held, expected, "entries of {}", one.name.o);
        entries += held.len();
    }
    entries
}

impl Dice {
    fn statement(&mut self) -> String {
        let id = self.roll(25);
        let a = *self.pick(&["NULL", "0", "-5", "1000", "77"]);
        let b = *self.pick(&["NULL", "''", "'a'", "'Straße é'", "'b  '", "'ÑANDÚ'"]);
        let n = self.roll(40);
        let s = *self.pick(&[
            r#""one""#,
            r#""q\\"uote\\n""#,
            r#""\\u00e9""#,
            "null",
            "7",
            "true",
        ]);
        let j = match self.roll(5) {
            0 => "NULL".to_owned(),
            1 => "'{}'".to_owned(),
            2 => format!(r#"'{{"n": null, "s": {s}}}'"#),
            _ => format!(r#"'{{"s" : {s} , "n": {n}, "o": {{"n": 1}}}}'"#),
        };
        match self.roll(9) {
            0..=2 => format!("INSERT INTO g (id, a, b, j) VALUES ({id}, {a}, {b}, {j})"),
            3 => format!("UPDATE g SET a = {a} WHERE id >= {id}"),
            4 => format!("UPDATE g SET b = {b}, j = {j} WHERE id = {id}"),
            5 => format!("UPDATE g SET id = {id} + 50 WHERE id = {id}"),
            6 => format!("REPLACE INTO g (id, a, b, j) VALUES ({id}, {a}, {b}, {j})"),
            7 => format!("DELETE FROM g WHERE v = {n} OR id = {id}"),
            _ => format!(
                "INSERT INTO g (id, a, b, j) VALUES ({id}, {a}, {b}, {j}) ON DUPLICATE KEY UPDATE b = {b}"
            ),
        }
    }

    async fn transactions(&mut self, conn: &mut Conn, count: usize) {
        for _ in 0..count {
            conn.query_drop("BEGIN").await.unwrap();
            for _ in 0..=self.roll(3) {
                // Some are refused, for a duplicate key: then they change nothing.
                let _ = conn.query_drop(self.statement()).await;
            }
            let end = *self.pick(&["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]);
            conn.query_drop(end).await.unwrap();
        }
    }
}

const CREATE: &str = "CREATE TABLE g (id INT PRIMARY KEY, a INT, b VARCHAR(20), j JSON, \
                      v INT AS (a * 2 + 1), vv BIGINT AS (v - 7) VIRTUAL, \
                      st VARCHAR(30) GENERATED ALWAYS AS (CONCAT('x', b)) STORED, \
                      n INT AS (j->'$.n'), w VARCHAR(20) AS (j->>'$.s') STORED, \
                      KEY kv (v), KEY kvv (vv, st), UNIQUE KEY un (n, id), KEY sw (st, w))";

/// Random statements, and columns and indexes that come to rows that are there.
async fn survive(version: &'static str, later: &[&str]) {
    let mut cluster = Cluster::start(version).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(&mut conn, &[CREATE]).await;
    let mut dice = Dice::new(0);
    for _ in 0..4 {
        dice.transactions(&mut conn, 10).await;
        assert!(check(&client, version).await > 0);
    }
    for statement in later {
        run(&mut conn, &[statement]).await;
        check(&client, version).await;
        dice.transactions(&mut conn, 5).await;
        assert!(check(&client, version).await > 0, "after {statement}");
        cluster.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_columns_are_what_they_are_computed_from() {
    let later = [
        "ALTER TABLE g ADD COLUMN late BIGINT AS (a + id) VIRTUAL",
        "CREATE INDEX kl ON g (late, v)",
        "CREATE INDEX up ON g ((UPPER(b)))",
        "ALTER TABLE g ADD INDEX sums ((a + 100), id)",
        "DROP INDEX up ON g",
    ];
    survive(V, &later).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_columns_are_what_they_are_computed_from_in_4_0() {
    let later = [
        "ALTER TABLE g ADD COLUMN late BIGINT AS (a + id) VIRTUAL",
        "CREATE INDEX kl ON g (late, v)",
    ];
    survive("v4.0.9", &later).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_is_refused_and_changes_nothing() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(&mut conn, &[CREATE]).await;
    run(
        &mut conn,
        &["CREATE TABLE nn (a INT, b INT AS (a + 1) NOT NULL)"],
    )
    .await;
    run(
        &mut conn,
        &[r#"INSERT INTO g (id, a, b, j) VALUES (1, 2, 'b', '{"n": 3, "s": "t"}')"#],
    )
    .await;
    for (statement, code) in [
        ("INSERT INTO g (id, v) VALUES (2, 5)", 3105),
        ("INSERT INTO nn (a) VALUES (NULL)", 1048),
        // TiDB takes the last of two members, MariaDB the first.
        (r#"UPDATE g SET j = '{"n": 1, "n": 2}'"#, 1235),
        (r#"UPDATE g SET j = '{"n": 1.5}'"#, 1235),
        (r#"UPDATE g SET j = '{"s": {"a":1}}'"#, 1235),
        ("ALTER TABLE g DROP COLUMN a", 3108),
        ("ALTER TABLE g RENAME COLUMN a TO aa", 3108),
        ("ALTER TABLE g ADD COLUMN x INT AS (a + 1) STORED", 3106),
        ("ALTER TABLE g ADD COLUMN x INT AS (y + 1)", 1054),
        ("ALTER TABLE g ADD COLUMN x DOUBLE AS (RAND())", 3102),
        ("ALTER TABLE g ADD COLUMN x INT AS (a / 3)", 1235),
        (
            "ALTER TABLE g ADD COLUMN x INT AS (a + 1) FIRST, ADD COLUMN y INT AS (x + 1) FIRST",
            1054,
        ),
        ("CREATE TABLE x (a INT AS (b + 1), b INT AS (2))", 3107),
        (
            "CREATE TABLE x (a INT AUTO_INCREMENT PRIMARY KEY, b INT AS (a + 1))",
            3109,
        ),
        (
            "CREATE TABLE x (a INT, b INT AS (a + 1), PRIMARY KEY (b))",
            3106,
        ),
        ("CREATE TABLE x (a INT, b INT AS (a + 1) DEFAULT 7)", 1064),
        ("CREATE INDEX x ON g ((a))", 3762),
    ] {
        let told = match conn.query_drop(statement).await {
            Err(mysql_async::Error::Server(error)) => error,
            other => panic!("{statement}: {other:?}"),
        };
        assert_eq!(told.code, code, "{statement}: {}", told.message);
        check(&client, V).await;
    }
    let row: Vec<(i64, i64, i64, String, i64, String)> = conn
        .query("SELECT id, v, vv, st, n, w FROM g")
        .await
        .unwrap();
    assert_eq!(row, [(1, 5, -2, "xb".to_owned(), 3, "t".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_are_made_of_rows_of_any_character_set_and_size() {
    let mut cluster = Cluster::start(V).await;
    let mut conn = cluster.sql().await;
    // Hexadecimal, a row of so many columns is longer than MariaDB takes a statement.
    let texts: Vec<String> = (0..6)
        .map(|n| format!("t{n} LONGTEXT CHARSET gbk"))
        .collect();
    let full: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
    let create = format!(
        "CREATE TABLE t (id INT PRIMARY KEY, z VARCHAR(20) CHARSET gbk, {}, zz VARCHAR(40) AS (CONCAT(z, '!')), one INT AS (1), \
         chars BIGINT AS (CHAR_LENGTH(CONCAT({}))))",
        texts.join(", "),
        full.join(", ")
    );
    let long = "REPEAT('中', 2000000)";
    let insert = format!(
        "INSERT INTO t (id, {}) VALUES (4, {}), (5, {})",
        full.join(", "),
        [long; 6].join(", "),
        ["'文'"; 6].join(", ")
    );
    for statement in [
        create.as_str(),
        "INSERT INTO t (id, z) VALUES (1, '中文'), (2, 'a'), (3, NULL)",
        insert.as_str(),
        "CREATE INDEX kz ON t (zz)",
        "CREATE INDEX k1 ON t (one)",
        "CREATE INDEX kc ON t (chars)",
    ] {
        run(&mut conn, &[statement]).await;
    }
    cluster.verify().await;
}

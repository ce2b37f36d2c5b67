//! Changes of a column's type that write rows again: what they leave of the table, whatever its ids come from and whatever is
//! written meanwhile.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cluster::Cluster;
use cluster::rows::{catalog, compare_all};
use cluster::sql::outcome;
use mysql_async::prelude::Queryable as _;

const V: &str = "v8.5.3";

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
    // NULL where there may be none, a key, a value among others that does not fit, and types that TiDB does not change so.
    for (statement, code) in [
        (
            "CREATE TABLE r (a INT, s SET('a'), j JSON, b BIT(4), KEY k (a))",
            0,
        ),
        ("ALTER TABLE r MODIFY s TIMESTAMP", 8200),
        ("ALTER TABLE r MODIFY j BIT(3)", 8200),
        ("ALTER TABLE r MODIFY b ENUM('a')", 8200),
        ("ALTER TABLE r MODIFY a JSON", 3152),
        ("ALTER TABLE r MODIFY j DATE", 1235),
        ("INSERT INTO r (a) VALUES (NULL)", 0),
        ("ALTER TABLE r MODIFY a TIMESTAMP NOT NULL", 1235),
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

/// Tables whose ids MariaDB takes from sequences, while others insert rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_with_ids_from_sequences_are_rewritten_while_rows_come() {
    const TABLES: [(&str, &str); 4] = [
        ("plain", "v INT, w INT, KEY k (v)"),
        (
            "keyed",
            "v INT, w INT, PRIMARY KEY (w) NONCLUSTERED, UNIQUE KEY u (v)",
        ),
        ("sharded", "v INT, w INT) SHARD_ROW_ID_BITS = 4"),
        (
            "random",
            "id BIGINT PRIMARY KEY AUTO_RANDOM, v INT, w INT, KEY k (w, v)",
        ),
    ];
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    for (name, columns) in TABLES {
        let end = if columns.contains(") SHARD") { "" } else { ")" };
        for sql in [
            format!("CREATE TABLE {name} ({columns}{end}"),
            format!("INSERT INTO {name} (v, w) VALUES (-1, -1), (-2, -2), (NULL, -3)"),
        ] {
            assert_eq!(outcome(&mut conn, &sql).await, None, "{sql}");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut other = cluster.sql().await;
        let until = Arc::clone(&stop);
        let writer = tokio::spawn(async move {
            let mut rows = 0;
            while !until.load(Ordering::Relaxed) {
                let sql = format!("INSERT INTO {name} (v, w) VALUES ({rows}, {rows})");
                assert_eq!(outcome(&mut other, &sql).await, None, "{sql}");
                rows += 1;
            }
            rows
        });
        for to in ["VARCHAR(20)", "BIGINT", "BIT(3)", "DECIMAL(20,0)"] {
            let sql = format!("ALTER TABLE {name} MODIFY v {to}");
            let error = outcome(&mut conn, &sql).await;
            match to {
                // Neither a negative number, which is refused, nor a large one, which fails.
                "BIT(3)" => assert!(matches!(error, Some(1235 | 1265)), "{sql}: {error:?}"),
                _ => assert_eq!(error, None, "{sql}"),
            }
        }
        let sql = format!("ALTER TABLE {name} MODIFY v INT, ADD COLUMN at TIMESTAMP DEFAULT NOW()");
        assert_eq!(outcome(&mut conn, &sql).await, None, "{sql}");
        stop.store(true, Ordering::Relaxed);
        let written = writer.await.unwrap();
        assert!(written > 0, "no row came meanwhile");
        let sql = format!("INSERT INTO {name} (v, w) VALUES (-4, -4)");
        assert_eq!(outcome(&mut conn, &sql).await, None, "{sql}");
        let rows = compare_all(&mut conn, &client, V).await;
        assert_eq!(rows[name].len(), written + 4, "{name}");
        let sql = format!("TRUNCATE TABLE {name}");
        assert_eq!(outcome(&mut conn, &sql).await, None, "{sql}");
        let sql = format!("INSERT INTO {name} (v, w) VALUES (1, 1)");
        assert_eq!(outcome(&mut conn, &sql).await, None, "{sql}");
    }
    compare_all(&mut conn, &client, V).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_are_told_in_the_zone_of_the_session() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let mut utc = cluster.sql().await;
    for (statement, code) in [
        ("SET time_zone = 'Europe/Berlin'", 0),
        (
            "CREATE TABLE t (id INT PRIMARY KEY, v DATETIME, d TIMESTAMP DEFAULT '2024-01-01 00:00:00')",
            0,
        ),
        (
            "INSERT INTO t (id, v) VALUES (1, '2024-07-01 12:00:00'), (2, '2024-01-01 12:00:00')",
            0,
        ),
        (
            "ALTER TABLE t MODIFY v TIMESTAMP DEFAULT '2024-07-01 00:00:00'",
            0,
        ),
        ("INSERT INTO t (id) VALUES (3)", 0),
        ("SET time_zone = '+00:00'", 0),
        ("ALTER TABLE t CHANGE v w VARCHAR(30) FIRST", 0),
        ("INSERT INTO t (id, w) VALUES (4, '2024-10-27 02:30:00')", 0),
        ("SET time_zone = 'Europe/Berlin'", 0),
        // Clocks show it twice.
        ("ALTER TABLE t MODIFY w TIMESTAMP", 1235),
        ("DELETE FROM t WHERE id = 4", 0),
        (
            "ALTER TABLE t MODIFY w TIMESTAMP, ADD COLUMN e TIMESTAMP DEFAULT '2024-07-01 00:00:00'",
            1235,
        ),
        (
            "ALTER TABLE t MODIFY w TIMESTAMP NOT NULL, ADD COLUMN e INT",
            0,
        ),
        ("ALTER TABLE t MODIFY w DATETIME NOT NULL", 0),
        ("INSERT INTO t (id, w) VALUES (5, '2024-07-01 12:00:00')", 0),
    ] {
        let error = outcome(&mut conn, statement).await.unwrap_or(0);
        assert_eq!(error, code, "{statement}");
        compare_all(&mut utc, &client, V).await;
    }
    let shown: Vec<(i32, String, String)> = conn
        .query("SELECT id, CAST(w AS CHAR), CAST(d AS CHAR) FROM t ORDER BY id")
        .await
        .unwrap();
    let expected = [
        (1, "2024-07-01 10:00:00", "2024-01-01 00:00:00"),
        (2, "2024-01-01 11:00:00", "2024-01-01 00:00:00"),
        (3, "2024-06-30 22:00:00", "2024-01-01 00:00:00"),
        (5, "2024-07-01 12:00:00", "2024-01-01 00:00:00"),
    ];
    let expected = expected.map(|(id, w, d)| (id, w.to_owned(), d.to_owned()));
    assert_eq!(shown, expected);
    cluster.verify().await;
}

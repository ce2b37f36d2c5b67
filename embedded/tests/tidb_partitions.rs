//! Partitioned tables: where rows go, that MariaDB and TiKV agree about it, and that reorganisations lose none.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::rows::{Row, by_sql, catalog, compare_all, in_tikv};
use cluster::sql::{refused, run};
use cluster::{Cluster, Part, until};
use embedded::client::Client;
use embedded::tidb::catalog::TableInfo;
use embedded::tidb::codec::keys;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const NEW: &str = "v8.5.3";
const OLD: &str = "v4.0.9";

async fn table(client: &Client, version: &str, name: &str) -> Arc<TableInfo> {
    let catalog = catalog(client, version).await;
    Arc::clone(catalog.table("test", name).unwrap())
}

/// The rows of each partition in TiKV, by the partition's name.
async fn by_partition(client: &Client, table: &TableInfo) -> BTreeMap<String, Vec<Row>> {
    let mut out = BTreeMap::new();
    for definition in &table.partition.as_ref().unwrap().definitions {
        let physical = TableInfo {
            id: definition.id,
            partition: None,
            ..table.clone()
        };
        let rows = in_tikv(client, &physical).await;
        out.insert(definition.name.o.clone(), rows);
    }
    out
}

/// MariaDB selects from each partition what TiKV holds under its id.
async fn partitions_agree(conn: &mut Conn, client: &Client, version: &str, name: &str) {
    let info = table(client, version, name).await;
    for (partition, rows) in by_partition(client, &info).await {
        let selected = by_sql(conn, &format!("{name} PARTITION ({partition})")).await;
        assert_eq!(selected, rows, "partition {partition} of {name}");
    }
}

/// Methods and the type of the column `c` they are about.
const METHODS: [(&str, &str); 35] = [
    ("INT NOT NULL", "HASH (c) PARTITIONS 3"),
    ("INT", "KEY (c) PARTITIONS 5"),
    ("BIGINT UNSIGNED", "KEY (c) PARTITIONS 3"),
    ("DATE", "KEY (c) PARTITIONS 3"),
    ("TIME", "KEY (c) PARTITIONS 3"),
    ("VARCHAR(20)", "KEY (c) PARTITIONS 3"),
    ("DECIMAL(10,3)", "KEY (c) PARTITIONS 3"),
    ("INT", "HASH (c) PARTITIONS 5"),
    ("INT", "LINEAR HASH (c) PARTITIONS 5"),
    ("BIGINT UNSIGNED", "HASH (c) PARTITIONS 7"),
    ("INT", "HASH (c + 3 * c DIV 2) PARTITIONS 4"),
    ("INT", "HASH (ABS(c) % 10) PARTITIONS 4"),
    ("INT", "HASH (MOD(c, 7)) PARTITIONS 4"),
    (
        "INT",
        "RANGE (c) (PARTITION a VALUES LESS THAN (-10), PARTITION b VALUES LESS THAN (5 * 2), PARTITION c VALUES LESS THAN MAXVALUE)",
    ),
    (
        "INT",
        "RANGE (-c) (PARTITION a VALUES LESS THAN (0), PARTITION b VALUES LESS THAN MAXVALUE)",
    ),
    (
        "INT",
        "LIST (c % 4) (PARTITION a VALUES IN (0, 1), PARTITION b VALUES IN (2, -1, NULL), PARTITION c DEFAULT)",
    ),
    ("DATE", "HASH (YEAR(c)) PARTITIONS 6"),
    ("DATE", "HASH (TO_DAYS(c)) PARTITIONS 6"),
    ("DATE", "HASH (MONTH(c) * 31 + DAY(c)) PARTITIONS 9"),
    ("DATE", "HASH (WEEKDAY(c)) PARTITIONS 7"),
    ("DATE", "HASH (DAYOFWEEK(c)) PARTITIONS 7"),
    ("DATE", "HASH (DAYOFYEAR(c)) PARTITIONS 5"),
    (
        "DATE",
        "RANGE (TO_DAYS(c)) (PARTITION a VALUES LESS THAN (TO_DAYS('2024-03-01')), PARTITION b VALUES LESS THAN MAXVALUE)",
    ),
    (
        "DATE",
        "RANGE COLUMNS (c) (PARTITION a VALUES LESS THAN ('2024-03-01'), PARTITION b VALUES LESS THAN (MAXVALUE))",
    ),
    (
        "DATE",
        "LIST COLUMNS (c) (PARTITION a VALUES IN ('2024-02-29', '2000-01-01'), PARTITION b DEFAULT)",
    ),
    ("DATETIME", "HASH (HOUR(c) * 60 + MINUTE(c)) PARTITIONS 6"),
    ("DATETIME", "HASH (QUARTER(c)) PARTITIONS 3"),
    ("DATETIME", "HASH (TO_SECONDS(c)) PARTITIONS 6"),
    (
        "DATETIME",
        "RANGE COLUMNS (c) (PARTITION a VALUES LESS THAN ('2024-03-01 12:00:00'), PARTITION b VALUES LESS THAN (MAXVALUE))",
    ),
    (
        "DATE",
        "RANGE COLUMNS (c) (PARTITION a VALUES LESS THAN ('20240301'), PARTITION b VALUES LESS THAN (MAXVALUE))",
    ),
    (
        "TIMESTAMP NULL",
        "RANGE (UNIX_TIMESTAMP(c)) (PARTITION a VALUES LESS THAN (UNIX_TIMESTAMP('2024-03-01 12:00:00')), \
         PARTITION b VALUES LESS THAN MAXVALUE)",
    ),
    (
        "TIMESTAMP NULL",
        "RANGE (UNIX_TIMESTAMP(c)) (PARTITION a VALUES LESS THAN (1709294400), PARTITION b VALUES LESS THAN MAXVALUE)",
    ),
    ("TIME", "HASH (TIME_TO_SEC(c)) PARTITIONS 5"),
    (
        "VARCHAR(20)",
        "RANGE COLUMNS (c) (PARTITION a VALUES LESS THAN ('M'), PARTITION b VALUES LESS THAN ('m\\'s'), PARTITION c VALUES LESS THAN (MAXVALUE))",
    ),
    (
        "VARCHAR(20)",
        "LIST COLUMNS (c) (PARTITION a VALUES IN ('a', 'B '), PARTITION b VALUES IN (NULL, ''), PARTITION c DEFAULT)",
    ),
];

/// Values that are interesting for a type.
fn values(column: &str) -> Vec<&'static str> {
    let texts: &[&str] = match column {
        "INT" | "DECIMAL(10,3)" | "INT NOT NULL" => &[
            "0", "1", "-1", "7", "-7", "10", "-11", "9", "1000003", "-2147480",
        ],
        "BIGINT UNSIGNED" => &[
            "0",
            "1",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
        ],
        "DATE" => &[
            "'2024-02-29'",
            "'2024-03-01'",
            "'2000-01-01'",
            "'1999-12-31'",
            "'0001-01-01'",
            "'9999-12-31'",
            "'1582-10-15'",
        ],
        "TIME" => &[
            "'00:00:00'",
            "'-00:00:01'",
            "'838:59:59'",
            "'-100:10:10'",
            "'12:34:56'",
        ],
        "VARCHAR(20)" => &[
            "''", "'a'", "'a '", "'b'", "'B'", "'M'", "'m'", "'m''s'", "'z'", "'ä'", "'中'",
        ],
        _ => &[
            "'2024-02-29 23:59:59'",
            "'2024-03-01 12:00:00'",
            "'2024-03-01 11:59:59'",
            "'2001-01-01 00:00:01'",
            "'2037-12-31 00:00:00'",
        ],
    };
    let mut out = texts.to_vec();
    if !column.ends_with("NOT NULL") {
        out.push("NULL");
    }
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_to_the_partitions_that_mariadb_selects_them_from() {
    for version in [NEW, OLD] {
        let mut cluster = Cluster::start(version).await;
        let client = cluster.client().await;
        let mut conn = cluster.sql().await;
        for (n, (column, method)) in METHODS.iter().enumerate() {
            if column.starts_with("TIMESTAMP") {
                // Bounds are read in the session's time zone, rows kept in UTC.
                run(&mut conn, &["SET time_zone = '+03:00'"]).await;
            }
            // 4.0 knows neither LIST nor KEY nor LINEAR, and makes such a table without partitions.
            if version == OLD && (method.starts_with("LI") || method.starts_with("KEY")) {
                continue;
            }
            let name = format!("t{n}");
            let list: Vec<String> = values(column)
                .iter()
                .enumerate()
                .map(|(id, value)| format!("({id}, {value})"))
                .collect();
            let list = list.join(", ");
            run(
                &mut conn,
                &[
                    &format!("CREATE TABLE {name} (id INT, c {column}) PARTITION BY {method}"),
                    &format!("INSERT INTO {name} VALUES {list}"),
                    &format!("UPDATE {name} SET c = (SELECT MAX(x.c) FROM (SELECT c FROM {name}) x) WHERE id % 3 = 0"),
                    &format!("DELETE FROM {name} WHERE id = 1"),
                ],
            )
            .await;
            let info = table(&client, version, &name).await;
            assert!(info.partitions().is_some(), "{method}");
            run(&mut conn, &["SET time_zone = '+00:00'"]).await;
            partitions_agree(&mut conn, &client, version, &name).await;
        }
        compare_all(&mut conn, &client, version).await;
        cluster.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reorganisations_lose_no_row() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let numbers: Vec<String> = (0..3000).map(|n| format!("({n}, 'v{n}')")).collect();
    run(
        &mut conn,
        &[
            "CREATE TABLE r (id INT, v VARCHAR(20), PRIMARY KEY (id, v)) PARTITION BY RANGE (id) \
             (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (5000))",
            &format!("INSERT INTO r VALUES {}", numbers.join(", ")),
            "ALTER TABLE r ADD COLUMN c INT NOT NULL DEFAULT 7",
        ],
    )
    .await;
    for change in [
        "REORGANIZE PARTITION p1 INTO (PARTITION a VALUES LESS THAN (1500), PARTITION b VALUES LESS THAN (6000))",
        "REORGANIZE PARTITION p0, a INTO (PARTITION p0 VALUES LESS THAN (1500))",
        "PARTITION BY HASH (id) PARTITIONS 3",
        "ADD PARTITION PARTITIONS 2",
        "COALESCE PARTITION 4",
        "PARTITION BY KEY (v) PARTITIONS 5",
        "ADD PARTITION PARTITIONS 1",
        "COALESCE PARTITION 3",
        "PARTITION BY LIST COLUMNS (v) (PARTITION few VALUES IN ('v1', 'v2'), PARTITION rest DEFAULT)",
        "REORGANIZE PARTITION rest INTO (PARTITION a VALUES IN ('v3'), PARTITION b VALUES IN ('v4', 'v5'), PARTITION rest DEFAULT)",
        "REORGANIZE PARTITION few, b INTO (PARTITION some VALUES IN ('v1', 'v4'), PARTITION more VALUES IN ('v2', 'v5'))",
        "REMOVE PARTITIONING",
        "PARTITION BY RANGE COLUMNS (id, v) (PARTITION a VALUES LESS THAN (10, 'v1'), PARTITION b VALUES LESS THAN (MAXVALUE, MAXVALUE))",
    ] {
        run(&mut conn, &[&format!("ALTER TABLE r {change}")]).await;
        let rows = compare_all(&mut conn, &client, NEW).await;
        cluster.verify().await;
        assert_eq!(rows["r"].len(), 3000, "{change}");
        let info = table(&client, NEW, "r").await;
        if info.partitions().is_some() {
            partitions_agree(&mut conn, &client, NEW, "r").await;
        }
        // What is written afterwards meets the rows that moved.
        run(&mut conn, &["UPDATE r SET c = c + 1 WHERE id % 100 = 0"]).await;
    }
    compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_a_key_stay_apart() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &["CREATE TABLE t (v INT)", "CREATE TABLE x (v INT)"],
    )
    .await;
    let mut written = 0;
    for change in [
        "PARTITION BY HASH (v) PARTITIONS 3",
        "PARTITION BY RANGE (v) (PARTITION a VALUES LESS THAN (5), PARTITION b VALUES LESS THAN MAXVALUE)",
        "REMOVE PARTITIONING",
        "PARTITION BY KEY (v) PARTITIONS 2",
    ] {
        run(&mut conn, &["INSERT INTO t VALUES (1), (2), (3)"]).await;
        run(&mut conn, &[&format!("ALTER TABLE t {change}")]).await;
        run(&mut conn, &["INSERT INTO t VALUES (1), (8)"]).await;
        if change.contains("PARTITION a") {
            // Rows that have the same row id may not meet in one partition.
            let exchange = "ALTER TABLE t EXCHANGE PARTITION a WITH TABLE x";
            run(&mut conn, &[exchange, "INSERT INTO x VALUES (1)"]).await;
            assert_eq!(refused(&mut conn, exchange).await, 1235);
        }
        let rows = compare_all(&mut conn, &client, NEW).await;
        cluster.verify().await;
        written = written.max(rows["t"].len());
    }
    assert!(written > 10, "{written} rows at most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_come_go_and_are_exchanged() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE t (id INT, d DATE, v INT, KEY (v)) PARTITION BY RANGE COLUMNS (d) \
             (PARTITION p1 VALUES LESS THAN ('2024-01-01'), PARTITION p2 VALUES LESS THAN ('2025-01-01'))",
            "INSERT INTO t VALUES (1, '2023-05-05', 1), (2, '2024-05-05', 2), (3, NULL, 3)",
            "CREATE TABLE l LIKE t",
            "INSERT INTO l SELECT * FROM t",
            "CREATE TABLE x (id INT, d DATE, v INT, KEY (v))",
            "ALTER TABLE t EXCHANGE PARTITION p2 WITH TABLE x",
            "INSERT INTO t VALUES (9, '2024-09-09', 9)",
            "INSERT INTO x VALUES (10, '1990-01-01', 10)",
            "INSERT INTO t VALUES (11, '2024-11-11', 11), (12, '2024-12-12', 12)",
            "DELETE FROM t WHERE id > 10",
            "UPDATE t SET v = 99 WHERE id = 9",
            "ALTER TABLE t TRUNCATE PARTITION p1",
            "ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES LESS THAN ('2026-01-01'))",
            "INSERT INTO t VALUES (4, '2025-06-06', 4)",
            "ALTER TABLE t DROP PARTITION p2",
            "RENAME TABLE l TO l2",
            "TRUNCATE TABLE l2",
            "INSERT INTO l2 VALUES (1, '2024-01-01', 1)",
        ],
    )
    .await;
    let rows = compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
    let ids = |name: &str| -> Vec<&str> {
        let ids = rows[name].iter().map(|row| row[0].as_deref().unwrap());
        ids.collect()
    };
    assert_eq!(ids("t"), ["4"]);
    assert_eq!(ids("x"), ["10", "2"]);
    assert_eq!(ids("l2"), ["1"]);
    for name in ["t", "l2"] {
        partitions_agree(&mut conn, &client, NEW, name).await;
    }
    // The new table has partitions of its own.
    let (t, l) = (
        table(&client, NEW, "t").await,
        table(&client, NEW, "l2").await,
    );
    assert!(
        t.physical_ids()
            .iter()
            .all(|id| !l.physical_ids().contains(id))
    );
    run(&mut conn, &["DROP TABLE t", "DROP DATABASE test"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tidb_refuses_is_refused() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE r (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) \
             (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
            "CREATE TABLE h (id INT) PARTITION BY HASH (id) PARTITIONS 2",
            "CREATE TABLE k (id INT) PARTITION BY KEY (id) PARTITIONS 2",
            "CREATE TABLE n (id INT PRIMARY KEY, v INT)",
        ],
    )
    .await;
    for (statement, code) in [
        ("INSERT INTO r VALUES (20, 1)", 1526),
        ("INSERT INTO r PARTITION (p0) VALUES (15, 1)", 1748),
        ("SELECT * FROM r PARTITION (p9)", 1735),
        ("SELECT * FROM n PARTITION (p0)", 1747),
        ("SELECT * FROM k PARTITION (p9)", 1735),
        ("INSERT INTO k PARTITION (p0) VALUES (1)", 1235),
        ("DELETE FROM k PARTITION (p0)", 1235),
        ("ALTER TABLE n DROP PARTITION p0", 1505),
        ("ALTER TABLE r DROP PARTITION p9", 1507),
        ("ALTER TABLE r DROP PARTITION p0, p1", 1508),
        ("ALTER TABLE r COALESCE PARTITION 1", 1509),
        ("ALTER TABLE h DROP PARTITION p0", 1512),
        ("ALTER TABLE h COALESCE PARTITION 2", 1508),
        (
            "ALTER TABLE r ADD PARTITION (PARTITION p2 VALUES LESS THAN (15))",
            1493,
        ),
        (
            "ALTER TABLE r ADD PARTITION (PARTITION p1 VALUES LESS THAN (30))",
            1517,
        ),
        (
            "ALTER TABLE r REORGANIZE PARTITION p0 INTO (PARTITION p0 VALUES LESS THAN (11))",
            1520,
        ),
        (
            "ALTER TABLE r REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (19))",
            1520,
        ),
        (
            "ALTER TABLE r REORGANIZE PARTITION p9 INTO (PARTITION p1 VALUES LESS THAN (19))",
            1567,
        ),
        (
            "CREATE TABLE e (a INT UNSIGNED) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (-1))",
            1563,
        ),
        ("ALTER TABLE r TRUNCATE PARTITION p9", 1735),
        ("ALTER TABLE k TRUNCATE PARTITION p0", 1235),
        ("ALTER TABLE r EXCHANGE PARTITION p0 WITH TABLE h", 1732),
        ("ALTER TABLE r ADD UNIQUE KEY (v)", 8264),
        ("ALTER TABLE r DROP COLUMN id", 3855),
        (
            "CREATE TABLE e (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (2), PARTITION q VALUES LESS THAN (1))",
            1493,
        ),
        (
            "CREATE TABLE e (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (MAXVALUE), PARTITION q VALUES LESS THAN (1))",
            1481,
        ),
        (
            "CREATE TABLE e (a INT) PARTITION BY LIST (a) (PARTITION p VALUES IN (1), PARTITION q VALUES IN (1))",
            1495,
        ),
        (
            "CREATE TABLE e (a INT) PARTITION BY RANGE (a) (PARTITION p VALUES IN (1))",
            1480,
        ),
        ("CREATE TABLE e (a INT) PARTITION BY LIST (a)", 1492),
        ("CREATE TABLE e (a INT) PARTITION BY HASH (b)", 1054),
        ("CREATE TABLE e (a INT) PARTITION BY HASH (SIN(a))", 1564),
        ("CREATE TABLE e (a INT) PARTITION BY HASH (1)", 1486),
        (
            "CREATE TABLE e (a TIMESTAMP) PARTITION BY HASH (YEAR(a))",
            1486,
        ),
        ("CREATE TABLE e (a DATE) PARTITION BY HASH (a)", 1659),
        (
            "CREATE TABLE e (a INT, b INT, PRIMARY KEY (a)) PARTITION BY HASH (b)",
            1503,
        ),
        (
            "CREATE TABLE e (a INT, b INT, UNIQUE KEY (a)) PARTITION BY HASH (b)",
            8264,
        ),
        ("CREATE TABLE e (a INT) PARTITION BY KEY (b)", 1488),
        (
            "CREATE TABLE e (a INT) PARTITION BY HASH (a) PARTITIONS 10000",
            1499,
        ),
        (
            "CREATE TABLE e (a INT) PARTITION BY RANGE COLUMNS (a) (PARTITION p VALUES LESS THAN ('x'))",
            1654,
        ),
    ] {
        assert_eq!(refused(&mut conn, statement).await, code, "{statement}");
    }
    // A row that fits no partition leaves a plain table whole.
    run(&mut conn, &["INSERT INTO n VALUES (15, 1)"]).await;
    let exchange = "ALTER TABLE r EXCHANGE PARTITION p0 WITH TABLE n";
    assert_eq!(refused(&mut conn, exchange).await, 1737);
    run(&mut conn, &["INSERT IGNORE INTO r VALUES (20, 1), (1, 1)"]).await;
    let rows = compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
    assert_eq!(rows["r"].len(), 1);
    assert_eq!(rows["n"].len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reorganisation_goes_on_after_a_crash() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &["CREATE TABLE t (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 2"],
    )
    .await;
    const ROWS: usize = 6_000;
    for chunk in (0..ROWS).collect::<Vec<_>>().chunks(2000) {
        let list: Vec<String> = chunk.iter().map(|n| format!("({n}, {n})")).collect();
        run(
            &mut conn,
            &[&format!("INSERT INTO t VALUES {}", list.join(", "))],
        )
        .await;
    }
    let last = catalog(&client, NEW).await.last_global_id();
    let mut changing = cluster.sql().await;
    let change = tokio::spawn(async move {
        let change = "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 3";
        changing.query_drop(change).await
    });
    // The first rows are at their new place; the rest is still to come.
    let (start, end) = (keys::table_prefix(last + 1), keys::table_prefix(last + 20));
    until("rows in new partitions", || async {
        let snapshot = client.snapshot(client.tso().await.map_err(|e| e.to_string())?);
        let (rows, _) = snapshot
            .page(&start, &end)
            .await
            .map_err(|e| e.to_string())?;
        match rows.is_empty() {
            true => Err(format!("none between {} and {}", last + 1, last + 20)),
            false => Ok(()),
        }
    })
    .await;
    cluster.kill(Part::Tidb);
    let _ = change.await.unwrap();
    cluster.spawn(Part::Tidb);
    conn = cluster.sql().await;
    let rows = compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
    assert_eq!(rows["t"].len(), ROWS);
    let info = table(&client, NEW, "t").await;
    assert_eq!(info.physical_ids().len(), 3);
    partitions_agree(&mut conn, &client, NEW, "t").await;
}

//! RECOVER TABLE and FLASHBACK TABLE: what was dropped or emptied is there again, in MariaDB and in TiKV, or is refused.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::path::PathBuf;
use std::time::Duration;

use cluster::rows::{by_sql, catalog, compare_all};
use cluster::sql::{log_in, outcome, refused, run};
use cluster::{Cluster, Part};
use embedded::tidb::apply::mend::mend;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

const NEW: &str = "v8.5.3";
const OLD: &str = "v4.0.16";

/// What the last job did.
async fn last_job(conn: &mut Conn) -> (String, String, String) {
    let row: Row = conn
        .query_first("ADMIN SHOW DDL JOBS 1")
        .await
        .unwrap()
        .unwrap();
    let text = |name: &str| row.get::<String, _>(name).unwrap();
    (text("TABLE_NAME"), text("JOB_TYPE"), text("STATE"))
}

async fn first_number(conn: &mut Conn, sql: &str) -> i64 {
    conn.query_first(sql).await.unwrap().unwrap()
}

/// What there is of every type, in the ways a table can be laid out.
const TABLES: [&str; 8] = [
    "CREATE TABLE whole (id INT PRIMARY KEY, v VARCHAR(20), KEY k (v))",
    "CREATE TABLE rows_only (v VARCHAR(20), UNIQUE KEY u (v))",
    "CREATE TABLE `we``ird \"n.am'e` (`a``b` INT PRIMARY KEY, `c'd` INT DEFAULT 7)",
    "CREATE TABLE counted (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT)",
    "CREATE TABLE divided (id INT, v INT, KEY k (v)) PARTITION BY RANGE (id) \
     (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)",
    "CREATE TABLE hashed (id INT, v INT) PARTITION BY HASH (id) PARTITIONS 3",
    "CREATE TABLE made (id INT PRIMARY KEY, v INT, d INT AS (v * 2), s INT AS (v + 1) STORED, KEY k (d))",
    "CREATE TABLE typed (id INT PRIMARY KEY, t TINYINT, bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, n DECIMAL(30, 10), \
     b BIT(9), y YEAR, da DATE, dt DATETIME(3), ts TIMESTAMP(6) NULL, ti TIME(2), c CHAR(5), x TEXT, bi VARBINARY(9), \
     bl BLOB, e ENUM('x', 'y''z'), s SET('p', 'q', 'r'), j JSON)",
];

const ROWS: [&str; 8] = [
    "INSERT INTO whole VALUES (-1, 'a'), (0, NULL), (7, 'it''s \\\\ ü')",
    "INSERT INTO rows_only VALUES ('a'), (NULL), ('b')",
    "INSERT INTO `we``ird \"n.am'e` VALUES (1, 2), (3, DEFAULT)",
    "INSERT INTO counted (v) VALUES (1), (2), (3)",
    "INSERT INTO divided VALUES (1, 1), (11, 2), (NULL, 3)",
    "INSERT INTO hashed VALUES (1, 1), (2, 2), (30, 3)",
    "INSERT INTO made (id, v) VALUES (1, 10), (2, NULL)",
    "INSERT INTO typed VALUES (1, -128, 18446744073709551615, 1.1, -2.2250738585072014e-308, -12345678901234567890.0987654321, \
     b'101010101', 1901, '2024-02-29', '2024-02-29 23:59:59.999', '2038-01-19 03:14:07.999999', '-838:59:59', \
     'a', 'ünï', x'00ff5c27', x'00', 'y''z', 'p,r', '{\"a\": [1, 2.5, null, \"ü\"]}'), \
     (2, NULL, 0, 0, 1e308, 0, b'0', 2155, '1000-01-01', NULL, NULL, '00:00:00.01', '', '', '', '', 'x', '', 'null')",
];

const NAMES: [&str; 8] = [
    "whole",
    "rows_only",
    "`we``ird \"n.am'e`",
    "counted",
    "divided",
    "hashed",
    "made",
    "typed",
];

async fn dropped_tables_come_back(version: &'static str) {
    let mut cluster = Cluster::start(version).await;
    let mut conn = cluster.sql().await;
    run(&mut conn, &["SET time_zone = '+03:00'"]).await;
    run(&mut conn, &TABLES).await;
    run(&mut conn, &ROWS).await;
    let (mut held, mut created) = (vec![], vec![]);
    for name in NAMES {
        held.push(by_sql(&mut conn, name).await);
        let (_, text): (String, String) = conn
            .query_first(format!("SHOW CREATE TABLE {name}"))
            .await
            .unwrap()
            .unwrap();
        created.push(text);
    }
    run(&mut conn, &[&format!("DROP TABLE {}", NAMES.join(", "))]).await;
    cluster.verify().await;
    for (n, name) in NAMES.iter().enumerate() {
        let verb = ["RECOVER", "FLASHBACK"][n % 2];
        run(&mut conn, &[&format!("{verb} TABLE {name}")]).await;
        let (_, kind, state) = last_job(&mut conn).await;
        assert_eq!((kind.as_str(), state.as_str()), ("recover table", "synced"));
    }
    for (name, held) in NAMES.iter().zip(held) {
        assert_eq!(by_sql(&mut conn, name).await, held, "{name}");
    }
    for (name, before) in NAMES.iter().zip(created) {
        let (_, after): (String, String) = conn
            .query_first(format!("SHOW CREATE TABLE {name}"))
            .await
            .unwrap()
            .unwrap();
        // Of AUTO_INCREMENT the range that was taken is gone, as of a server that has started again.
        assert_eq!(
            after,
            before.replace("AUTO_INCREMENT=4", "AUTO_INCREMENT=30001")
        );
    }
    cluster.verify().await;
    run(
        &mut conn,
        &[
            "INSERT INTO whole VALUES (8, 'b')",
            "INSERT INTO rows_only VALUES ('c')",
            "INSERT INTO counted (v) VALUES (4)",
            "INSERT INTO divided VALUES (12, 4)",
            "UPDATE made SET v = 5",
            "DELETE FROM typed WHERE id = 1",
            "ALTER TABLE typed ADD COLUMN more INT DEFAULT 3",
        ],
    )
    .await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_tables_of_8_5_come_back() {
    dropped_tables_come_back(NEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_tables_of_4_0_come_back() {
    dropped_tables_come_back(OLD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_table_comes_back_under_another_name() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_RANDOM(3), v INT)",
            "INSERT INTO t (v) VALUES (1), (2)",
            "TRUNCATE TABLE t",
            "INSERT INTO t (v) VALUES (3)",
        ],
    )
    .await;
    let old = catalog(&client, NEW).await;
    let id = old.table("test", "t").unwrap().id;
    assert_eq!(refused(&mut conn, "FLASHBACK TABLE t").await, 1050);
    assert_eq!(refused(&mut conn, "RECOVER TABLE t").await, 1050);
    run(&mut conn, &["FLASHBACK TABLE t TO `T 2`"]).await;
    let (name, kind, _) = last_job(&mut conn).await;
    assert_eq!((name.as_str(), kind.as_str()), ("t 2", "recover table"));
    let new = catalog(&client, NEW).await;
    assert!(new.table("test", "t 2").unwrap().id < id);
    assert_eq!(by_sql(&mut conn, "`t 2`").await.len(), 2);
    assert_eq!(first_number(&mut conn, "SELECT v FROM t").await, 3);
    assert_eq!(refused(&mut conn, "FLASHBACK TABLE t TO t3").await, 1050);
    // Both make values of their own, after a restart too.
    drop(conn);
    cluster.stop(Part::Tidb);
    cluster.spawn(Part::Tidb);
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "INSERT INTO t (v) VALUES (4)",
            "INSERT INTO `T 2` (v) VALUES (5), (6)",
            "DROP TABLE `T 2`",
            "INSERT INTO t (v) VALUES (7)",
            "FLASHBACK TABLE `t 2`",
        ],
    )
    .await;
    assert_eq!(by_sql(&mut conn, "`T 2`").await.len(), 4);
    compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_values_of_any_kind_come_back() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    let long = format!(
        "INSERT INTO odd (id, l) VALUES (9, REPEAT('ü', {}))",
        3 << 19
    );
    run(
        &mut conn,
        &[
            "CREATE TABLE odd (id INT, g VARCHAR(9) CHARSET gbk, l LONGTEXT CHARSET latin1 COLLATE latin1_bin, \
             e ENUM('x'), d DATE, n VARCHAR(9) COLLATE utf8mb4_0900_ai_ci, KEY (g), KEY (n)) SHARD_ROW_ID_BITS = 4",
            "INSERT INTO odd VALUES (1, '啊', 'é', 'x', '2024-01-01', 'é')",
            "SET sql_mode = 'ALLOW_INVALID_DATES'",
            "INSERT INTO odd (id, e) VALUES (5, 'nope')",
            "INSERT INTO odd (id, d) VALUES (2, '0000-00-00'), (3, '2023-02-31')",
            "SET sql_mode = DEFAULT",
            &long,
            "CREATE TABLE clustered (a VARCHAR(10) COLLATE utf8mb4_general_ci, b INT, v INT, PRIMARY KEY (a, b), \
             KEY e ((LOWER(a))))",
            "INSERT INTO clustered VALUES ('A', 1, 1), ('b', -2, 2)",
            "CREATE TABLE cached (id INT AUTO_INCREMENT PRIMARY KEY, v INT) AUTO_ID_CACHE 1",
            "INSERT INTO cached (v) VALUES (1)",
            "CREATE TABLE by_key (id INT, v INT) PARTITION BY KEY (id) PARTITIONS 3",
            "INSERT INTO by_key VALUES (1, 1), (2, 2)",
            "CREATE TABLE bare (v INT)",
            "CREATE DATABASE elsewhere",
            "RENAME TABLE bare TO elsewhere.bare",
            "INSERT INTO elsewhere.bare VALUES (1), (2)",
        ],
    )
    .await;
    let names = ["odd", "clustered", "cached", "by_key", "elsewhere.bare"];
    let mut held = vec![];
    for name in names {
        held.push(by_sql(&mut conn, name).await);
        run(&mut conn, &[&format!("DROP TABLE {name}")]).await;
    }
    for (name, held) in names.iter().zip(held) {
        run(&mut conn, &[&format!("FLASHBACK TABLE {name}")]).await;
        assert_eq!(by_sql(&mut conn, name).await, held, "{name}");
    }
    run(
        &mut conn,
        &[
            "INSERT INTO cached (v) VALUES (2)",
            "INSERT INTO odd (id) VALUES (4)",
            "INSERT INTO elsewhere.bare VALUES (3)",
        ],
    )
    .await;
    let id = first_number(&mut conn, "SELECT id FROM cached WHERE v = 2").await;
    assert_eq!(id, 4001);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_come_back_is_refused() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE DATABASE gone",
            "CREATE TABLE gone.t (id INT PRIMARY KEY)",
            "CREATE TABLE t (id INT PRIMARY KEY)",
            "INSERT INTO t VALUES (1)",
            "CREATE VIEW v AS SELECT 1",
            "CREATE SEQUENCE s",
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE c (id INT, FOREIGN KEY f (id) REFERENCES p (id))",
            "DROP VIEW v",
            "DROP SEQUENCE s",
            "DROP TABLE c",
            "DROP TABLE t",
            "DROP TABLE gone.t",
        ],
    )
    .await;
    let job = |at: usize| format!("ADMIN SHOW DDL JOBS {at}");
    let jobs: Vec<Row> = conn.query(job(3)).await.unwrap();
    let ids: Vec<i64> = jobs.iter().map(|row| row.get("JOB_ID").unwrap()).collect();
    assert_eq!(outcome(&mut conn, "RECOVER TABLE v").await, Some(1105));
    assert_eq!(outcome(&mut conn, "RECOVER TABLE s").await, Some(1105));
    assert_eq!(
        outcome(&mut conn, "FLASHBACK TABLE nothing").await,
        Some(1105)
    );
    assert_eq!(
        outcome(&mut conn, "RECOVER TABLE nowhere.t").await,
        Some(1105)
    );
    assert_eq!(
        outcome(&mut conn, "RECOVER TABLE mysql.t").await,
        Some(1235)
    );
    assert_eq!(outcome(&mut conn, "RECOVER TABLE c").await, Some(1235));
    assert_eq!(
        outcome(&mut conn, "RECOVER TABLE BY JOB 123456").await,
        Some(8211)
    );
    assert_eq!(
        outcome(&mut conn, "FLASHBACK DATABASE gone").await,
        Some(1235)
    );
    let error = conn
        .query_drop("FLASHBACK TABLE nothing")
        .await
        .unwrap_err();
    let text = "Can't find localTemporary/dropped/truncated table: nothing in DDL history jobs";
    assert!(error.to_string().contains(text), "{error}");
    run(&mut conn, &["DROP DATABASE gone"]).await;
    let by_job = format!("RECOVER TABLE BY JOB {}", ids[0]);
    assert_eq!(outcome(&mut conn, &by_job).await, Some(1049));
    assert_eq!(outcome(&mut conn, "RECOVER TABLE gone.t").await, Some(1105));
    // Only who may do everything may.
    run(
        &mut conn,
        &["CREATE USER u IDENTIFIED BY ''", "GRANT ALL ON test.* TO u"],
    )
    .await;
    let by_job = format!("RECOVER TABLE BY JOB {}", ids[1]);
    let mut user = log_in(&cluster, "u", None).await.unwrap();
    assert_eq!(outcome(&mut user, &by_job).await, Some(1227));
    run(&mut conn, &["GRANT SUPER ON *.* TO u"]).await;
    let mut user = log_in(&cluster, "u", None).await.unwrap();
    run(&mut user, &[&by_job]).await;
    assert_eq!(outcome(&mut conn, &by_job).await, Some(1050));
    assert_eq!(first_number(&mut conn, "SELECT id FROM t").await, 1);
    // A job that dropped nothing.
    let jobs: Vec<Row> = conn.query(job(1)).await.unwrap();
    let id: i64 = jobs[0].get("JOB_ID").unwrap();
    let by_job = format!("RECOVER TABLE BY JOB {id}");
    assert_eq!(outcome(&mut conn, &by_job).await, Some(1105));
    // What garbage is collected of is gone.
    run(
        &mut conn,
        &["TRUNCATE TABLE t", "SET GLOBAL tidb_gc_life_time = '0s'"],
    )
    .await;
    let jobs: Vec<Row> = conn.query(job(1)).await.unwrap();
    let id: i64 = jobs[0].get("JOB_ID").unwrap();
    let by_job = format!("RECOVER TABLE BY JOB {id}");
    assert_eq!(outcome(&mut conn, &by_job).await, Some(8055));
    let error = conn
        .query_drop("FLASHBACK TABLE t TO t2")
        .await
        .unwrap_err();
    let text = "Can't find dropped/truncated table 't' in GC safe point";
    assert!(error.to_string().contains(text), "{error}");
    // What is shown does not tell where MariaDB has made it.
    let left: Vec<String> = conn
        .query(
            "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%restored%'",
        )
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_recovery_is_completed_or_dropped() {
    const ROWS: usize = 3000;
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let opts: Opts = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(cluster.tidb_port())
        .user(Some("root"))
        .db_name(Some("test"))
        .prefer_socket(false)
        .into();
    let mut conn = cluster.sql().await;
    let values: Vec<String> = (0..ROWS).map(|n| format!("({n}, 'v{n}')")).collect();
    let insert = format!("INSERT INTO many VALUES {}", values.join(", "));
    run(
        &mut conn,
        &[
            "CREATE TABLE many (id INT, v VARCHAR(20), KEY k (v))",
            &insert,
        ],
    )
    .await;
    let mut interrupted = 0;
    for round in 0..8_u64 {
        run(&mut conn, &["DROP TABLE many"]).await;
        let opts = opts.clone();
        let recovery = tokio::spawn(async move {
            let mut conn = Conn::new(opts).await?;
            conn.query_drop("RECOVER TABLE many").await
        });
        // How far it gets by then differs; how long it takes is not told before.
        tokio::time::sleep(Duration::from_millis(20 + round * 40)).await;
        cluster.kill(Part::Tidb);
        interrupted += u64::from(recovery.await.unwrap().is_err());
        cluster.spawn(Part::Tidb);
        conn = cluster.sql().await;
        let schema = catalog(&client, NEW).await;
        if schema.table("test", "many").is_none() {
            run(&mut conn, &["RECOVER TABLE many"]).await;
        }
        let rows = compare_all(&mut conn, &client, NEW).await;
        assert_eq!(rows["many"].len(), ROWS);
        cluster.verify().await;
    }
    assert!(interrupted > 0, "every recovery was done before the kill");
}

/// What MariaDB leaves when it is killed at work on a partitioned table, or on TRUNCATE.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_broken_off_half_way_is_made_anew() {
    const EMPTIED: &str = "ALTER TABLE divided TRUNCATE PARTITION a";
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let all: Vec<&str> = TABLES.into_iter().chain(ROWS).collect();
    run(&mut conn, &all).await;
    let socket = PathBuf::from(cluster.mariadb_socket());
    let mut own = cluster.mariadb().await;
    run(&mut own, &["SET sql_log_bin = 0", "USE test"]).await;
    let schema = catalog(&client, NEW).await;
    // Emptied without the binlog's knowing.
    run(&mut own, &[EMPTIED, "TRUNCATE TABLE rows_only"]).await;
    assert!(!cluster.verified().await.is_clean());
    for sql in [EMPTIED, "TRUNCATE rows_only", "DROP TABLE whole"] {
        mend(&client, &socket, &schema, sql, false).await.unwrap();
    }
    cluster.verify().await;
    // A table that cannot be opened: mending it was broken off in its turn.
    run(&mut own, &["DROP TABLE divided", "FLUSH TABLES"]).await;
    // Another one, without the list of its partitions.
    let data = socket.with_file_name("mariadb");
    std::fs::remove_file(data.join("test/hashed.par")).unwrap();
    let sql = EMPTIED;
    mend(&client, &socket, &schema, sql, true).await.unwrap();
    let sql = "ALTER TABLE hashed PARTITION BY KEY (id) PARTITIONS 2";
    mend(&client, &socket, &schema, sql, true).await.unwrap();
    run(
        &mut conn,
        &[
            "INSERT INTO hashed VALUES (4, 4)",
            "INSERT INTO rows_only VALUES ('z')",
        ],
    )
    .await;
    cluster.verify().await;
}

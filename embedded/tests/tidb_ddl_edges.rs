//! Changes of the schema at the edges of what MariaDB and TiDB have in common: both do the same, or neither does anything.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::fmt::Write as _;

use cluster::sql::{refused, run};
use cluster::{Cluster, until};
use embedded::tidb::catalog::{CiStr, has_one_lower_case};
use mysql_async::Error;
use mysql_async::prelude::Queryable;

const NEW: &str = "v8.5.3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_others_refer_to_go_with_all_of_them() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE DATABASE d1",
            "CREATE DATABASE d2",
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "CREATE TABLE d1.c (id INT, FOREIGN KEY f1 (id) REFERENCES test.p (id))",
            "CREATE TABLE d2.c (id INT, FOREIGN KEY f2 (id) REFERENCES test.p (id))",
        ],
    )
    .await;
    assert_eq!(refused(&mut conn, "DROP TABLE p, d1.c").await, 3730);
    assert_eq!(refused(&mut conn, "DROP TABLE p, d2.c").await, 3730);
    assert_eq!(refused(&mut conn, "DROP DATABASE test").await, 3730);
    run(&mut conn, &["DROP TABLE p, d1.c, d2.c"]).await;
    // Those that refer to one another have no order.
    run(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY, b INT)",
            "CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY ba (a) REFERENCES a (id))",
            "ALTER TABLE a ADD FOREIGN KEY ab (b) REFERENCES b (id)",
            "CREATE TABLE c (id INT PRIMARY KEY, FOREIGN KEY ca (id) REFERENCES a (id))",
        ],
    )
    .await;
    assert_eq!(refused(&mut conn, "DROP TABLE a, b").await, 3730);
    run(&mut conn, &["DROP TABLE a, b, c"]).await;
    run(
        &mut conn,
        &[
            "CREATE TABLE d1.p (id INT PRIMARY KEY)",
            "CREATE TABLE d1.c (id INT, FOREIGN KEY f1 (id) REFERENCES d1.p (id))",
            "CREATE TABLE d2.p (id INT PRIMARY KEY)",
            "CREATE TABLE d1.other (id INT, FOREIGN KEY f2 (id) REFERENCES d2.p (id))",
        ],
    )
    .await;
    assert_eq!(refused(&mut conn, "DROP DATABASE d2").await, 3730);
    run(
        &mut conn,
        &[
            "SET foreign_key_checks = 0",
            "DROP DATABASE d2",
            "SET foreign_key_checks = 1",
        ],
    )
    .await;
    run(&mut conn, &["DROP DATABASE d1"]).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mariadb_would_hold_otherwise_is_refused() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE w (id INT PRIMARY KEY, a VARCHAR(1000) CHARSET latin1, b VARCHAR(768), \
             s VARCHAR(700) CHARSET latin1, UNIQUE (b), UNIQUE (s), KEY (a))",
            "CREATE TABLE g (a INT, b BIGINT UNSIGNED) PARTITION BY HASH (a + 1) PARTITIONS 3",
            "CREATE TABLE s1 (a INT) SHARD_ROW_ID_BITS = 64",
            "INSERT INTO s1 VALUES (1), (2)",
            "INSERT INTO w VALUES (1, 'a', 'b', 's')",
            "INSERT INTO g VALUES (-2147483648, 1), (2147483647, 18446744073709551615)",
        ],
    )
    .await;
    for statement in [
        "CREATE TABLE lu (id INT PRIMARY KEY, a VARCHAR(1000) CHARSET latin1, UNIQUE (a))",
        "CREATE UNIQUE INDEX u ON w (a)",
        "ALTER TABLE w ADD UNIQUE (s, a(100))",
        "ALTER TABLE w MODIFY s VARCHAR(800) CHARSET latin1",
        "CREATE TABLE h (a BIGINT UNSIGNED) PARTITION BY HASH (a * 2) PARTITIONS 3",
        "CREATE TABLE h (a BIGINT, b BIGINT) PARTITION BY HASH (a * b) PARTITIONS 3",
        "CREATE TABLE h (a BIGINT) PARTITION BY RANGE (-a) (PARTITION p VALUES LESS THAN MAXVALUE)",
        "CREATE TABLE h (a INT UNSIGNED) PARTITION BY HASH (a - 10) PARTITIONS 3",
        "ALTER TABLE g PARTITION BY HASH (b + 1) PARTITIONS 2",
        "CREATE TABLE `Ⴀ` (a INT)",
        "CREATE DATABASE `Ⴀ`",
        "RENAME TABLE w TO `Ⴀ`",
    ] {
        assert_eq!(refused(&mut conn, statement).await, 1235, "{statement}");
    }
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_have_one_lower_case() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE `ΑΣ` (`ΒΣ` INT PRIMARY KEY)",
            "INSERT INTO `ΑΣ` VALUES (1)",
            "INSERT INTO `ασ` VALUES (2)",
            "CREATE TABLE `İ` (a INT PRIMARY KEY)",
            "INSERT INTO `i` VALUES (1)",
        ],
    )
    .await;
    cluster.verify().await;
    let mut mariadb = cluster.mariadb().await;
    let all: Vec<char> = ('\u{80}'..='\u{ffff}').collect();
    for characters in all.chunks(2000) {
        let let_in = characters.iter().copied();
        let let_in: Vec<char> = let_in
            .filter(|c| has_one_lower_case(&c.to_string()))
            .collect();
        let text: String = let_in.iter().collect();
        let query = format!(
            "SELECT LOWER(_utf8mb3 x'{}' COLLATE utf8mb3_general_ci)",
            hex::encode(&text)
        );
        let lower: String = mariadb.query_first(query).await.unwrap().unwrap();
        let wrong: Vec<(char, char)> = let_in
            .into_iter()
            .zip(lower.chars())
            .filter(|(c, lower)| CiStr::new(c.to_string()).l != lower.to_string())
            .collect();
        assert_eq!(wrong, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_in_gbk_have_characters() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE g (id INT PRIMARY KEY, c VARCHAR(10) CHARSET gbk)",
            "CREATE TABLE l (id INT PRIMARY KEY, c LONGTEXT CHARSET gbk)",
            "INSERT INTO g VALUES (1, '更新'), (2, NULL), (3, 'a?')",
            "INSERT INTO l VALUES (1, '更新'), (2, NULL), (3, 'a?')",
        ],
    )
    .await;
    for mode in ["DEFAULT", "''"] {
        run(&mut conn, &[&format!("SET sql_mode = {mode}")]).await;
        for table in ["g", "l"] {
            refused(
                &mut conn,
                &format!("INSERT INTO {table} VALUES (4, x'FEFE')"),
            )
            .await;
        }
    }
    // Every code of two bytes: those that MariaDB has a character for, TiDB has the same for.
    let mut insert = "INSERT IGNORE INTO g VALUES (0, '')".to_owned();
    for code in 0x8140..=0xfeff_u32 {
        write!(insert, ", ({code}, x'{code:x}')").unwrap();
    }
    run(&mut conn, &[&insert]).await;
    let rows: Option<u32> = conn
        .query_first("SELECT COUNT(*) FROM g WHERE id > 3")
        .await
        .unwrap();
    assert!(rows.unwrap() > 20_000, "{rows:?}");
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fractions_of_seconds_are_rounded() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &["CREATE TABLE f (id INT PRIMARY KEY, d DATETIME, t TIME, s TIMESTAMP(3) NULL)"],
    )
    .await;
    for (id, mode) in [(1, "DEFAULT"), (2, "''"), (3, "'STRICT_TRANS_TABLES'")] {
        let insert = format!(
            "INSERT INTO f VALUES ({id}, '2020-01-01 23:59:59.5', '10:00:00.6', '2020-01-01 00:00:00.0006')"
        );
        run(&mut conn, &[&format!("SET sql_mode = {mode}"), &insert]).await;
        let set: Option<(String, String, String)> = conn
            .query_first(format!(
                "SELECT CAST(d AS CHAR), CAST(t AS CHAR), CAST(s AS CHAR) FROM f WHERE id = {id}"
            ))
            .await
            .unwrap();
        let rounded = ("2020-01-02 00:00:00", "10:00:01", "2020-01-01 00:00:00.001");
        let (d, t, s) = set.unwrap();
        assert_eq!((d.as_str(), t.as_str(), s.as_str()), rounded, "{mode}");
    }
    // What makes MariaDB do so is not to be seen.
    let shown = "STRICT_TRANS_TABLES".to_owned();
    for query in ["SELECT @@sql_mode", "SELECT @@session.sql_mode"] {
        let mode: Option<String> = conn.query_first(query).await.unwrap();
        assert_eq!(mode.as_ref(), Some(&shown), "{query}");
    }
    let mode: Option<(String, String)> = conn
        .query_first("SHOW VARIABLES LIKE 'sql_mode'")
        .await
        .unwrap();
    assert_eq!(mode, Some(("sql_mode".to_owned(), shown)));
    run(
        &mut conn,
        &[
            "SET @old = @@sql_mode",
            "SET sql_mode = ''",
            "SET sql_mode = @old",
            "SET sql_mode = CONCAT(@@sql_mode, ',NO_ZERO_DATE')",
        ],
    )
    .await;
    let mode: Option<String> = conn.query_first("SELECT @@sql_mode").await.unwrap();
    assert_eq!(mode.as_deref(), Some("STRICT_TRANS_TABLES,NO_ZERO_DATE"));
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_do_not_depend_on_the_session() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "SET sql_mode = ''",
            "CREATE TABLE n (id INT PRIMARY KEY, v INT)",
            "INSERT INTO n VALUES (1, NULL), (2, 2)",
        ],
    )
    .await;
    let not_null = "ALTER TABLE n MODIFY v INT NOT NULL";
    assert_eq!(refused(&mut conn, not_null).await, 1265);
    cluster.verify().await;

    // A statement that has begun is not given up because of a lock.
    run(
        &mut conn,
        &[
            "CREATE TABLE a (id INT PRIMARY KEY)",
            "CREATE TABLE b (id INT PRIMARY KEY)",
        ],
    )
    .await;
    let mut other = cluster.sql().await;
    run(&mut other, &["BEGIN", "INSERT INTO b VALUES (1)"]).await;
    run(&mut conn, &["SET lock_wait_timeout = 1"]).await;
    let dropping = tokio::spawn(async move { conn.query_drop("DROP TABLE a, b").await });
    let mariadb = tokio::sync::Mutex::new(cluster.mariadb().await);
    until("a wait for the lock beyond the session's limit", || async {
        let waits: Option<u32> = mariadb
            .lock()
            .await
            .query_first(
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE state LIKE 'Waiting for table metadata lock' AND time_ms > 2000",
            )
            .await
            .unwrap();
        match waits {
            Some(1..) => Ok(()),
            other => Err(format!(
                "{other:?} wait, the statement ended: {}",
                dropping.is_finished()
            )),
        }
    })
    .await;
    run(&mut other, &["COMMIT"]).await;
    dropping.await.unwrap().unwrap();
    cluster.verify().await;
}

/// Rows that are there get TiDB's value of an added column, while others write.
async fn added_columns_are_filled_alike(version: &'static str) {
    let mut cluster = Cluster::start(version).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "CREATE TABLE j (id INT PRIMARY KEY)",
            "CREATE TABLE r (v INT)",
            "CREATE TABLE ar (id BIGINT AUTO_RANDOM PRIMARY KEY, v INT)",
            "CREATE TABLE fk (id INT PRIMARY KEY, FOREIGN KEY fkj (id) REFERENCES j (id))",
            "INSERT INTO ar (v) VALUES (1)",
            "INSERT INTO j VALUES (1), (2)",
            "INSERT INTO r VALUES (1), (2)",
        ],
    )
    .await;
    let mut other = cluster.sql().await;
    let writing = tokio::spawn(async move {
        for n in 0..100 {
            let insert = format!("INSERT INTO r (v) VALUES ({n})");
            // Those that come after the column lack its value.
            if let Err(error) = other.query_drop(&insert).await {
                assert!(
                    matches!(&error, Error::Server(e) if e.code == 1364),
                    "{error}"
                );
            }
        }
    });
    run(
        &mut conn,
        &[
            "ALTER TABLE j ADD COLUMN a JSON NOT NULL",
            "ALTER TABLE r ADD COLUMN a JSON NOT NULL",
            "ALTER TABLE ar ADD COLUMN a JSON NOT NULL",
            "ALTER TABLE fk ADD COLUMN a JSON NOT NULL, ADD COLUMN d DATETIME DEFAULT NOW()",
        ][..if version == NEW { 4 } else { 3 }],
    )
    .await;
    writing.await.unwrap();
    run(
        &mut conn,
        &[
            "UPDATE j SET a = '[1]' WHERE id = 2",
            "DELETE FROM j WHERE id = 1",
            "DELETE FROM r WHERE v = 1",
        ],
    )
    .await;
    assert_eq!(
        refused(&mut conn, "INSERT INTO j (id) VALUES (3)").await,
        1364
    );
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_columns_are_filled_alike_in_8_5() {
    added_columns_are_filled_alike(NEW).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn added_columns_are_filled_alike_in_4_0() {
    added_columns_are_filled_alike("v4.0.9").await;
}

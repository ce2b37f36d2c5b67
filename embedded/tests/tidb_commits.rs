//! What a client is told is in TiKV, and nothing else.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::rows::{by_sql, catalog, compare_all, in_tikv};
use cluster::{Cluster, Part, until};
use embedded::tidb::codec::{Handle, keys};
use mysql_async::prelude::Queryable;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ok_means_that_tikv_has_it() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))")
        .await
        .unwrap();
    let table = catalog(&client, "v8.5.3")
        .await
        .table("test", "t")
        .unwrap()
        .id;
    for id in 0..20_i64 {
        let before = client.tso().await.unwrap();
        conn.query_drop(format!("INSERT INTO t VALUES ({id}, 'v{id}')"))
            .await
            .unwrap();
        // A timestamp taken after the OK sees the row, one from before does not.
        let after = client.tso().await.unwrap();
        let key = keys::record_key(table, &Handle::Int(id));
        assert!(
            client.snapshot(after).get(&key).await.unwrap().is_some(),
            "row {id} after its OK"
        );
        assert!(
            client.snapshot(before).get(&key).await.unwrap().is_none(),
            "row {id} before its INSERT"
        );
    }
    compare_all(&mut conn, &client, "v8.5.3").await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_writes_nothing_and_a_transaction_its_net_effect() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t VALUES (1, 10), (2, 20)")
        .await
        .unwrap();
    let info = std::sync::Arc::clone(catalog(&client, "v8.5.3").await.table("test", "t").unwrap());
    let before = in_tikv(&client, &info).await;

    conn.query_drop("BEGIN").await.unwrap();
    conn.query_drop("INSERT INTO t VALUES (3, 30)")
        .await
        .unwrap();
    conn.query_drop("UPDATE t SET v = 11 WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(
        in_tikv(&client, &info).await,
        before,
        "nothing before COMMIT"
    );
    conn.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(
        in_tikv(&client, &info).await,
        before,
        "nothing after ROLLBACK"
    );

    conn.query_drop("BEGIN").await.unwrap();
    for statement in [
        "INSERT INTO t VALUES (4, 40)",
        "DELETE FROM t WHERE id = 4",
        "UPDATE t SET id = 5 WHERE id = 1",
        "SAVEPOINT s",
        "INSERT INTO t VALUES (6, 60)",
        "ROLLBACK TO s",
        "REPLACE INTO t VALUES (2, 22)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    conn.query_drop("COMMIT").await.unwrap();
    let rows = compare_all(&mut conn, &client, "v8.5.3").await;
    cluster.verify().await;
    let expected = [["2", "22"], ["5", "10"]].map(|r| r.map(|v| Some(v.to_owned())).to_vec());
    assert_eq!(rows["t"], expected);
    // One transaction, one commit: the moved row is gone and there at the same timestamp.
    let gone = keys::record_key(info.id, &Handle::Int(1));
    let snapshot = client.snapshot(client.tso().await.unwrap());
    assert!(snapshot.get(&gone).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_key_finds_its_row() {
    for version in ["v8.5.3", "v4.0.9"] {
        let mut cluster = Cluster::start(version).await;
        let client = cluster.client().await;
        let mut conn = cluster.sql().await;
        for statement in [
            "CREATE TABLE no_key (a INT, b VARCHAR(10))",
            "CREATE TABLE composite (a INT, b VARCHAR(10), c INT, PRIMARY KEY (a, b))",
            "CREATE TABLE auto (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v INT)",
            "INSERT INTO no_key VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
            "INSERT INTO composite VALUES (1, 'a', 1), (1, 'b', 2), (2, 'a', 3)",
            "UPDATE composite SET b = 'c' WHERE c = 2",
            "DELETE FROM composite WHERE c = 3",
            "UPDATE no_key SET a = 2 WHERE a = 1 LIMIT 1",
            "INSERT INTO auto (v) VALUES (7), (8)",
            "INSERT INTO auto VALUES (18446744073709551614, 9)",
        ] {
            conn.query_drop(statement)
                .await
                .unwrap_or_else(|e| panic!("{statement}: {e}"));
        }
        let rows = compare_all(&mut conn, &client, version).await;
        cluster.verify().await;
        assert_eq!(rows["no_key"].len(), 3);
        assert_eq!(rows["composite"].len(), 2);
        assert_eq!(rows["auto"].len(), 3);
        let columns: Vec<String> = conn
            .query_map("SHOW COLUMNS FROM no_key", |row: mysql_async::Row| {
                row.get(0).unwrap()
            })
            .await
            .unwrap();
        assert_eq!(columns, ["a", "b"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_stop_and_start_keeps_everything() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO t VALUES (1, 10)")
        .await
        .unwrap();
    let pid = cluster.mariadb_pid();
    assert!(cluster.stop(Part::Tidb).success(), "{}", cluster.tidb_log());
    assert!(
        !std::path::Path::new(&format!("/proc/{pid}")).exists(),
        "MariaDB outlived tidb"
    );
    cluster.spawn(Part::Tidb);
    let mut conn = cluster.sql().await;
    conn.query_drop("INSERT INTO t VALUES (2, 20)")
        .await
        .unwrap();
    assert_eq!(by_sql(&mut conn, "t").await.len(), 2);
    compare_all(&mut conn, &client, "v8.5.3").await;
    cluster.verify().await;
    let status = until("the status port", || async {
        reqwest::get(cluster.status_url())
            .await
            .map_err(|e| e.to_string())
    })
    .await;
    let status: serde_json::Value = serde_json::from_slice(&status.bytes().await.unwrap()).unwrap();
    assert_eq!(status["version"], "8.0.11-TiDB-v8.5.3");
    assert_eq!(status["connections"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_table_leaves_no_counter_to_the_next() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    // Longer than a row of MariaDB's may be. The next table gets the id that this one would have had.
    let refused = "CREATE TABLE big (id BIGINT PRIMARY KEY AUTO_RANDOM, a VARCHAR(10000), b VARCHAR(10000)) \
                   AUTO_RANDOM_BASE = 100";
    let error = conn.query_drop(refused).await.unwrap_err().to_string();
    assert!(error.contains("could not run this on MariaDB"), "{error}");
    let ids = "SELECT _tidb_rowid, v FROM t";
    conn.query_drop("CREATE TABLE t (v INT)").await.unwrap();
    conn.query_drop("INSERT INTO t VALUES (7), (8)")
        .await
        .unwrap();
    let counted: Vec<(i64, i64)> = conn.query(ids).await.unwrap();
    assert_eq!(counted, [(1, 7), (2, 8)]);
    conn.query_drop("TRUNCATE TABLE t").await.unwrap();
    conn.query_drop("INSERT INTO t VALUES (9)").await.unwrap();
    let counted: Vec<(i64, i64)> = conn.query(ids).await.unwrap();
    assert_eq!(counted, [(1, 9)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_random_values_are_made_given_and_counted() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let counted = "SELECT id & ((1 << 58) - 1) FROM r ORDER BY 1";
    conn.query_drop("CREATE TABLE r (id BIGINT PRIMARY KEY AUTO_RANDOM, v INT)")
        .await
        .unwrap();
    conn.query_drop("INSERT INTO r (v) VALUES (1), (2)")
        .await
        .unwrap();
    let made = conn.last_insert_id().unwrap();
    assert_eq!(made & ((1 << 58) - 1), 1);
    let told: Option<u64> = conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
    assert_eq!(told, Some(made));
    let prepared = "INSERT INTO r (id, v) VALUES (?, ?)";
    conn.exec_drop(prepared, (None::<i64>, 3)).await.unwrap();
    let refused = conn.exec_drop(prepared, (50, 4)).await.unwrap_err();
    assert!(refused.to_string().contains("8216"), "{refused}");
    conn.query_drop("SET allow_auto_random_explicit_insert = 1")
        .await
        .unwrap();
    conn.exec_drop(prepared, (50, 4)).await.unwrap();
    assert_eq!(conn.last_insert_id(), Some(50));
    conn.query_drop("INSERT INTO r (v) VALUES (5)")
        .await
        .unwrap();
    let ids: Vec<u64> = conn.query(counted).await.unwrap();
    assert_eq!(ids, [1, 2, 3, 50, 51]);
    compare_all(&mut conn, &client, "v8.5.3").await;
    cluster.verify().await;

    conn.query_drop("TRUNCATE TABLE r").await.unwrap();
    cluster.kill(Part::Tidb);
    cluster.spawn(Part::Tidb);
    let mut conn = cluster.sql().await;
    conn.query_drop("INSERT INTO r (v) VALUES (6)")
        .await
        .unwrap();
    let ids: Vec<u64> = conn.query(counted).await.unwrap();
    assert_eq!(ids, [1]);
    compare_all(&mut conn, &client, "v8.5.3").await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auto_random_table_without_its_trigger_gets_it_at_the_start() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE `it's` (id BIGINT PRIMARY KEY AUTO_RANDOM, v INT)")
        .await
        .unwrap();
    // As a crash between MariaDB's CREATE TABLE and the trigger leaves it.
    let mut mariadb = cluster.mariadb().await;
    mariadb.query_drop("SET sql_log_bin = 0").await.unwrap();
    let trigger: Option<String> = mariadb
        .query_first("SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema = 'test'")
        .await
        .unwrap();
    let drop = format!("DROP TRIGGER test.{}", trigger.unwrap());
    mariadb.query_drop(drop).await.unwrap();
    let insert = "INSERT INTO `it's` (v) VALUES (1)";
    let error = conn.query_drop(insert).await.unwrap_err().to_string();
    assert!(error.contains("1364"), "{error}");
    mariadb.disconnect().await.unwrap();
    conn.disconnect().await.unwrap();
    cluster.kill(Part::Tidb);
    cluster.spawn(Part::Tidb);
    let mut conn = cluster.sql().await;
    conn.query_drop(insert).await.unwrap();
    assert_ne!(conn.last_insert_id(), Some(0));
}

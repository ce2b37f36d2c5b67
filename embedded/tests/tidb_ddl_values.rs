//! What DDL statements say about values - defaults, types, partitions, counters - means the same at MariaDB and in TiKV.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::{catalog, compare_all, in_tikv};
use cluster::sql::{refused, run};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

const NEW: &str = "v8.5.3";

/// Refused by name, as what cannot be served.
async fn unserved(conn: &mut Conn, sql: &str) {
    match conn.query_drop(sql).await {
        Err(Error::Server(error)) if error.code == 1235 => {
            assert!(error.message.contains("the embedded TiDB"), "{error:?}");
        }
        other => panic!("{sql}: {other:?}"),
    }
}

async fn shown(conn: &mut Conn, table: &str) -> String {
    let row: Option<(String, String)> = conn
        .query_first(format!("show create table {table}"))
        .await
        .unwrap();
    row.unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_are_read_as_tidb_reads_them() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table d (
                a int primary key,
                b datetime default '2024-01-01 10:00',
                c date default 20240101,
                d time default 100000,
                e datetime(2) default '2024-12-31 23:59:59.999',
                f date default '24-01-01',
                g timestamp default 240102030405,
                h time default '1 2:3'
            )",
            "insert into d (a) values (1)",
        ],
    )
    .await;
    let client = cluster.client().await;
    let rows = compare_all(&mut conn, &client, NEW).await;
    let row: Vec<&str> = rows["d"][0].iter().flatten().map(String::as_str).collect();
    assert_eq!(
        row,
        [
            "1",
            "2024-01-01 10:00:00",
            "2024-01-01",
            "10:00:00",
            "2025-01-01 00:00:00.00",
            "2024-01-01",
            "2024-01-02 03:04:05",
            "26:03:00"
        ]
    );
    let no_month = "create table no (a date default 20241301)";
    assert_eq!(refused(&mut conn, no_month).await, 1067);

    // The offset of a TIMESTAMP default is that of its own date.
    run(
        &mut conn,
        &[
            "set time_zone = 'Europe/Berlin'",
            "create table z (a int primary key, s timestamp default '2024-07-01 12:00:00',
                w timestamp default '2024-12-01 12:00:00')",
            "insert into z (a) values (1)",
        ],
    )
    .await;
    let text = shown(&mut conn, "z").await;
    assert!(text.contains("'2024-07-01 12:00:00'"), "{text}");
    let left_out = "create table no (a timestamp default '2024-03-31 02:30:00')";
    assert_eq!(refused(&mut conn, left_out).await, 1067);
    run(&mut conn, &["set time_zone = '+00:00'"]).await;
    let text = shown(&mut conn, "z").await;
    for utc in ["2024-07-01 10:00:00", "2024-12-01 11:00:00"] {
        assert!(text.contains(&format!("'{utc}'")), "{text}");
    }
    let rows = compare_all(&mut conn, &client, NEW).await;
    let row: Vec<&str> = rows["z"][0].iter().flatten().map(String::as_str).collect();
    assert_eq!(row, ["1", "2024-07-01 10:00:00", "2024-12-01 11:00:00"]);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_rounded_as_tidb_rounds_them() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table n (a int primary key, d double(10,3), f float(10,3), key (d))",
            "insert into n values (1, 1.23456, 1.23456), (2, -0.0016, 7), (3, null, null)",
            "update n set d = d + 1.1111 where a = 1",
        ],
    )
    .await;
    let client = cluster.client().await;
    compare_all(&mut conn, &client, NEW).await;
    let schema = catalog(&client, NEW).await;
    let rows = in_tikv(&client, schema.table("test", "n").unwrap()).await;
    let doubles: Vec<&str> = rows.iter().filter_map(|row| row[1].as_deref()).collect();
    assert_eq!(doubles, ["2.346", "-0.002"]);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_in_which_only_mariadb_alters_rows_are_refused() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table c (a int primary key, d double, b tinyblob, t tinytext, r double(10,2), f float)",
            "insert into c values (1, 1.2345, 'x', 'x  ', 1.5, 1.5)",
            "alter table c add g float default 1.1",
        ],
    )
    .await;
    for change in [
        "d double(30,2)",
        "b binary(255)",
        "t char(255)",
        "g double",
        "f double(30,2)",
    ] {
        unserved(&mut conn, &format!("alter table c modify {change}")).await;
    }
    run(
        &mut conn,
        &[
            "alter table c modify r double(30,4)",
            "alter table c modify f double",
            "alter table c modify b blob",
        ],
    )
    .await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ttl_stays_with_its_column() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table e (a int primary key, c datetime) ttl = `c` + interval 1 day",
            "alter table e change c d datetime",
        ],
    )
    .await;
    let text = shown(&mut conn, "e").await;
    assert!(text.contains("TTL=`d` + INTERVAL 1 DAY"), "{text}");
    run(&mut conn, &["alter table e rename column d to f"]).await;
    for (change, code) in [("drop column f", 8149), ("modify f varchar(30)", 8148)] {
        let sql = format!("alter table e {change}");
        assert_eq!(refused(&mut conn, &sql).await, code, "{sql}");
    }
    run(&mut conn, &["alter table e modify f datetime(3)"]).await;
    let text = shown(&mut conn, "e").await;
    assert!(text.contains("TTL=`f` + INTERVAL 1 DAY"), "{text}");
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_and_the_keys_they_need() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table ab (id int auto_increment primary key, v int) auto_id_cache = 1",
            "insert into ab values (100, 1)",
            "alter table ab auto_increment = 50",
        ],
    )
    .await;
    let warnings: Vec<(String, u16, String)> = conn.query("show warnings").await.unwrap();
    assert!(warnings[0].2.contains("using 101 instead"), "{warnings:?}");
    run(
        &mut conn,
        &[
            "insert into ab (v) values (2)",
            "alter table ab auto_increment = 200",
            "insert into ab (v) values (3)",
        ],
    )
    .await;
    let ids: Vec<u64> = conn.query("select id from ab order by id").await.unwrap();
    assert_eq!(ids, [100, 101, 200]);

    run(
        &mut conn,
        &[
            "create table ai (a int, id int auto_increment, key k (id))",
            "insert into ai (a) values (1)",
            "alter table ai drop index k",
            "insert into ai (a) values (2)",
            "alter table ai add index k (id)",
            "alter table ai drop index k",
            "insert into ai (a) values (3)",
            "create table ap (id int auto_increment, a int, primary key (id) nonclustered)",
            "alter table ap drop primary key",
            "insert into ap (a) values (1)",
        ],
    )
    .await;
    let text = shown(&mut conn, "ai").await;
    assert!(!text.contains("KEY"), "{text}");
    let ids: Vec<u64> = conn.query("select id from ai order by id").await.unwrap();
    assert_eq!(ids, [1, 2, 3]);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_divided_by_what_has_no_sign() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table b (b bit(8)) partition by hash (b) partitions 3",
            "insert into b values (b'0'), (b'1'), (b'11111111'), (null)",
            "create table u (a int unsigned) partition by hash (a + 10) partitions 3",
            "insert into u values (0), (1), (4294967295), (null)",
            "create table y (a year) partition by hash (a) partitions 5",
            "insert into y values (2024), (1999), (null)",
        ],
    )
    .await;
    let client = cluster.client().await;
    compare_all(&mut conn, &client, NEW).await;

    // It may be below 0, which TiDB and MariaDB tell of in different rows.
    let difference = "create table l (a int unsigned) partition by list (a - 10)
        (partition p0 values in (0, 1), partition p1 values in (5))";
    assert_eq!(refused(&mut conn, difference).await, 1235);
    let named = "create table r (_tidb_rowid int primary key)";
    assert_eq!(refused(&mut conn, named).await, 1166);
    run(&mut conn, &["create table r (a int primary key)"]).await;
    for change in ["add _tidb_rowid int", "rename column a to _TIDB_ROWID"] {
        let sql = format!("alter table r {change}");
        assert_eq!(refused(&mut conn, &sql).await, 1166, "{sql}");
    }
    cluster.verify().await;
}

//! The SQL front as tools find it: what it tells about tables and the cluster.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use bytes::Bytes;
use cluster::rows::compare_all;
use cluster::sql::{refused, run};
use cluster::{Cluster, Part};
use futures_util::{StreamExt as _, stream};
use mysql_async::Conn;
use mysql_async::consts::ColumnFlags;
use mysql_async::prelude::Queryable;

const NEW: &str = "v8.5.3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_is_told_by_information_schema() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table a (id bigint unsigned primary key, j json, c timestamp(3) null default '2024-01-01 00:00:00', key k (c))",
            "create table b (x varchar(10) character set latin1 not null, y int comment 'it''s', unique key u (x, y)) comment 'two'",
            "create view v as select id from a",
        ],
    )
    .await;

    // A join over two of its tables, with conditions; and under an alias, with names that carry the database.
    let joined = "select t.table_name, count(*), max(c.data_type) from information_schema.tables t \
                  join information_schema.columns c on c.table_schema = t.table_schema and c.table_name = t.table_name \
                  where t.table_schema = 'test' and t.table_type = 'BASE TABLE' group by t.table_name order by 1 desc";
    let expected = [
        ("b".to_owned(), 2, "varchar".to_owned()),
        ("a".to_owned(), 3, "timestamp".to_owned()),
    ];
    let by_text: Vec<(String, i64, String)> = conn.query(joined).await.unwrap();
    assert_eq!(by_text, expected);
    let prepared: Vec<(String, i64, String)> = conn.exec(joined, ()).await.unwrap();
    assert_eq!(prepared, expected, "prepared");
    let qualified = "select information_schema.columns.column_type from information_schema.columns \
                     where information_schema.columns.column_name = 'j' and table_schema = 'test'";
    let types: Vec<String> = conn.query(qualified).await.unwrap();
    assert_eq!(types, ["json"]);

    // A prepared statement tells of what is there when it is run.
    let count = "select count(*) from information_schema.tables where table_schema = ?";
    let count = conn.prep(count).await.unwrap();
    let of = async |conn: &mut Conn| -> Option<i64> {
        conn.exec_first(&count, ("test",)).await.unwrap()
    };
    assert_eq!(of(&mut conn).await, Some(3));
    run(&mut conn, &["create table late (i int)"]).await;
    assert_eq!(of(&mut conn).await, Some(4));

    let rows: Vec<(String, String, String, Option<i64>)> = conn
        .query("select table_name, tidb_pk_type, table_comment, auto_increment from information_schema.tables where table_schema = 'test' and tidb_pk_type is not null")
        .await
        .unwrap();
    let row = |name: &str, kind: &str, comment: &str| {
        (name.to_owned(), kind.to_owned(), comment.to_owned(), None)
    };
    assert_eq!(
        rows,
        [
            row("a", "CLUSTERED", ""),
            row("b", "NONCLUSTERED", "two"),
            row("late", "NONCLUSTERED", ""),
        ]
    );

    // The current database may be it; names of columns are told as they are written.
    run(&mut conn, &["use information_schema"]).await;
    let mut result = conn
        .query_iter(
            "select Index_Name, seq_in_index, nullable from statistics where table_name = 'b'",
        )
        .await
        .unwrap();
    let columns = result.columns().unwrap();
    assert_eq!(columns[0].name_str(), "Index_Name");
    let keys: Vec<(String, i64, String)> = result.collect().await.unwrap();
    drop(result);
    let key = |seq, nullable: &str| ("u".to_owned(), seq, nullable.to_owned());
    assert_eq!(keys, [key(1, ""), key(2, "YES")]);

    // Times and defaults of times are in the session's zone.
    run(&mut conn, &["set time_zone = '+02:00'", "use test"]).await;
    let default = "select column_default from information_schema.columns where column_name = 'c' and table_name = 'a'";
    let default: Option<String> = conn.query_first(default).await.unwrap();
    assert_eq!(default.as_deref(), Some("2024-01-01 02:00:00.000"));
    let recent = "select count(*) from information_schema.tables where table_name = 'late' \
                  and create_time between now() - interval 5 minute and now()";
    let recent: Option<i64> = conn.query_first(recent).await.unwrap();
    assert_eq!(recent, Some(1));

    // What is not there, and what is not served.
    assert_eq!(
        refused(&mut conn, "select * from information_schema.innodb_trx").await,
        1146
    );
    assert_eq!(
        refused(&mut conn, "select * from information_schema.slow_query").await,
        1235
    );
    assert_eq!(
        refused(&mut conn, "select nope from information_schema.tables").await,
        1054
    );
    let triggers: Vec<String> = conn
        .query("select trigger_name from information_schema.triggers")
        .await
        .unwrap();
    assert!(triggers.is_empty(), "{triggers:?}");
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_is_told_as_pd_knows_it() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    let members: Vec<(String, String, String)> = conn
        .query("select type, version, instance from information_schema.cluster_info order by type")
        .await
        .unwrap();
    let kinds: Vec<(&str, &str)> = members
        .iter()
        .map(|(kind, version, _)| (kind.as_str(), version.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [("pd", "8.5.3"), ("tidb", "8.5.3"), ("tikv", "8.5.3")]
    );
    assert_eq!(members[0].2, cluster.pd_address());
    run(&mut conn, &["create table t (id int primary key)"]).await;
    let regions: Vec<(i64, String)> = conn
        .query("select region_id, table_name from information_schema.tikv_region_status where table_name = 't'")
        .await
        .unwrap();
    assert_eq!(regions.len(), 1, "{regions:?}");
    run(&mut conn, &["set global tidb_gc_life_time = '1h'"]).await;
    let life: Option<String> = conn
        .query_first(
            "select variable_value from mysql.tidb where variable_name = 'tikv_gc_life_time'",
        )
        .await
        .unwrap();
    assert_eq!(life.as_deref(), Some("1h0m0s"));
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_outlives_a_pd_that_is_gone() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(&mut conn, &["create table t (id int primary key)"]).await;
    cluster.kill(Part::Pd);
    assert_eq!(refused(&mut conn, "show table t regions").await, 9001);
    let stores = "select * from information_schema.tikv_region_status";
    assert_eq!(refused(&mut conn, stores).await, 9001);
    run(&mut conn, &["select * from t"]).await;
    cluster.spawn(Part::Pd);
    let conn = tokio::sync::Mutex::new(conn);
    cluster::until("PD's regions", || async {
        let regions = conn.lock().await.query_drop("show table t regions").await;
        regions.map_err(|error| error.to_string())
    })
    .await;
    run(&mut *conn.lock().await, &["insert into t values (1)"]).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regions_are_split_and_shown() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key, v varchar(10), key k (v))",
            "insert into t values (1, 'a'), (5000, 'b')",
        ],
    )
    .await;
    let split = "split table t between (0) and (4000) regions 4";
    let told: Option<(i64, i64)> = conn.query_first(split).await.unwrap();
    assert_eq!(told, Some((4, 1)));
    // What is split already is not split again.
    let told: Option<(i64, i64)> = conn.query_first(split).await.unwrap();
    assert_eq!(told, Some((0, 1)));
    let told: Option<(i64, i64)> = conn
        .query_first("split table t by (7), (-7)")
        .await
        .unwrap();
    assert_eq!(told, Some((2, 1)));
    assert_eq!(
        refused(&mut conn, "split table t between (0) and (1000) regions 4").await,
        8212
    );
    assert_eq!(
        refused(&mut conn, "split table t index k by ('x')").await,
        1235
    );

    let table: Option<i64> = conn
        .query_first("select tidb_table_id from information_schema.tables where table_name = 't'")
        .await
        .unwrap();
    let table = table.unwrap();
    let wanted: Vec<String> = ["", "r", "r_-7", "r_7", "r_1000", "r_2000", "r_3000"]
        .iter()
        .map(|end| format!("t_{table}_{end}"))
        .collect();
    // PD hears of them from the store.
    let rows = cluster::until("seven regions", async || {
        let mut conn = cluster.try_sql().await.map_err(|e| e.to_string())?;
        let rows: Vec<mysql_async::Row> = conn
            .query("show table t regions")
            .await
            .map_err(|e| e.to_string())?;
        let starts: Vec<String> = rows
            .iter()
            .map(|row| row.get("START_KEY").unwrap())
            .collect();
        match starts == wanted {
            true => Ok(rows),
            false => Err(format!("{starts:?}")),
        }
    })
    .await;
    let of_pd: Vec<i64> = conn
        .query("select region_id from information_schema.tikv_region_status where table_name = 't' order by region_id")
        .await
        .unwrap();
    let mut ids: Vec<i64> = rows
        .iter()
        .map(|row| row.get("REGION_ID").unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, of_pd);

    // Rows and entries are found in all of them, and sum up to the same again.
    run(&mut conn, &["admin check table t"]).await;
    let checksum = "admin checksum table t";
    let first: Option<(String, String, u64, i64, i64)> = conn.query_first(checksum).await.unwrap();
    let again: Option<(String, String, u64, i64, i64)> = conn.query_first(checksum).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(first.map(|row| row.3), Some(4));
    let jobs: Vec<mysql_async::Row> = conn.query("admin show ddl jobs 1").await.unwrap();
    let job = &jobs[0];
    assert_eq!(jobs.len(), 1);
    assert_eq!(job.get::<String, _>("JOB_TYPE").unwrap(), "create table");
    assert_eq!(job.get::<i64, _>("TABLE_ID").unwrap(), table);
    assert_eq!(job.get::<String, _>("STATE").unwrap(), "synced");
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_kept_is_refused() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(&mut conn, &["create table t (id int primary key)"]).await;
    assert_eq!(refused(&mut conn, "begin optimistic").await, 1235);
    run(
        &mut conn,
        &[
            "set tidb_txn_mode = 'optimistic'",
            "insert into t values (1)",
        ],
    )
    .await;
    assert_eq!(refused(&mut conn, "begin").await, 1235);
    assert_eq!(refused(&mut conn, "start transaction").await, 1235);
    run(
        &mut conn,
        &["begin pessimistic", "insert into t values (2)", "commit"],
    )
    .await;
    run(&mut conn, &["set autocommit = 0"]).await;
    assert_eq!(refused(&mut conn, "insert into t values (3)").await, 1235);
    run(&mut conn, &["set tidb_txn_mode = ''", "set autocommit = 1"]).await;
    let ids: Vec<i64> = conn.query("table t order by id").await.unwrap();
    assert_eq!(ids, [1, 2]);
    assert_eq!(refused(&mut conn, "values row(1, 2)").await, 1051);
    assert_eq!(
        refused(&mut conn, "set session tidb_gc_life_time = '1h'").await,
        1229
    );
    assert_eq!(
        refused(&mut conn, "set global tidb_snapshot = ''").await,
        1228
    );
    assert_eq!(
        refused(&mut conn, "set tidb_snapshot = '2000-01-01'").await,
        8055
    );
    assert_eq!(refused(&mut conn, "set tidb_snapshot = now()").await, 1235);
    assert_eq!(refused(&mut conn, "select @@wsrep_on").await, 1193);
    run(&mut conn, &["kill 4294967295"]).await;
    let warned: Option<(String, u16, String)> = conn.query_first("show warnings").await.unwrap();
    assert_eq!(warned.map(|w| w.1), Some(1105));
    cluster.verify().await;
}

/// Runs a LOAD DATA statement for which the client sends a file in these pieces; it fails in the end if there is an error.
async fn load(
    conn: &mut Conn,
    statement: &str,
    pieces: Vec<std::io::Result<Bytes>>,
) -> mysql_async::Result<u64> {
    conn.set_infile_handler(async move { Ok(stream::iter(pieces).boxed()) });
    conn.query_drop(statement).await?;
    Ok(conn.affected_rows())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_client_are_loaded() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key, v varchar(10) not null)",
            "create table r (id bigint primary key auto_random, v text)",
        ],
    )
    .await;
    let pieces = |pieces: &[&'static str]| -> Vec<std::io::Result<Bytes>> {
        pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect()
    };
    let into_t = "load data local infile 'f' into table t fields terminated by ','";
    // Pieces end within lines.
    let loaded = load(&mut conn, into_t, pieces(&["1,a\n2", ",b\n", "3,c\n"])).await;
    assert_eq!(loaded.unwrap(), 3);
    assert_eq!(
        load(&mut conn, into_t, vec![]).await.unwrap(),
        0,
        "an empty file"
    );
    // A row that is there is left as it is; the client may give columns and expressions.
    let with_columns = format!("{into_t} ignore 1 lines (id, @x) set v = concat(@x, '!')");
    let loaded = load(&mut conn, &with_columns, pieces(&["id,v\n3,z\n4,d\n"])).await;
    assert_eq!(loaded.unwrap(), 1);

    // Refused before a file is asked for, and in the midst of one, after which the driver has no more use for its connection.
    let missing = "load data local infile 'f' into table nope";
    let missing = load(&mut conn, missing, pieces(&["1\n"])).await;
    assert!(
        matches!(&missing, Err(mysql_async::Error::Server(e)) if e.code == 1146),
        "{missing:?}"
    );
    let big: String = (10..2_000).map(|id| format!("{id},x\n")).collect();
    let broken = vec![
        Ok(Bytes::from(big)),
        Err(std::io::Error::other("the disk is gone")),
    ];
    let failed = load(&mut conn, into_t, broken).await;
    assert!(failed.is_err(), "{failed:?}");
    let mut conn = cluster.sql().await;
    assert_eq!(
        refused(&mut conn, "load data infile '/etc/passwd' into table t").await,
        1235
    );

    let into_r = "load data local infile 'f' into table r (v)";
    assert_eq!(
        load(&mut conn, into_r, pieces(&["one\ntwo\n"]))
            .await
            .unwrap(),
        2
    );
    let large = "y".repeat(20 << 20);
    let into_large = "load data local infile 'f' into table r (v)";
    let file = vec![Ok(Bytes::from("x".repeat(40_000) + "\n"))];
    assert_eq!(load(&mut conn, into_large, file).await.unwrap(), 1);
    // Packets of more than 16 MB in both directions.
    let bound: Option<String> = conn.exec_first("select ?", (&large,)).await.unwrap();
    assert!(bound.as_deref() == Some(large.as_str()));
    let quoted: Option<String> = conn.query_first(format!("select '{large}'")).await.unwrap();
    assert!(quoted.as_deref() == Some(large.as_str()));
    compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_not_filled_up() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table z (id int primary key, n int(5) zerofill, d decimal(8, 2) zerofill, t varchar(20) as (concat(n, ':', d)))",
            "insert into z (id, n, d) values (1, 42, 1.5)",
            "alter table z add column m bigint zerofill not null default 7",
        ],
    )
    .await;
    let rows: Vec<mysql_async::Row> = conn.query("select n, d, t, m from z").await.unwrap();
    let prepared: Vec<mysql_async::Row> = conn.exec("select n, d, t, m from z", ()).await.unwrap();
    for row in [&rows[0], &prepared[0]] {
        let values: (u32, String, String, u64) = mysql_async::from_row(row.clone());
        assert_eq!(values, (42, "1.50".to_owned(), "42:1.50".to_owned(), 7));
        let flags = row.columns_ref().iter().map(|c| c.flags());
        let filled: Vec<bool> = flags
            .map(|f| f.contains(ColumnFlags::ZEROFILL_FLAG))
            .collect();
        assert_eq!(filled, [true, true, false, true]);
    }
    cluster.verify().await;
}

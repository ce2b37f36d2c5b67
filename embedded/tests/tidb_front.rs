//! The SQL front as tools find it: what it tells about tables and the cluster.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const NEW: &str = "v8.5.3";

async fn run(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        conn.query_drop(*statement)
            .await
            .unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

/// The code of the error that a statement ends with.
async fn error(conn: &mut Conn, statement: &str) -> u16 {
    match conn.query_drop(statement).await {
        Err(mysql_async::Error::Server(error)) => error.code,
        other => panic!("{statement}: {other:?}"),
    }
}

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
        error(&mut conn, "select * from information_schema.innodb_trx").await,
        1146
    );
    assert_eq!(
        error(&mut conn, "select * from information_schema.slow_query").await,
        1235
    );
    assert_eq!(
        error(&mut conn, "select nope from information_schema.tables").await,
        1054
    );
    let triggers: Vec<String> = conn
        .query("select trigger_name from information_schema.triggers")
        .await
        .unwrap();
    assert!(triggers.is_empty(), "{triggers:?}");
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
}

//! What the front keeps from MariaDB: texts that would mean something else there, and what a user may not do.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::compare_all;
use cluster::sql::{log_in, refused, run};
use mysql_async::prelude::Queryable;

const NEW: &str = "v8.5.3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_accounts_are_no_way_around_the_front() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    for (sql, code) in [
        (
            "set names utf8mb4 collate 'utf8mb4_bin, sql_log_bin=0'",
            1273,
        ),
        ("alter user current_user() identified by 'x'", 1235),
        ("set password = 'x'", 1235),
        ("select ñandú()", 1305),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    run(
        &mut conn,
        &[
            "create user u1 identified by 'x'",
            "set password for u1 = 'y'",
            "create table t (id int primary key)",
            "insert into t values (1)",
        ],
    )
    .await;
    let mut u1 = log_in(&cluster, "u1", Some("y")).await.unwrap();
    run(&mut u1, &["set password = 'z'"]).await;
    u1.disconnect().await.unwrap();
    let denied = log_in(&cluster, "u1", Some("y")).await.unwrap_err();
    assert_eq!(denied.0, 1045);
    let mut u1 = log_in(&cluster, "u1", Some("z")).await.unwrap();
    assert_eq!(refused(&mut u1, "set password for root = 'x'").await, 1235);
    u1.disconnect().await.unwrap();
    compare_all(&mut conn, &cluster.client().await, NEW).await;
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_of_times_are_the_same_at_mariadb_in_any_time_zone() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "set time_zone = '+08:00'",
            "create table t (id int primary key, a timestamp not null default '2020-01-01 00:00:00')",
            "insert into t (id) values (1)",
            "alter table t add column b timestamp default '2021-01-01 00:00:00'",
            "alter table t add column c datetime(3) default now(3), add column d timestamp(6) default now(6)",
            "insert into t (id) values (2)",
        ],
    )
    .await;
    let told: Vec<(i32, String, String)> = conn
        .query("select id, cast(a as char), cast(b as char) from t order by id")
        .await
        .unwrap();
    let row = |id| {
        let (a, b) = ("2020-01-01 00:00:00", "2021-01-01 00:00:00");
        (id, a.to_owned(), b.to_owned())
    };
    assert_eq!(told, [row(1), row(2)]);
    // The column is there since a moment ago, in the session's time zone.
    let recent = "select count(*) from t where c between now() - interval 5 minute and now() + interval 1 second \
                  and d between now() - interval 5 minute and now() + interval 1 second";
    let recent: Option<i64> = conn.query_first(recent).await.unwrap();
    assert_eq!(recent, Some(2));
    let zone: Option<String> = conn.query_first("select @@time_zone").await.unwrap();
    assert_eq!(zone.as_deref(), Some("+08:00"));
    run(&mut conn, &["set time_zone = '+00:00'"]).await;
    compare_all(&mut conn, &cluster.client().await, NEW).await;
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_come_in_gbk_and_names_of_the_schema_do_not() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table `表` (id int primary key, v varchar(10))",
            "set names gbk",
        ],
    )
    .await;
    let tables: Option<Vec<u8>> = conn.query_first("show tables").await.unwrap();
    assert_eq!(tables.as_deref(), Some(&b"\xb1\xed"[..]), "表 in GBK");
    run(
        &mut conn,
        &["create table t (id int primary key, v varchar(10))"],
    )
    .await;
    conn.exec_drop("insert into t values (?, ?)", (1, &b"\xb1\xed"[..]))
        .await
        .unwrap();
    let client: Option<String> = conn
        .query_first("select @@character_set_client")
        .await
        .unwrap();
    assert_eq!(client.as_deref(), Some("gbk"));
    run(&mut conn, &["set names utf8mb4"]).await;
    let v: Option<String> = conn.query_first("select v from t").await.unwrap();
    assert_eq!(v.as_deref(), Some("表"));
    compare_all(&mut conn, &cluster.client().await, NEW).await;
    conn.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_statements_are_given_the_values_of_each_run() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table a (id bigint primary key auto_random, v int)",
            "prepare s from 'select count(*) from information_schema.tables where table_schema = ?'",
            "set @db = 'test'",
            "prepare i from 'insert into a (v) values (?)'",
            "set @v = 1",
            "execute i using @v",
        ],
    )
    .await;
    let count = "execute s using @db";
    let told: Option<i64> = conn.query_first(count).await.unwrap();
    assert_eq!(told, Some(1));
    run(&mut conn, &["create table b (id int primary key)"]).await;
    let told: Option<i64> = conn.query_first(count).await.unwrap();
    assert_eq!(told, Some(2));
    let made: Option<(u64, u64)> = conn
        .query_first("select id, last_insert_id() from a")
        .await
        .unwrap();
    assert!(made.is_some_and(|(id, last)| id == last), "{made:?}");
    run(
        &mut conn,
        &[
            "set @text = 'select 1'",
            "prepare t from @text",
            "execute t",
            "deallocate prepare t",
        ],
    )
    .await;
    for (sql, code) in [
        ("prepare x from @ 'select 1'", 1064),
        ("prepare x from 'select 1' 'x'", 1064),
        ("prepare x from 'create table c (a int)'", 1235),
        ("prepare x from 'execute s'", 1235),
        ("prepare x from 'insert into mysql.user values (1)'", 1235),
        ("prepare x from ''", 1065),
        ("execute t", 1243),
        ("flush tables with read lock", 1105),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    // In the binary protocol: a semicolon at the end, and rows that are MariaDB's to tell after all.
    let one: Option<i64> = conn.exec_first("select 1;", ()).await.unwrap();
    assert_eq!(one, Some(1));
    let databases: Vec<String> = conn.exec("show databases;", ()).await.unwrap();
    assert!(databases.contains(&"test".to_owned()), "{databases:?}");
    run(&mut conn, &["set global tidb_gc_life_time = '1h'"]).await;
    let both = "select @@global.tidb_enable_clustered_index, @@session.tidb_enable_clustered_index";
    run(&mut conn, &["set session tidb_enable_clustered_index = 0"]).await;
    let both: Option<(String, String)> = conn.query_first(both).await.unwrap();
    let (global, session) = both.unwrap();
    assert_ne!(global, session);
    compare_all(&mut conn, &cluster.client().await, NEW).await;
    conn.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_is_told_wherever_tables_are_listed() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key)",
            "use information_schema",
        ],
    )
    .await;
    for from in [
        "schemata s, tables t",
        "(schemata s join tables t)",
        "schemata s straight_join tables t",
        "schemata s, information_schema.tables t",
        "(information_schema.tables t join schemata s)",
    ] {
        let sql = format!(
            "select t.tidb_pk_type from {from} where t.table_name = 't' and s.schema_name = 'test'"
        );
        let told: Vec<String> = conn.query(&sql).await.unwrap();
        assert_eq!(told, ["CLUSTERED"], "{sql}");
    }
    for (sql, code) in [
        ("show tables from test where 1 = 1 union select 1", 1235),
        ("show tables from test where 1) or (1", 1064),
        (
            "show tables from test where tables_in_test in (select 1)",
            1235,
        ),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    conn.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_see_and_change_what_they_may() {
    let mut cluster = Cluster::start(NEW).await;
    let mut root = cluster.sql().await;
    run(
        &mut root,
        &[
            "create database d",
            "create table d.t (a int primary key)",
            "create table d.secret (a int primary key)",
            "create user u",
            "grant select on d.t to u",
        ],
    )
    .await;
    let mut u = log_in(&cluster, "u", None).await.unwrap();
    let tables: Vec<String> = u.query("show tables from d").await.unwrap();
    assert_eq!(tables, ["t"]);
    let databases: Vec<String> = u.query("show databases").await.unwrap();
    assert!(
        databases.contains(&"d".to_owned()) && !databases.contains(&"test".to_owned()),
        "{databases:?}"
    );
    let tables: Vec<String> = u
        .query(
            "select table_name from information_schema.tables where table_schema in ('d', 'test')",
        )
        .await
        .unwrap();
    assert_eq!(tables, ["t"]);
    run(&mut u, &["show create table d.t", "show columns from d.t"]).await;
    for (sql, code) in [
        ("show create table d.secret", 1142),
        ("show columns from d.secret", 1142),
        ("desc d.secret", 1142),
        ("show index from d.secret", 1142),
        ("show table d.secret regions", 1142),
        ("split table d.t between (0) and (4000) regions 4", 1142),
        ("admin check table d.t", 1227),
        ("admin show ddl jobs", 1227),
        ("select * from information_schema.cluster_info", 1227),
        ("select * from mysql.tidb", 1142),
        ("alter table d.t comment 'x'", 1142),
        ("create placement policy p followers=2", 1227),
    ] {
        assert_eq!(refused(&mut u, sql).await, code, "{sql}");
    }
    run(&mut root, &["grant all privileges on d.* to u"]).await;
    let mut u = log_in(&cluster, "u", None).await.unwrap();
    run(
        &mut u,
        &[
            "alter table d.t comment 'x'",
            "split table d.t between (0) and (4000) regions 4",
            "create temporary table d.own (a int)",
            "show create table d.own",
        ],
    )
    .await;
    u.disconnect().await.unwrap();
    root.disconnect().await.unwrap();
}

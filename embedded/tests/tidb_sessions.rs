//! What belongs to sessions: accounts and their passwords, temporary tables, ANSI_QUOTES.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::rows::{catalog, compare_all};
use cluster::sql::{log_in, refused, run};
use cluster::{Cluster, Part};
use mysql_async::prelude::Queryable;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_log_in_with_their_passwords_and_do_what_they_may() {
    for release in ["v8.5.3", "v4.0.9"] {
        let mut cluster = Cluster::start(release).await;
        let mut root = cluster.sql().await;
        run(
            &mut root,
            &[
                "create database d",
                "create table d.t (a int)",
                "create table d.secret (a int primary key)",
                "insert into d.t values (1)",
                "create user 'u1'@'%' identified by 'x', u2",
                "grant select, insert on d.t to 'u1'@'%'",
                "grant all privileges on d.* to u2",
            ],
        )
        .await;
        for (user, password) in [
            ("u1", Some("wrong")),
            ("u1", None),
            ("u2", Some("x")),
            ("nobody", None),
            ("root", Some("x")),
            ("", None),
        ] {
            let (code, message) = log_in(&cluster, user, password).await.unwrap_err();
            assert_eq!(code, 1045, "{user} {password:?}");
            let using = if password.is_some() { "YES" } else { "NO" };
            assert_eq!(
                message,
                format!("Access denied for user '{user}'@'127.0.0.1' (using password: {using})")
            );
        }
        let mut u1 = log_in(&cluster, "u1", Some("x")).await.unwrap();
        // The table has row ids, which come from a sequence that the user knows nothing of.
        run(&mut u1, &["insert into d.t values (2)"]).await;
        let rows: Vec<i32> = u1.query("select a from d.t order by a").await.unwrap();
        assert_eq!(rows, [1, 2]);
        for (sql, code) in [
            ("delete from d.t", 1142),
            ("select * from d.secret", 1142),
            ("drop table d.t", 1142),
            ("create user u3", 1227),
            ("set global tidb_txn_mode = 'pessimistic'", 1227),
        ] {
            assert_eq!(refused(&mut u1, sql).await, code, "{release}: {sql}");
        }
        let grants: Vec<String> = u1.query("show grants").await.unwrap();
        assert_eq!(
            grants,
            [
                "GRANT USAGE ON *.* TO 'u1'@'%'",
                "GRANT SELECT, INSERT ON `d`.`t` TO 'u1'@'%'"
            ]
        );
        u1.disconnect().await.unwrap();

        let mut u2 = log_in(&cluster, "u2", None).await.unwrap();
        run(
            &mut u2,
            &[
                "create table d.own (a int)",
                "insert into d.own values (1)",
                "drop table d.own",
            ],
        )
        .await;
        u2.disconnect().await.unwrap();

        for (sql, code) in [
            ("create user u1", 1396),
            ("drop user u3", 1396),
            ("grant select on d.* to u3", 1410),
            ("alter user root identified by 'x'", 1235),
            (
                "create user u3 identified with caching_sha2_password by 'x'",
                1235,
            ),
            ("create user 'u3'@'10.0.0.1'", 1235),
        ] {
            assert_eq!(refused(&mut root, sql).await, code, "{release}: {sql}");
        }
        run(
            &mut root,
            &["alter user u1 identified by 'y'", "drop user u2"],
        )
        .await;
        assert_eq!(log_in(&cluster, "u1", Some("x")).await.unwrap_err().0, 1045);
        assert_eq!(log_in(&cluster, "u2", None).await.unwrap_err().0, 1045);
        let u1 = log_in(&cluster, "u1", Some("y")).await.unwrap();
        u1.disconnect().await.unwrap();
        root.disconnect().await.unwrap();
        cluster.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_in_statements_about_users_stop_nothing() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "/* hello */ create user u1",
            "create/**/user u2",
            "-- for both\n grant select on *.* to u1, u2",
            "/*!40101 alter */ user u1 identified by 'x'",
            "drop -- u2\n user u2",
            // These come after them in the binlog.
            "create table t (a int primary key)",
            "insert into t values (1)",
        ],
    )
    .await;
    let rows = compare_all(&mut conn, &cluster.client().await, "v8.5.3").await;
    assert_eq!(rows["t"].len(), 1);
    let u1 = log_in(&cluster, "u1", Some("x")).await.unwrap();
    u1.disconnect().await.unwrap();
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_tables_are_the_sessions_own() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    let mut other = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key)",
            "create temporary table tmp (id int, v varchar(5))",
            "insert into tmp values (1, 'a'), (2, 'b')",
            "begin",
            "update tmp set v = 'c' where id = 1",
            "insert into t select id from tmp",
            "commit",
        ],
    )
    .await;
    let rows: Vec<(i32, String)> = conn.query("select * from tmp order by id").await.unwrap();
    assert_eq!(rows, [(1, "c".to_owned()), (2, "b".to_owned())]);
    assert_eq!(refused(&mut other, "select * from tmp").await, 1146);
    for (sql, code) in [
        ("create temporary table tmp (a int)", 1050),
        ("alter table tmp add column c int", 8200),
        ("create index i on tmp (id)", 8200),
        ("drop temporary table t", 1051),
        (
            "create global temporary table g (a int) on commit delete rows",
            1235,
        ),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    let (_, text): (String, String) = conn
        .query_first("show create table tmp")
        .await
        .unwrap()
        .unwrap();
    assert!(
        text.starts_with("CREATE TEMPORARY TABLE `tmp` (\n  `id` int"),
        "{text}"
    );
    run(&mut conn, &["truncate table tmp", "drop table tmp"]).await;
    assert_eq!(refused(&mut conn, "select * from tmp").await, 1146);
    let rows = compare_all(&mut conn, &cluster.client().await, "v8.5.3").await;
    assert_eq!(rows["t"].len(), 2);
    conn.disconnect().await.unwrap();
    other.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ansi_quotes_make_names() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "set sql_mode = 'ANSI_QUOTES'",
            "create table \"a b\" (\"id\" int primary key, s varchar(10) default 'x')",
            "insert into \"a b\" (\"id\") values (1)",
        ],
    )
    .await;
    let rows: Vec<(i32, String)> = conn
        .exec("select \"id\", s from \"a b\" where \"id\" = ?", (1,))
        .await
        .unwrap();
    assert_eq!(rows, [(1, "x".to_owned())]);
    let schema = catalog(&cluster.client().await, "v8.5.3").await;
    assert!(schema.table("test", "a b").is_some());
    run(&mut conn, &["set sql_mode = default"]).await;
    let text: Option<String> = conn.query_first("select \"x\"").await.unwrap();
    assert_eq!(text.as_deref(), Some("x"));
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_set_global_gave_outlives_a_kill() {
    for release in ["v8.5.3", "v4.0.9"] {
        let mut cluster = Cluster::start(release).await;
        let mut root = cluster.sql().await;
        run(
            &mut root,
            &[
                "set @zone = 'Asia/Tokyo'",
                "set global time_zone = @zone, global tidb_build_stats_concurrency = 7, group_concat_max_len = 77",
                "set global sql_mode = 'NO_ZERO_DATE,STRICT_TRANS_TABLES'",
                "set @@global.wait_timeout = 4321",
                "set global transaction isolation level read committed",
                "set global tidb_build_stats_concurrency = 8",
            ],
        )
        .await;
        assert_eq!(refused(&mut root, "set global time_zone = 'x'").await, 1298);
        cluster.kill(Part::Tidb);
        cluster.spawn(Part::Tidb);
        let mut root = cluster.sql().await;
        let told: (String, u64, u64, String, u64, String) = root
            .query_first(
                "select @@time_zone, @@global.tidb_build_stats_concurrency, @@global.group_concat_max_len, @@sql_mode, \
                 @@wait_timeout, @@transaction_isolation",
            )
            .await
            .unwrap()
            .unwrap();
        let expected = (
            "Asia/Tokyo".to_owned(),
            8,
            1024,
            "STRICT_TRANS_TABLES,NO_ZERO_DATE".to_owned(),
            4321,
            "READ-COMMITTED".to_owned(),
        );
        assert_eq!(told, expected, "{release}");
    }
}

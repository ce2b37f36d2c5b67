//! Views, sequences, foreign keys and what else of the schema holds no rows, through a client.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::{by_sql, catalog, in_tikv};
use cluster::sql::{refused, run};
use embedded::client::Client;
use embedded::tidb::catalog::Catalog;
use embedded::tidb::codec::keys::MetaKey;
use mysql_async::prelude::Queryable;

const RELEASES: [&str; 2] = ["v8.5.3", "v4.0.9"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_are_read_and_not_written() {
    for release in RELEASES {
        let mut cluster = Cluster::start(release).await;
        let mut conn = cluster.sql().await;
        run(
            &mut conn,
            &[
                "create table t (id int primary key, v varchar(10), n int)",
                "create table plain (a int)",
                "insert into t values (1, 'a', 10), (2, 'b', 20)",
                "insert into plain values (1)",
                "create view v as select *, n + 1 from t where id in (select a from plain)",
                "create view w (x, y) as select x.id, count(*) from t as x join plain p on p.a = x.id group by x.id",
                // The invisible column of `plain` is none of the view's.
                "create or replace view star as select plain.* from plain",
                "alter table t add column later int",
            ],
        )
        .await;
        let rows: Vec<(i32, String, i32, i32)> = conn.query("select * from v").await.unwrap();
        assert_eq!(rows, [(1, "a".to_owned(), 10, 11)], "{release}");
        let rows: Vec<(i32, i32)> = conn.query("select x, y from w").await.unwrap();
        assert_eq!(rows, [(1, 1)]);
        let rows: Vec<(i32,)> = conn.query("select * from star").await.unwrap();
        assert_eq!(rows, [(1,)]);

        let (name, text, ..): (String, String, String, String) = conn
            .query_first("show create view v")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(name, "v");
        assert_eq!(
            text,
            "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`%` SQL SECURITY DEFINER VIEW `v` (`id`, `v`, `n`, `n + 1`) AS \
             SELECT `test`.`t`.`id` AS `id`,`test`.`t`.`v` AS `v`,`test`.`t`.`n` AS `n`,`n`+1 AS `n + 1` FROM `test`.`t` \
             WHERE `id` IN (SELECT `a` FROM `test`.`plain`)"
        );
        let kinds: Vec<(String, String)> = conn
            .query("show full tables where table_type = 'VIEW'")
            .await
            .unwrap();
        assert_eq!(kinds.len(), 3);

        for (sql, code) in [
            ("insert into star values (2)", 1105),
            ("update v set n = 3", 1105),
            ("delete from star", 1105),
            ("update plain, star set star.a = 3", 1235),
            ("drop table v", 1051),
            ("truncate table v", 1146),
            ("alter table v add column c int", 1347),
            ("create index i on v (id)", 1347),
            ("drop view t", 1347),
            ("drop view missing", 1051),
            ("create view v as select 1", 1050),
            ("create or replace view t as select 1", 1347),
            ("create view d as select 1 as a, 2 as A", 1060),
            ("create view d (a, b) as select 1", 1353),
            ("create view d as select * from missing", 1146),
        ] {
            assert_eq!(refused(&mut conn, sql).await, code, "{release}: {sql}");
        }
        run(&mut conn, &["drop view v, w", "drop view if exists v"]).await;
        let schema = catalog(&cluster.client().await, release).await;
        let left: Vec<_> = schema
            .database("test")
            .unwrap()
            .tables()
            .filter(|table| table.view.is_some())
            .map(|table| table.name.o.clone())
            .collect();
        assert_eq!(left, ["star"]);
        conn.disconnect().await.unwrap();
        cluster.verify().await;
    }
}

/// The last value of a sequence that may be handed out, as TiKV has it.
async fn taken(client: &Client, schema: &Catalog, sequence: &str) -> String {
    let db = schema.database("test").unwrap();
    let field = format!("SID:{}", db.table(sequence).unwrap().id);
    let key = MetaKey::hash(format!("DB:{}", db.info.id), field).encode();
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let value = snapshot.get(&key).await.unwrap().unwrap();
    String::from_utf8(value.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_count_and_tikv_knows_how_far() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create sequence s start with 5 increment by 2 cache 10",
            "create sequence down increment by -1 nocache",
            "create table t (id bigint primary key, n int)",
        ],
    )
    .await;
    for (sql, expected) in [
        ("select nextval(s)", 5),
        ("select nextval(s)", 7),
        ("select next value for s", 9),
        ("select lastval(s)", 9),
        ("select nextval(down)", -1),
        ("select nextval(down)", -2),
    ] {
        let value: Option<i64> = conn.query_first(sql).await.unwrap();
        assert_eq!(value, Some(expected), "{sql}");
    }
    run(
        &mut conn,
        &["insert into t values (nextval(s), 1), (nextval(s), 2)"],
    )
    .await;
    let client = cluster.client().await;
    let schema = catalog(&client, "v8.5.3").await;
    let rows = by_sql(&mut conn, "t").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows,
        in_tikv(&client, schema.table("test", "t").unwrap()).await
    );
    assert_eq!(taken(&client, &schema, "s").await, "23");
    assert_eq!(taken(&client, &schema, "down").await, "-2");

    run(
        &mut conn,
        &["alter sequence s restart with 100", "drop sequence down"],
    )
    .await;
    let value: Option<i64> = conn.query_first("select nextval(s)").await.unwrap();
    assert_eq!(value, Some(100));
    let (_, text): (String, String) = conn
        .query_first("show create sequence s")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        text,
        "CREATE SEQUENCE `s` start with 5 minvalue 1 maxvalue 9223372036854775806 increment by 2 cache 10 nocycle \
         ENGINE=InnoDB"
    );
    for (sql, code) in [
        ("create sequence s", 1050),
        ("create sequence x minvalue 5 maxvalue 1", 4136),
        ("drop sequence t", 1347),
        ("drop sequence missing", 4139),
        ("alter sequence t increment 3", 1347),
        ("insert into s values (1)", 1105),
        ("drop table s", 1051),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_are_checked_in_8_5_and_rows_are_equal() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table parent (id int primary key, code int, unique key (code))",
            "create table child (id int primary key, p int, constraint fk1 foreign key (p) references parent (id))",
            "create table late (id int primary key, c int)",
            "alter table late add constraint fk2 foreign key (c) references parent (code)",
            "insert into parent values (1, 10), (2, 20)",
            "insert into child values (1, 1), (2, null)",
            "insert into late values (1, 20)",
        ],
    )
    .await;
    for (sql, code) in [
        ("insert into child values (3, 3)", 1452),
        ("delete from parent where id = 1", 1451),
        ("update parent set code = 21 where id = 2", 1451),
        ("drop table parent", 3730),
        ("truncate table parent", 1701),
        ("alter table child drop index fk1", 1553),
        ("rename table parent to other", 1235),
        ("alter table child rename column p to q", 1235),
        ("alter table late drop foreign key missing", 1091),
        (
            "create table x (p int, foreign key (p) references missing (id))",
            1824,
        ),
        (
            "create table x (p bigint, foreign key (p) references parent (id))",
            3780,
        ),
        (
            "create table x (p int, foreign key (p) references parent (nothing))",
            3734,
        ),
        (
            "create table x (p int, foreign key (p) references parent (id) on delete cascade)",
            1235,
        ),
        (
            "create table x (p int, foreign key (p) references parent (id) on update set null)",
            1235,
        ),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    let client = cluster.client().await;
    let schema = catalog(&client, "v8.5.3").await;
    for table in ["parent", "child", "late"] {
        let info = schema.table("test", table).unwrap();
        assert_eq!(
            by_sql(&mut conn, table).await,
            in_tikv(&client, info).await,
            "{table}"
        );
    }
    let (_, text): (String, String) = conn
        .query_first("show create table late")
        .await
        .unwrap()
        .unwrap();
    assert!(
        text.contains("  CONSTRAINT `fk2` FOREIGN KEY (`c`) REFERENCES `parent` (`code`)\n"),
        "{text}"
    );
    run(
        &mut conn,
        &[
            "alter table late drop foreign key fk2",
            "insert into late values (2, 99)",
            "drop table parent, child",
        ],
    )
    .await;
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_are_kept_and_not_checked_in_4_0() {
    let mut cluster = Cluster::start("v4.0.9").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table child (id int primary key, p int, foreign key (p) references nowhere (id) on delete cascade)",
            "insert into child values (1, 7)",
            "alter table child add constraint fk2 foreign key (id) references nowhere (id)",
        ],
    )
    .await;
    let schema = catalog(&cluster.client().await, "v4.0.9").await;
    let names: Vec<String> = schema
        .table("test", "child")
        .unwrap()
        .fk_info
        .iter()
        .flatten()
        .map(|key| key.fk_name.o.clone())
        .collect();
    assert_eq!(names, ["p", "fk2"]);
    run(&mut conn, &["alter table child drop foreign key p"]).await;
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_ttl_and_caches_are_kept() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create placement policy pp followers=2",
            "create database d placement policy pp",
            "create table d.t (id int primary key, at datetime) ttl = at + interval 3 month ttl_enable = 'OFF'",
            "alter table d.t cache",
        ],
    )
    .await;
    let (_, text): (String, String) = conn
        .query_first("show create table d.t")
        .await
        .unwrap()
        .unwrap();
    assert!(
        text.ends_with(
            " /* CACHED ON */ /*T![placement] PLACEMENT POLICY=`pp` */ /*T![ttl] TTL=`at` + INTERVAL 3 MONTH */ \
             /*T![ttl] TTL_ENABLE='OFF' */ /*T![ttl] TTL_JOB_INTERVAL='1h' */"
        ),
        "{text}"
    );
    for (sql, code) in [
        ("alter table d.t add column c int", 8242),
        ("drop table d.t", 8242),
        ("drop placement policy pp", 8241),
        ("drop placement policy missing", 8239),
        ("create placement policy pp followers=1", 8238),
        ("create table x (id int) ttl_enable = 'ON'", 8150),
        ("create table x (id int) ttl = id + interval 1 day", 8148),
    ] {
        assert_eq!(refused(&mut conn, sql).await, code, "{sql}");
    }
    run(
        &mut conn,
        &[
            "insert into d.t values (1, now())",
            "alter table d.t nocache",
            "alter table d.t ttl_enable = 'ON'",
            "alter table d.t remove ttl",
            "alter table d.t placement policy default",
            "alter database d placement policy default",
            "drop placement policy pp",
        ],
    )
    .await;
    let (_, text): (String, String) = conn
        .query_first("show create table d.t")
        .await
        .unwrap()
        .unwrap();
    assert!(text.ends_with("COLLATE=utf8mb4_bin"), "{text}");
    conn.disconnect().await.unwrap();
    cluster.verify().await;
}

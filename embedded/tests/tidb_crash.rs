//! SIGKILL anywhere: nothing that was told is lost, nothing is applied twice, both sides stay equal.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cluster::rows::{catalog, compare_all};
use cluster::{Cluster, Part};
use embedded::client::{Change, Source, Synced};
use embedded::tidb::apply::record::{Applied, encode};
use embedded::tidb::codec::Handle;
use embedded::tidb::codec::keys::record_key;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

const V: &str = "v8.5.3";
/// Writers at work while something is killed.
const WRITERS: i64 = 3;

fn opts(port: u16) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("root"))
        .db_name(Some("test"))
        .prefer_socket(false)
        .into()
}

/// What a writer was told: rows by id, and for its last statement both outcomes, since its OK may not have come.
#[derive(Debug, Default)]
struct Told {
    rows: BTreeMap<i64, i64>,
    unsure: Option<BTreeMap<i64, i64>>,
}

/// Writes transactions on its own ids until an error, and keeps what it was told.
async fn write(conn: &mut Conn, writer: i64, next: &AtomicI64, told: &mut Told, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let id = writer * 1_000_000 + n;
        let mut after = told.rows.clone();
        after.insert(id, n);
        let mut statements = vec![
            "BEGIN".to_owned(),
            format!("INSERT INTO load_a VALUES ({id}, {n})"),
            format!("INSERT INTO load_b VALUES ({id}, {n})"),
        ];
        if let Some((old, _)) = told.rows.iter().next().filter(|_| n % 3 == 0) {
            after.remove(old);
            statements.push(format!("DELETE FROM load_a WHERE id = {old}"));
            statements.push(format!("DELETE FROM load_b WHERE id = {old}"));
        } else if let Some((old, _)) = told.rows.iter().next_back() {
            after.insert(*old, -n);
            statements.push(format!("UPDATE load_a SET v = {} WHERE id = {old}", -n));
            statements.push(format!("UPDATE load_b SET v = {} WHERE id = {old}", -n));
        }
        for statement in &statements {
            if conn.query_drop(statement).await.is_err() {
                return;
            }
        }
        told.unsure = Some(after.clone());
        if conn.query_drop("COMMIT").await.is_err() {
            return;
        }
        told.rows = after;
        told.unsure = None;
    }
}

/// What the tables hold for a writer, which must be what it was told or what it was about to be told.
fn check(told: &mut Told, held: &BTreeMap<i64, i64>, writer: i64) {
    let mine: BTreeMap<i64, i64> = held
        .range(writer * 1_000_000..(writer + 1) * 1_000_000)
        .map(|(k, v)| (*k, *v))
        .collect();
    if mine != told.rows {
        assert_eq!(
            Some(&mine),
            told.unsure.as_ref(),
            "writer {writer}: neither what was told nor what was asked"
        );
    }
    told.rows = mine;
    told.unsure = None;
}

/// Kills `what` again and again at different moments while writers work.
async fn survive(what: &str, rounds: u64) {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    for table in ["load_a", "load_b"] {
        conn.query_drop(format!(
            "CREATE TABLE {table} (id BIGINT PRIMARY KEY, v BIGINT)"
        ))
        .await
        .unwrap();
    }
    drop(conn);
    let next = Arc::new(AtomicI64::new(1));
    let mut told: Vec<Told> = (0..WRITERS).map(|_| Told::default()).collect();
    let port = cluster.tidb_port();
    for round in 0..rounds {
        let begin = next.load(Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = told
            .drain(..)
            .enumerate()
            .map(|(writer, mut told)| {
                let (next, stop) = (Arc::clone(&next), Arc::clone(&stop));
                tokio::spawn(async move {
                    if let Ok(mut conn) = Conn::new(opts(port)).await {
                        write(&mut conn, writer as i64, &next, &mut told, &stop).await;
                    }
                    told
                })
            })
            .collect();
        // The moment differs from round to round, by the number of transactions begun.
        let at = begin + 10 + (round * 7 % 20) as i64;
        cluster::until("the load", || async {
            let now = next.load(Ordering::Relaxed);
            if now >= at {
                Ok(())
            } else {
                Err(format!("{now} of {at} transactions"))
            }
        })
        .await;
        match what {
            "tidb" => {
                cluster.kill(Part::Tidb);
                stop.store(true, Ordering::Relaxed);
                cluster.spawn(Part::Tidb);
            }
            "mariadbd" => {
                let pid = nix::unistd::Pid::from_raw(cluster.mariadb_pid());
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
                assert!(
                    !cluster.wait_exit(Part::Tidb).success(),
                    "tidb goes on without MariaDB"
                );
                assert!(
                    cluster
                        .tidb_log()
                        .contains("failed to keep MariaDB running"),
                    "{}",
                    cluster.tidb_log()
                );
                stop.store(true, Ordering::Relaxed);
                cluster.spawn(Part::Tidb);
            }
            _ => {
                cluster.kill(Part::Tikv);
                cluster.spawn(Part::Tikv);
                // Clients only wait: let them finish some more.
                let at = next.load(Ordering::Relaxed) + WRITERS + 3;
                cluster::until("writers after the store came back", || async {
                    let now = next.load(Ordering::Relaxed);
                    if now >= at {
                        Ok(())
                    } else {
                        Err(format!("{now} of {at} transactions"))
                    }
                })
                .await;
                stop.store(true, Ordering::Relaxed);
            }
        }
        for writer in writers {
            let ended = tokio::time::timeout(Duration::from_secs(60), writer).await;
            told.push(ended.expect("a writer hangs").unwrap());
        }
        let mut conn = cluster.sql().await;
        let rows = compare_all(&mut conn, &client, V).await;
        assert_eq!(
            rows["load_a"], rows["load_b"],
            "a transaction is in both tables or in neither"
        );
        let held: BTreeMap<i64, i64> = rows["load_a"]
            .iter()
            .map(|row| {
                let number = |i: usize| row[i].as_ref().unwrap().parse().unwrap();
                (number(0), number(1))
            })
            .collect();
        for (writer, told) in told.iter_mut().enumerate() {
            check(told, &held, writer as i64);
        }
        drop(conn);
        cluster.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tidb_may_die_at_any_moment() {
    survive("tidb", 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_may_die_at_any_moment() {
    survive("mariadbd", 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_may_die_at_any_moment() {
    survive("tikv", 4).await;
}

/// DDL statements of every kind, one after the other, until the connection breaks.
async fn change_schema(port: u16, from: usize, done: Arc<AtomicI64>) {
    let Ok(mut conn) = Conn::new(opts(port)).await else {
        return;
    };
    for n in from.. {
        for statement in [
            format!("CREATE TABLE d{n} (id INT PRIMARY KEY, v INT)"),
            format!("INSERT INTO d{n} VALUES (1, {n})"),
            format!("ALTER TABLE d{n} ADD COLUMN w INT DEFAULT 5"),
            format!("INSERT INTO d{n} VALUES (2, {n}, 6)"),
            format!("ALTER TABLE d{n} MODIFY COLUMN w VARCHAR(20)"),
            format!("ALTER TABLE d{n} DROP COLUMN v"),
            format!("CREATE TABLE x{n} (a VARCHAR(10))"),
            format!("INSERT INTO x{n} VALUES ('a')"),
            format!("TRUNCATE TABLE x{n}"),
            format!("DROP TABLE x{n}"),
            format!("CREATE TABLE p{n} (id INT, v INT) PARTITION BY HASH (id) PARTITIONS 3"),
            format!("INSERT INTO p{n} VALUES (1, 1), (2, 2), (30, 3)"),
            format!(
                "ALTER TABLE p{n} PARTITION BY RANGE (id) \
                 (PARTITION a VALUES LESS THAN (2), PARTITION b VALUES LESS THAN (99))"
            ),
            format!("ALTER TABLE p{n} TRUNCATE PARTITION a"),
            format!("ALTER TABLE p{n} PARTITION BY KEY (id) PARTITIONS 2"),
            format!("ALTER TABLE p{n} REMOVE PARTITIONING"),
        ] {
            if conn.query_drop(&statement).await.is_err() {
                return;
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_ddl_statement_is_completed_or_dropped() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let port = cluster.tidb_port();
    for round in 0..8_i64 {
        let done = Arc::new(AtomicI64::new(0));
        let schema = tokio::spawn(change_schema(
            port,
            round as usize * 1000,
            Arc::clone(&done),
        ));
        let at = 1 + round * 2;
        cluster::until("the changes of the schema", || async {
            let now = done.load(Ordering::Relaxed);
            if now >= at {
                Ok(())
            } else {
                Err(format!(
                    "{now} of {at} statements; done: {}",
                    schema.is_finished()
                ))
            }
        })
        .await;
        // Into the midst of the next statement: how far it gets by then differs.
        tokio::time::sleep(Duration::from_millis(round as u64 * 3)).await;
        cluster.kill(Part::Tidb);
        schema.await.unwrap();
        cluster.spawn(Part::Tidb);
        let mut conn = cluster.sql().await;
        compare_all(&mut conn, &client, V).await;
        cluster.verify().await;
    }
}

/// What SIGKILL leaves of two transactions: of one the primary key is committed, the other one is only prewritten. Nobody reads
/// their rows, and yet no lock may stay: it would hold up the resolved-ts of every change feed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_of_a_killed_tidb_are_ended() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    for statement in [
        "CREATE TABLE locked (id INT PRIMARY KEY, v INT)",
        "INSERT INTO locked VALUES (1, 1), (2, 2)",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let schema = catalog(&client, V).await;
    let table = schema.table("test", "locked").unwrap().id;
    cluster.kill(Part::Tidb);

    let snapshot = client.snapshot(client.tso().await.unwrap());
    let position = Applied::load(&snapshot).await.unwrap().unwrap();
    for (id, decided) in [(1, true), (2, false)] {
        let key = Bytes::from(record_key(table, &Handle::Int(id)));
        let row = snapshot.get(&key).await.unwrap().unwrap();
        let primary = Applied::key(10 + id as usize);
        let changes = BTreeMap::from([
            (primary.clone(), Change::Put(encode(&position).unwrap())),
            (key, Change::Put(row)),
        ]);
        let start_ts = client.tso().await.unwrap();
        client
            .prewrite(Source::User, start_ts, &primary, &changes)
            .await
            .unwrap();
        if decided {
            let commit_ts = client.tso().await.unwrap();
            let rest = client
                .commit_primary(
                    start_ts,
                    commit_ts,
                    Synced::Now,
                    &primary,
                    changes.into_keys(),
                )
                .await
                .unwrap();
            assert_eq!(rest.len(), 1, "the row is in another region");
        }
    }

    cluster.spawn(Part::Tidb);
    drop(cluster.sql().await);
    let left = client.locks(client.tso().await.unwrap()).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    cluster.verify().await;
}

/// While the rows of a column are written again, in many transactions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_change_of_type_is_completed_or_dropped() {
    interrupt_changes_of_type("id INT PRIMARY KEY").await;
}

/// And while a trigger makes their ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_change_of_type_leaves_row_ids_to_their_default() {
    interrupt_changes_of_type("id INT").await;
}

async fn interrupt_changes_of_type(id: &str) {
    const ROWS: usize = 3000;
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let port = cluster.tidb_port();
    let mut conn = cluster.sql().await;
    let values: Vec<String> = (0..ROWS).map(|n| format!("({n}, {n}, {n})")).collect();
    for statement in [
        format!("CREATE TABLE many ({id}, v BIGINT, w INT, KEY k (v))"),
        format!("INSERT INTO many VALUES {}", values.join(", ")),
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    drop(conn);
    let mut types = ["VARCHAR(20)", "BIGINT"].into_iter().cycle();
    let mut interrupted = 0;
    for round in 0..8_u64 {
        let to = types.next().unwrap();
        let change = tokio::spawn(async move {
            let mut conn = Conn::new(opts(port)).await?;
            let sql = format!("ALTER TABLE many MODIFY COLUMN v {to}");
            conn.query_drop(sql).await
        });
        // How far it gets by then differs; how long one takes is not told before.
        tokio::time::sleep(Duration::from_millis(20 + round * 60)).await;
        cluster.kill(Part::Tidb);
        interrupted += u64::from(change.await.unwrap().is_err());
        cluster.spawn(Part::Tidb);
        let mut conn = cluster.sql().await;
        let more = ROWS as u64 + round;
        let sql = format!("INSERT INTO many VALUES ({more}, {more}, {more})");
        conn.query_drop(sql).await.unwrap();
        let rows = compare_all(&mut conn, &client, V).await;
        assert_eq!(rows["many"].len() as u64, more + 1);
        cluster.verify().await;
        let schema = catalog(&client, V).await;
        let table = schema.table("test", "many").unwrap();
        assert!(
            table.indexes.len() == 1 && table.columns[1].name.o == "v",
            "nothing hidden is left: {table:?}"
        );
    }
    assert!(interrupted > 0, "every change was done before the kill");
    // The sequence of the row ids goes.
    let mut conn = cluster.sql().await;
    conn.query_drop("TRUNCATE TABLE many").await.unwrap();
    conn.query_drop("INSERT INTO many VALUES (1, 1, 1)")
        .await
        .unwrap();
    cluster.verify().await;
}

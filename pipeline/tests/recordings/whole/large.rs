//! Transactions that do not fit into the memory quota.

use std::{collections::HashMap, fs};

use bytes::Bytes;
use pipeline::{
    config::replica::DispatchRule,
    model::{Ts, compose_ts, physical_ms},
};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

/// Rows inserted by one transaction: some 50 MiB, of which 8 MiB fit.
const ROWS: i32 = 300_000;
/// How many of them another one changes, in many parts.
const CHANGED: i32 = 15_000;
const QUOTA: u64 = 16 << 20;

/// Rows of a transaction that Kafka takes long for.
const SLOW: i32 = 100_000;
/// How long each request to Kafka takes then.
const DELAY: Duration = Duration::from_millis(300);

/// The value of a row of `p (id int primary key, v int, w …)` or `u (id int primary key, a int not null, b int, …)`, row
/// format v2.
fn value(a: i32) -> Bytes {
    let mut value = vec![128, 0, 1, 0, 1, 0, 2, 3, 4, 0];
    value.extend(a.to_le_bytes());
    value.into()
}

fn row(table: i64, id: i32, a: i32, old: Option<i32>, commit_ts: Ts) -> RawKv {
    let mut key = pipeline::mount::key::row_range(table).0.to_vec();
    key.extend((i64::from(id) as u64 ^ (1 << 63)).to_be_bytes());
    RawKv {
        op: Op::Put,
        key: key.into(),
        value: value(a),
        old_value: old.map(value).unwrap_or_default(),
        start_ts: commit_ts - 1,
        commit_ts,
    }
}

/// Bytes of files in a folder and those below it.
fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    // Files come and go meanwhile.
    let entries = entries.filter_map(Result::ok);
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// The number behind `"name":"` in a message's row.
fn number(message: &str, name: &str) -> i32 {
    let row = &message[message.find("\"data\":[{").expect("a row")..];
    let at = row.find(&format!("\"{name}\":\"")).expect("a column") + name.len() + 4;
    let digits = row[at..].split('"').next().expect("an end");
    digits.parse().expect("a number")
}

/// How many messages the topic has, and how many it has had.
fn on_topic(consumer: &BaseConsumer) -> (i64, i64) {
    let offsets = (0..PARTITIONS).map(|partition| {
        let offsets = consumer.fetch_watermarks(TOPIC, partition, PATIENCE);
        offsets.expect("offsets")
    });
    offsets.fold((0, 0), |(has, had), (low, high)| {
        (has + high - low, had + high)
    })
}

/// The messages of a commit time that the topic still has; those of each partition in order.
fn messages_of(brokers: &str, es: u64) -> Vec<String> {
    let consumer = consumer(brokers);
    let (count, _) = on_topic(&consumer);
    let es = format!("\"es\":{es},");
    let mut messages = Vec::new();
    for at in 0..count {
        let message = consumer
            .poll(PATIENCE)
            .unwrap_or_else(|| panic!("no message {at} of {count}"))
            .expect("a message");
        let text = std::str::from_utf8(message.payload().unwrap_or_default()).expect("UTF-8");
        if text.contains(&es) {
            messages.push(text.to_owned());
        }
    }
    messages
}

/// A cluster with the tables `p` and `u` of the recording `dml`.
struct Tables {
    cluster: Cluster,
    /// Messages of the statements that made them, and others.
    statements: u64,
    p: i64,
    u: i64,
    /// Before all statements, and when the last one committed.
    begin: Ts,
    last: Ts,
}

impl Tables {
    async fn made() -> Self {
        let (_, steps) = load::recording("v8.4", "dml");
        let made = steps
            .iter()
            .position(|step| step.sql.contains("create table u ("))
            .expect("the statement");
        let (before, after) = steps.split_at(made + 1);
        let jobs = before.iter().flat_map(|step| &step.ddl_jobs);
        let mut jobs: Vec<RawKv> = jobs
            .filter(|job| job.table == "tidb_ddl_job")
            .filter_map(load::JobRow::raw)
            .collect();
        jobs.sort_by_key(|job| job.commit_ts);
        let statements = recorded(before, V8_4)
            .iter()
            .filter(|(table, _)| table.starts_with("DDL"))
            .map(|(_, messages)| messages.len() as u64)
            .sum();
        // Rows of the first statement with rows are those of `p`, the first ones after `u` was made its own.
        let table = |steps: &[Step]| {
            let mut rows = steps.iter().flat_map(|step| &step.kv);
            rows.find_map(|kv| pipeline::mount::key::physical_id(&kv.raw().key))
                .expect("a row of the table")
        };
        let begin = jobs.first().expect("a job").start_ts - 10;
        let cluster = Cluster::start().await;
        metadata(&cluster, &steps, V8_4, begin);
        for job in &jobs {
            cluster.commit(job, false);
        }
        Self {
            cluster,
            statements,
            p: table(before),
            u: table(after),
            begin,
            last: jobs.last().expect("a job").commit_ts,
        }
    }
}

/// A transaction goes through that is larger than memory, and one whose rows exchange their unique values: nobody sees a
/// value twice, however far apart its rows are. The checkpoint waits for all of a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_larger_than_the_memory_quota_go_through() {
    let tables = Tables::made().await;
    let Tables {
        cluster,
        statements,
        u: table,
        ..
    } = &tables;
    let inserted = tables.last + 10;
    let changed = inserted + compose_ts(1, 0);
    for id in 0..ROWS {
        cluster.commit(&row(*table, id, id, None, inserted), false);
    }
    for id in 0..CHANGED {
        let next = (id + 1) % CHANGED;
        cluster.commit(&row(*table, id, next, Some(id), changed), false);
    }
    let mut running = Running::start(cluster, V8_4, tables.begin, |spec| {
        if let Config::Modern(config) = &mut spec.config {
            config.memory_quota = QUOTA;
            // The broker keeps 5 MB of a partition: enough for what is changed. A value is always in the same one.
            config.sink.dispatchers = Some(vec![DispatchRule {
                matcher: vec!["*.u".to_owned()],
                partition: "columns".to_owned(),
                columns: Some(vec!["a".to_owned()]),
                ..DispatchRule::default()
            }]);
        }
    })
    .await;
    let (brokers, dir) = (running.kafka.bootstrap_servers(), running.dir.path());
    let seen = &mut running.seen;
    let first = statements + ROWS as u64;
    let all = first + 2 * CHANGED as u64;
    let mut on_disk = 0;
    let reached = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            cluster.resolve(changed + 1);
            on_disk = on_disk.max(bytes_in(dir));
            let progress = seen.borrow_and_update().clone();
            assert!(
                progress.checkpoint_ts < inserted || progress.messages >= first,
                "{progress:?}"
            );
            assert!(
                progress.checkpoint_ts < changed || progress.messages >= all,
                "{progress:?}"
            );
            if progress.checkpoint_ts > changed {
                break;
            }
        }
    };
    tokio::select! {
        ended = &mut running.task => panic!("the task ended: {ended:?}"),
        waited = tokio::time::timeout(4 * PATIENCE, reached) => {
            assert!(waited.is_ok(), "{:?}, not {changed}", running.seen.borrow());
        }
    }
    // There a row takes a fifth of what it takes in memory.
    assert!(on_disk > 4 << 20, "{on_disk} bytes were on disk");
    assert_eq!(bytes_in(dir), 0, "all were removed");
    running.stop.cancel();
    let end = running.task.await.expect("no panic").expect("no error");
    assert_eq!(end, End::Stopped);
    assert_eq!(running.seen.borrow().messages, all);
    let messages = tokio::task::spawn_blocking(move || messages_of(&brokers, physical_ms(changed)))
        .await
        .expect("messages");
    assert_eq!(messages.len(), 2 * CHANGED as usize);
    let mut ids: HashMap<i32, i32> = (0..ROWS).map(|id| (id, id)).collect();
    for message in messages {
        let (a, id) = (number(&message, "a"), number(&message, "id"));
        if message.contains("\"type\":\"INSERT\"") {
            assert_eq!(ids.insert(a, id), None, "a = {a} is there twice");
        } else {
            assert!(message.contains("\"type\":\"DELETE\""), "{message}");
            assert_eq!(ids.remove(&a), Some(id), "a = {a} is deleted");
        }
    }
    assert_eq!(ids.len(), ROWS as usize);
    for (a, id) in ids {
        let expected = match a {
            0 => CHANGED - 1,
            a if a < CHANGED => a - 1,
            a => a,
        };
        assert_eq!(id, expected, "a = {a}");
    }
}

/// While a large transaction is on its way in parts, rows of another table come that were committed before it. The checkpoint
/// does not pass them before they are sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_waits_for_rows_that_come_while_a_transaction_is_sent() {
    let tables = Tables::made().await;
    let cluster = &tables.cluster;
    let (early, large) = (tables.last + 100, tables.last + 200);
    let mut running = Running::start(cluster, V8_4, tables.begin, |spec| {
        if let Config::Modern(config) = &mut spec.config {
            config.memory_quota = QUOTA;
        }
    })
    .await;
    let consumer = consumer(&running.kafka.bootstrap_servers());
    let (kafka, seen) = (&running.kafka, &mut running.seen);
    let in_between = async {
        // Both tables are followed.
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while seen.borrow_and_update().checkpoint_ts <= tables.last {
            pace.tick().await;
            cluster.resolve(tables.last + 1);
        }
        kafka.broker_round_trip_time(1, DELAY).expect("a broker");
        cluster.hold_key(&row(tables.p, 0, 0, None, early).key);
        for id in 0..10 {
            cluster.commit(&row(tables.p, id, id, None, early), false);
        }
        for id in 0..SLOW {
            cluster.commit(&row(tables.u, id, id, None, large), false);
        }
        cluster.resolve(large + 1);
        let sent = || tokio::task::block_in_place(|| on_topic(&consumer)).1 as u64;
        while sent() <= tables.statements {
            pace.tick().await;
        }
        cluster.release();
        assert!(
            sent() < tables.statements + SLOW as u64,
            "all was sent before"
        );
        let all = tables.statements + SLOW as u64 + 10;
        loop {
            let progress = seen.borrow_and_update().clone();
            assert!(
                progress.checkpoint_ts < early || progress.messages >= all,
                "{progress:?}"
            );
            if progress.checkpoint_ts >= large {
                break;
            }
            seen.changed().await.expect("a task");
        }
    };
    tokio::select! {
        ended = &mut running.task => panic!("the task ended: {ended:?}"),
        waited = tokio::time::timeout(PATIENCE, in_between) => {
            assert!(waited.is_ok(), "{:?}, not {large}", running.seen.borrow());
        }
    }
}

/// A row that cannot be decoded ends the task. What stands before it is acknowledged then, as far as all tables are complete: rows of
/// another one that were committed before and have not come yet are sent by the next task.
#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_of_a_failed_task_waits_for_rows_that_have_not_come() {
    let tables = Tables::made().await;
    let cluster = &tables.cluster;
    let (first, late, broken) = (tables.last + 100, tables.last + 200, tables.last + 300);
    let mut running = Running::start(cluster, V8_4, tables.begin, |_| ()).await;
    let seen = &mut running.seen;
    let followed = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while seen.borrow_and_update().checkpoint_ts <= tables.last {
            pace.tick().await;
            cluster.resolve(tables.last + 1);
        }
    };
    tokio::time::timeout(PATIENCE, followed)
        .await
        .expect("both tables are followed");
    let late = row(tables.p, 1, 1, None, late);
    cluster.hold_key(&late.key);
    cluster.commit(&row(tables.u, 1, 1, None, first), false);
    cluster.commit(&late, false);
    let mut broken = row(tables.u, 2, 2, None, broken);
    broken.value = Bytes::from_static(&[128, 0, 1]);
    cluster.commit(&broken, false);
    cluster.resolve(broken.commit_ts + 1);
    let ended = tokio::time::timeout(PATIENCE, &mut running.task).await;
    let ended = ended.expect("an end").expect("no panic");
    ended.expect_err("the row cannot be decoded");
    let checkpoint = running.seen.borrow().checkpoint_ts;
    assert!(
        checkpoint < late.commit_ts,
        "{checkpoint} passes {}, which was not sent",
        late.commit_ts
    );
}

/// A DDL statement that Kafka refuses is not passed by: the next task sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_is_known_to_stand_at_the_checkpoint() {
    let tables = Tables::made().await;
    let cluster = &tables.cluster;
    let mut running = Running::start(cluster, V8_4, tables.begin, |_| ()).await;
    let (kafka, seen) = (&running.kafka, &mut running.seen);
    let before = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while seen.borrow_and_update().checkpoint_ts < tables.last - 1 {
            pace.tick().await;
            cluster.resolve(tables.last - 1);
        }
        kafka.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE],
        );
    };
    tokio::time::timeout(PATIENCE, before)
        .await
        .expect("all before the last statement");
    cluster.resolve(tables.last + 10);
    let ended = tokio::time::timeout(PATIENCE, &mut running.task).await;
    let ended = ended.expect("an end").expect("no panic");
    ended.expect_err("the statement is refused");
    let progress = running.seen.borrow().clone();
    assert!(progress.messages < tables.statements, "{progress:?}");
    assert!(
        progress.checkpoint_ts < tables.last || progress.barrier_ts <= progress.checkpoint_ts,
        "{progress:?} passes the statement at {}",
        tables.last
    );
}

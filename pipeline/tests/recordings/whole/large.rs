//! Transactions that do not fit into the memory quota.

use std::{collections::HashMap, fs};

use bytes::Bytes;
use pipeline::{
    config::replica::DispatchRule,
    model::{Ts, compose_ts, physical_ms},
};

use super::*;

/// Rows inserted by one transaction: some 50 MiB, of which 8 MiB fit.
const ROWS: i32 = 300_000;
/// How many of them another one changes, in many parts.
const CHANGED: i32 = 15_000;
const QUOTA: u64 = 16 << 20;

/// The value of a row of `u (id int primary key, a int not null, b int, …)`, row format v2.
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

/// The messages of a commit time that the topic still has; those of each partition in order.
fn messages_of(brokers: &str, es: u64) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "large")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    let mut count = 0;
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning)
            .expect("a partition");
        let (low, high) = consumer
            .fetch_watermarks(TOPIC, partition, PATIENCE)
            .expect("offsets");
        count += high - low;
    }
    consumer.assign(&list).expect("an assignment");
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

/// A transaction goes through that is larger than memory, and one whose rows exchange their unique values: nobody sees a
/// value twice, however far apart its rows are. The checkpoint waits for all of a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_larger_than_the_memory_quota_go_through() {
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
    let statements: usize = recorded(before, V8_4)
        .iter()
        .filter(|(table, _)| table.starts_with("DDL"))
        .map(|(_, messages)| messages.len())
        .sum();
    let mut rows = after.iter().flat_map(|step| &step.kv);
    let table = rows
        .find_map(|kv| pipeline::mount::key::physical_id(&kv.raw().key))
        .expect("a row of the table");
    let begin = jobs.first().expect("a job").start_ts - 10;
    let inserted = jobs.last().expect("a job").commit_ts + 10;
    let changed = inserted + compose_ts(1, 0);

    let cluster = Cluster::start().await;
    metadata(&cluster, &steps, V8_4, begin);
    for job in &jobs {
        cluster.commit(job, false);
    }
    for id in 0..ROWS {
        cluster.commit(&row(table, id, id, None, inserted), false);
    }
    for id in 0..CHANGED {
        let next = (id + 1) % CHANGED;
        cluster.commit(&row(table, id, next, Some(id), changed), false);
    }
    let kafka = MockCluster::new(1).expect("a broker");
    kafka.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
    let brokers = kafka.bootstrap_servers();
    let upstream = Upstream::connect(&[cluster.pd()]).await.expect("PD");
    let (progress, mut seen) = watch::channel(Progress::default());
    let stop = CancellationToken::new();
    let dir = tempfile::tempdir().expect("a folder");
    let mut spec = V8_4.spec(&brokers, begin, dir.path());
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
    let ended = stop.clone();
    let mut running =
        tokio::spawn(async move { task::run_on(&Broker, spec, upstream, progress, ended).await });
    let first = statements as u64 + ROWS as u64;
    let all = first + 2 * CHANGED as u64;
    let mut on_disk = 0;
    let reached = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            cluster.resolve(changed + 1);
            on_disk = on_disk.max(bytes_in(dir.path()));
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
        ended = &mut running => panic!("the task ended: {ended:?}"),
        waited = tokio::time::timeout(4 * PATIENCE, reached) => {
            assert!(waited.is_ok(), "{:?}, not {changed}", seen.borrow());
        }
    }
    // There a row takes a fifth of what it takes in memory.
    assert!(on_disk > 4 << 20, "{on_disk} bytes were on disk");
    assert_eq!(bytes_in(dir.path()), 0, "all were removed");
    stop.cancel();
    let end = running.await.expect("no panic").expect("no error");
    assert_eq!(end, End::Stopped);
    assert_eq!(seen.borrow().messages, all);
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

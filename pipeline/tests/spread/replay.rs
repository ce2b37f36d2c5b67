//! What a topic tells, and what is promised of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde_json::Value;

use super::cluster::Cluster;

/// How long reading a topic may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic that a changefeed fills.
pub struct Topic {
    pub name: &'static str,
    pub partitions: i32,
    kafka: String,
}

/// Messages by partition, in their order.
pub struct Told {
    topic: &'static str,
    partitions: Vec<Vec<Value>>,
}

impl Topic {
    pub fn new(cluster: &Cluster, name: &'static str, partitions: i32) -> Self {
        Self {
            name,
            partitions,
            kafka: format!("127.0.0.1:{}", cluster.kafka),
        }
    }

    /// Everything that is there.
    pub fn read(&self, _: &Cluster) -> Told {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.kafka)
            .set("group.id", "spread")
            .create()
            .unwrap();
        let mut partitions = Vec::new();
        for partition in 0..self.partitions {
            let (_, end) = consumer
                .fetch_watermarks(self.name, partition, PATIENCE)
                .unwrap();
            let mut from = TopicPartitionList::new();
            from.add_partition_offset(self.name, partition, Offset::Beginning)
                .unwrap();
            consumer.assign(&from).unwrap();
            let started = Instant::now();
            let (mut messages, mut next) = (Vec::new(), 0);
            while next < end {
                let late = started.elapsed() > PATIENCE;
                assert!(
                    !late,
                    "{next} of {end} messages of {}/{partition}",
                    self.name
                );
                if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                    let message = message.unwrap();
                    next = message.offset() + 1;
                    messages.push(serde_json::from_slice(message.payload().unwrap()).unwrap());
                }
            }
            partitions.push(messages);
        }
        Told {
            topic: self.name,
            partitions,
        }
    }
}

fn text(message: &Value, name: &str) -> String {
    message[name].as_str().unwrap_or_default().to_owned()
}

fn extension(message: &Value, name: &str) -> u64 {
    message["_tidb"][name].as_u64().unwrap_or_default()
}

/// Table and id of a row.
fn key(message: &Value) -> (String, String) {
    (text(message, "table"), text(&message["data"][0], "id"))
}

fn is_row(message: &Value) -> bool {
    matches!(
        message["type"].as_str(),
        Some("INSERT" | "UPDATE" | "DELETE")
    )
}

impl Told {
    /// Of each row, later versions follow earlier ones, but for what is repeated; nothing new comes behind a watermark that
    /// has passed it. In the first partition, rows and DDL statements follow one another as they were committed; `ddl` are
    /// the statements that there have to be.
    pub fn check_order(&self, ddl: &[String]) {
        let mut repeats = 0;
        for messages in &self.partitions {
            let mut newest: HashMap<(String, String), u64> = HashMap::new();
            let mut seen: HashSet<(String, String, u64, String)> = HashSet::new();
            let mut watermark = 0;
            for message in messages {
                if message["type"] == "TIDB_WATERMARK" {
                    watermark = watermark.max(extension(message, "watermarkTs"));
                }
                if !is_row(message) {
                    continue;
                }
                let (commit_ts, key) = (extension(message, "commitTs"), key(message));
                assert!(commit_ts > 0, "{message}");
                let this = (
                    key.0.clone(),
                    key.1.clone(),
                    commit_ts,
                    text(message, "type"),
                );
                if !seen.insert(this) {
                    repeats += 1;
                    continue;
                }
                assert!(
                    commit_ts > watermark,
                    "{}: new behind the watermark {watermark}: {message}",
                    self.topic
                );
                let newest = newest.entry(key).or_default();
                assert!(
                    commit_ts >= *newest,
                    "{}: {newest} was told before: {message}",
                    self.topic
                );
                *newest = commit_ts;
            }
        }
        self.check_ddl(ddl);
        let all: usize = self.partitions.iter().map(Vec::len).sum();
        println!(
            "{}: {all} messages, {repeats} rows repeated, {} DDL statements",
            self.topic,
            ddl.len()
        );
    }

    fn check_ddl(&self, ddl: &[String]) {
        // DDL goes to the first partition: what is new there comes behind the statements before it
        let mut sent = 0;
        let mut seen = HashSet::new();
        let mut statements = BTreeMap::new();
        for message in &self.partitions[0] {
            if message["isDdl"] == true {
                let at = extension(message, "commitTs");
                statements.entry(at).or_insert_with(|| text(message, "sql"));
                sent = sent.max(at);
            } else if is_row(message) {
                let commit_ts = extension(message, "commitTs");
                if seen.insert((key(message), commit_ts, text(message, "type"))) {
                    assert!(
                        commit_ts > sent,
                        "{}: behind the DDL at {sent}: {message}",
                        self.topic
                    );
                }
            }
        }
        // and no row before the statement that it was written after
        let mut at = statements.keys().copied().collect::<BTreeSet<_>>();
        for message in &self.partitions[0] {
            let commit_ts = extension(message, "commitTs");
            if message["isDdl"] == true {
                at.remove(&commit_ts);
            } else if is_row(message)
                && let Some(missing) = at.first()
            {
                assert!(
                    commit_ts < *missing,
                    "{}: before the DDL at {missing}: {message}",
                    self.topic
                );
            }
        }
        let told: BTreeSet<String> = statements.into_values().map(|sql| plain(&sql)).collect();
        for statement in ddl {
            assert!(
                told.contains(&plain(statement)),
                "{statement} is not told: {told:?}"
            );
        }
    }

    /// The rows of each table by what was told last of each.
    fn rows(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        // rows before a TRUNCATE or DROP are told by its commit-ts, if there is one, else by the order of the one partition
        let mut emptied: HashMap<String, u64> = HashMap::new();
        for message in &self.partitions[0] {
            if matches!(message["type"].as_str(), Some("TRUNCATE" | "ERASE")) {
                let at = extension(message, "commitTs");
                emptied
                    .entry(text(message, "table"))
                    .and_modify(|ts| *ts = at.max(*ts))
                    .or_insert(at);
            }
        }
        for message in self
            .partitions
            .iter()
            .flatten()
            .filter(|message| is_row(message))
        {
            let (table, id) = key(message);
            let commit_ts = extension(message, "commitTs");
            if emptied.get(&table).is_some_and(|at| commit_ts < *at) {
                continue;
            }
            let rows = tables.entry(table).or_default();
            match message["type"] == "DELETE" {
                true => rows.remove(&id),
                false => {
                    let row = &message["data"][0];
                    rows.insert(id, format!("{}\t{}", text(row, "v"), text(row, "s")))
                }
            };
        }
        tables
    }
}

/// A statement without what its spelling may differ in.
fn plain(sql: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || *c == '(' || *c == ',';
    let words = sql.to_lowercase().replace('`', "").replace("test.", "");
    words.chars().filter(kept).collect()
}

/// Compares the rows told with those that there are.
pub fn compare(cluster: &Cluster, told: &Told) {
    let client = cluster.client();
    let query = |sql: &str| {
        let output = client(sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tables = query("show tables");
    let mut told_rows = told.rows();
    let mut count = 0;
    for table in tables.lines() {
        let there: BTreeMap<String, String> = query(&format!("select id, v, s from {table}"))
            .lines()
            .map(|line| {
                let (id, rest) = line.split_once('\t').unwrap();
                (id.to_owned(), rest.to_owned())
            })
            .collect();
        count += there.len();
        let rows = told_rows.remove(table).unwrap_or_default();
        assert_eq!(
            rows, there,
            "table {table} by topic {}, and as it is",
            told.topic
        );
    }
    assert!(count > 0);
    println!(
        "{}: {count} rows in {} tables equal",
        told.topic,
        tables.lines().count()
    );
}

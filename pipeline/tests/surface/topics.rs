//! What Kafka holds.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, Message,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    topic_partition_list::{Offset, TopicPartitionList},
};
use serde_json::Value;

use super::cluster::block;

const PATIENCE: Duration = Duration::from_secs(20);

/// A message; [`Line::value`] is JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub partition: i64,
    pub offset: i64,
    pub key: Option<String>,
    pub value: Value,
}

impl Line {
    /// Those of a recording's line that are JSON: one topic has those of a changefeed in protobuf too.
    pub fn recorded(line: &Value) -> Vec<Self> {
        let messages = line["messages"].as_array().unwrap();
        let read = messages.iter().filter_map(|message| {
            Some(Self {
                partition: message["partition"].as_i64().unwrap(),
                offset: message["offset"].as_i64().unwrap(),
                key: message["key"].as_str().map(ToOwned::to_owned),
                value: serde_json::from_str(message["value"].as_str().unwrap()).ok()?,
            })
        });
        read.collect()
    }

    /// The watermark, if it is one.
    pub fn watermark(&self) -> Option<u64> {
        self.value["_tidb"]["watermarkTs"].as_u64()
    }

    /// The commit-ts of what it tells, if it is told.
    pub fn commit_ts(&self) -> Option<u64> {
        self.value["_tidb"]["commitTs"].as_u64()
    }

    /// Everything but times.
    pub fn lasting(&self) -> String {
        let mut value = self.value.clone();
        for time in ["es", "ts"] {
            value[time] = Value::Null;
        }
        if let Some(more) = value.get_mut("_tidb").and_then(Value::as_object_mut) {
            more.values_mut().for_each(|ts| *ts = Value::Null);
        }
        format!("{} {:?} {value}", self.partition, self.key)
    }
}

fn client(port: u16) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("group.id", "reads")
        .set("allow.auto.create.topics", "false");
    config.create().unwrap()
}

/// All topics that changefeeds made, with their numbers of partitions.
pub fn topics(port: u16) -> BTreeMap<String, usize> {
    let metadata = client(port).fetch_metadata(None, PATIENCE).unwrap();
    let topics = metadata.topics().iter();
    topics
        .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
        .filter(|(name, _)| !name.starts_with("__"))
        .collect()
}

fn admin(port: u16) -> AdminClient<DefaultClientContext> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", format!("127.0.0.1:{port}"));
    config.create().unwrap()
}

/// Makes a topic with these settings.
pub fn create(port: u16, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    topic.config = settings.to_vec();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = block(admin(port).create_topics(&[topic], &options)).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Gives a topic more partitions.
pub fn grow(port: u16, name: &str, partitions: usize) {
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let more = NewPartitions::new(name, partitions);
    let made = block(admin(port).create_partitions(&[more], &options)).unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Deletes a topic and waits until it is gone.
pub fn delete(port: u16, topic: &str) {
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let deleted = block(admin(port).delete_topics(&[topic], &options)).unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

/// Every message of a topic, by partition and offset.
pub fn read(port: u16, topic: &str) -> Vec<Line> {
    let consumer = client(port);
    let partitions = topics(port).get(topic).copied().unwrap_or_default();
    let mut list = TopicPartitionList::new();
    let mut left = BTreeMap::new();
    for partition in 0..i32::try_from(partitions).unwrap() {
        let (first, end) = consumer
            .fetch_watermarks(topic, partition, PATIENCE)
            .unwrap();
        if first < end {
            list.add_partition_offset(topic, partition, Offset::Offset(first))
                .unwrap();
            left.insert(partition, end);
        }
    }
    consumer.assign(&list).unwrap();
    let mut lines = Vec::new();
    while !left.is_empty() {
        let message = consumer
            .poll(PATIENCE)
            .unwrap_or_else(|| panic!("{topic}: no more messages up to {left:?}"))
            .unwrap();
        let partition = message.partition();
        if left
            .get(&partition)
            .is_some_and(|end| *end <= message.offset() + 1)
        {
            left.remove(&partition);
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let value = text(message.payload().unwrap());
        lines.push(Line {
            partition: partition.into(),
            offset: message.offset(),
            key: message.key().map(text),
            value: serde_json::from_str(&value).unwrap(),
        });
    }
    lines.sort_by_key(|line| (line.partition, line.offset));
    lines
}

/// Messages of rows and statements without times; what was sent again stands where it was sent first.
pub fn told_once(lines: &[Line]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line.watermark().is_none()) {
        let shown = line.lasting();
        if !told.contains(&shown) {
            told.push(shown);
        }
    }
    told
}

/// Panics where a watermark goes back, or a row comes below it that was not sent before.
pub fn check_watermarks(topic: &str, lines: &[Line]) {
    let mut marks: BTreeMap<i64, u64> = BTreeMap::new();
    let mut seen: Vec<String> = Vec::new();
    for line in lines {
        let mark = marks.entry(line.partition).or_default();
        if let Some(ts) = line.watermark() {
            assert!(ts >= *mark, "{topic} {}: {ts} after {mark}", line.partition);
            *mark = ts;
        } else if let Some(ts) = line.commit_ts() {
            let shown = line.lasting();
            assert!(
                ts > *mark || seen.contains(&shown),
                "{topic} {}: first told at {ts}, after the watermark {mark}: {shown}",
                line.partition
            );
            seen.push(shown);
        }
    }
}

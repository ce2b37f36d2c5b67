//! Flink's canal-json format, in three versions, reads what the real TiCDC sent: every recorded message about a row, of every release
//! and configuration, gives the changes that it says; and the messages that the format does not know fail its job, unless it is told
//! to leave them out. That the pipeline's messages are the recorded ones is tested there (`pipeline/tests/recordings`).

#![allow(missing_docs, unreachable_pub)]

mod on_a_lab;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use harness::lab::{self, Kind, Lab, Topology};
use harness::observe::flink::runner::{End, Runner};
use harness::observe::flink::{Change, Kind as Op};
use harness::observe::kafka::Kafka;
use harness::observe::sql::quoted;
use on_a_lab::on_a_lab;
use rdkafka::producer::{BaseRecord, Producer as _};
use serde_json::{Map, Value, json};

type Failed = Box<dyn Error>;

const RELEASES: [&str; 3] = ["v4.0", "v6.5", "v8.4"];
const FLINKS: [&str; 3] = ["1.12.1", "1.20.3", "2.3.0"];
/// The column of a row by which it is known that all before were read.
const LAST: &str = "the last";
/// What Flink says of a message that it cannot read.
const CORRUPT: [&str; 2] = ["Corrupt Canal JSON message", "Unknown \"type\" value"];
const DEADLINE: Duration = Duration::from_secs(30);

/// A row by column; those that are missing are NULL.
type Image = BTreeMap<String, String>;

/// A message as it was sent, and what it is; null, if it is compressed.
#[derive(Clone)]
struct Message {
    sent: Vec<u8>,
    value: Value,
}

impl Message {
    fn of(text: &str) -> Result<Message, Failed> {
        Ok(match text.strip_prefix("hex:") {
            Some(digits) => Message {
                sent: hex::decode(digits)?,
                value: Value::Null,
            },
            None => Message {
                sent: text.as_bytes().to_vec(),
                value: serde_json::from_str(text)?,
            },
        })
    }
}

/// Messages in a topic.
struct Topic {
    name: String,
    messages: Vec<Message>,
}

impl Topic {
    /// The messages and a last row.
    fn of(name: &str, mut messages: Vec<Message>) -> Topic {
        let value = json!({
            "id": 0, "database": "d", "table": "t", "pkNames": [], "isDdl": false, "type": "INSERT", "es": 0, "ts": 0, "sql": "",
            "sqlType": {LAST: 12}, "mysqlType": {LAST: "varchar"}, "data": [{LAST: "row"}], "old": null,
        });
        let sent = value.to_string().into_bytes();
        messages.push(Message { sent, value });
        let name = name.to_owned();
        Topic { name, messages }
    }

    async fn send(&self, kafka: &Kafka) -> Result<(), Failed> {
        kafka.create_topic(&self.name, 1, &[]).await?;
        let producer = kafka.producer(&[("acks", "all")])?;
        for message in &self.messages {
            let record = BaseRecord::<(), [u8]>::to(&self.name).payload(&message.sent);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        tokio::task::spawn_blocking(move || producer.flush(DEADLINE)).await??;
        Ok(())
    }

    /// All columns of its rows.
    fn columns(&self) -> BTreeSet<String> {
        let rows = self.messages.iter().flat_map(|message| {
            let of = |member: &str| {
                message.value[member]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            };
            [of("data"), of("old")].concat()
        });
        let named = rows.flat_map(|row| row.as_object().cloned().unwrap_or_default());
        named.map(|(name, _)| name).collect()
    }

    /// Declares it as a Flink table whose columns are the texts of the messages.
    fn create(&self, bootstrap: &str, ignore_parse_errors: bool) -> String {
        let columns: Vec<String> = self
            .columns()
            .iter()
            .map(|name| format!("{} STRING", quoted(name)))
            .collect();
        format!(
            "CREATE TABLE {} ({}) WITH ('connector' = 'kafka', 'topic' = '{}', 'properties.bootstrap.servers' = '{bootstrap}', \
             'properties.group.id' = 'flink-reads', 'scan.startup.mode' = 'earliest-offset', 'format' = 'canal-json', \
             'canal-json.ignore-parse-errors' = '{ignore_parse_errors}')",
            quoted(&self.name),
            columns.join(", "),
            self.name
        )
    }
}

/// The recorded messages of a release.
fn recorded(release: &str) -> Result<Vec<Message>, Failed> {
    let mut messages = Vec::new();
    for path in files(&golden().join(release))? {
        for line in BufReader::new(GzDecoder::new(File::open(path)?)).lines() {
            let step: Value = serde_json::from_str(&line?)?;
            let sent = step["cdc"].as_object().into_iter().flatten();
            let sent = sent.filter_map(|(_, sent)| sent.as_array()).flatten();
            let texts = sent.filter_map(|message| message["value"].as_str());
            for text in texts {
                messages.push(Message::of(text)?);
            }
        }
    }
    Ok(messages)
}

/// A recorded watermark: they are with the faults.
fn watermark() -> Result<Message, Failed> {
    let file = golden().join("faults.jsonl.gz");
    for line in BufReader::new(GzDecoder::new(File::open(file)?)).lines() {
        let step: Value = serde_json::from_str(&line?)?;
        let messages = step["messages"].as_array().into_iter().flatten();
        for text in messages.filter_map(|message| message["value"].as_str()) {
            if text.contains("TIDB_WATERMARK") {
                return Message::of(text);
            }
        }
    }
    Err("no watermark is recorded".into())
}

fn golden() -> std::path::PathBuf {
    lab::repository().join("fixtures/golden/ticdc")
}

fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Failed> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.retain(|path| path.to_string_lossy().ends_with(".jsonl.gz"));
    files.sort();
    Ok(files)
}

/// Whether the format knows the message: rows, and CREATE, which it leaves out.
fn readable(message: &Message) -> bool {
    let message = &message.value;
    match message["type"].as_str().unwrap_or_default() {
        "INSERT" | "UPDATE" | "DELETE" => message["data"]
            .as_array()
            .is_some_and(|data| !data.contains(&Value::Null)),
        kind => kind == "CREATE",
    }
}

/// What kind of message it is, for those that the format does not know.
fn kind(message: &Message) -> String {
    match message.value["type"].as_str() {
        None => "compressed".to_owned(),
        Some("INSERT") => "INSERT of no row".to_owned(),
        Some(kind) => kind.to_owned(),
    }
}

/// The changes that the messages say, as the version of Flink tells them.
fn expected(messages: &[Message], flink: &str) -> Vec<(Op, Image)> {
    let image = |row: &Map<String, Value>| -> Image {
        let values = row
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        values.collect()
    };
    let mut changes = Vec::new();
    for message in messages.iter().filter(|message| readable(message)) {
        let message = &message.value;
        let Some(data) = message["data"][0].as_object() else {
            continue;
        };
        let after = image(data);
        match message["type"].as_str().unwrap_or_default() {
            "INSERT" => changes.push((Op::Insert, after)),
            "DELETE" => changes.push((Op::Delete, after)),
            _ => {
                // What is not among the old values is what it was; 1.12 takes NULL there for not being there.
                let mut before = after.clone();
                for (name, value) in message["old"][0].as_object().into_iter().flatten() {
                    match value.as_str() {
                        Some(value) => drop(before.insert(name.clone(), value.to_owned())),
                        None if flink == "1.12.1" => {}
                        None => drop(before.remove(name)),
                    }
                }
                changes.push((Op::UpdateBefore, before));
                changes.push((Op::UpdateAfter, after));
            }
        }
    }
    changes
}

#[test]
fn flink_reads_every_kind_of_message_or_fails() -> Result<(), Failed> {
    on_a_lab("flink-reads", "current", &[Kind::Kafka], read)
}

async fn read(lab: &Lab) -> Result<(), Failed> {
    let kafka = lab.kafka()?;
    let mut messages = vec![watermark()?];
    for release in RELEASES {
        let recorded = recorded(release)?;
        let count = recorded.len();
        println!("{release}: {count} messages");
        if count < 1000 {
            return Err(format!("{count} messages of {release} are too few").into());
        }
        messages.extend(recorded);
    }
    let mut failing = BTreeMap::new();
    for message in messages.iter().filter(|message| !readable(message)) {
        let first = failing.entry(kind(message));
        first.or_insert_with(|| message.clone());
    }
    let kinds: Vec<String> = failing.keys().cloned().collect();
    let failing: Vec<Topic> = failing
        .into_values()
        .enumerate()
        .map(|(n, message)| Topic::of(&format!("single-{n}"), vec![message]))
        .collect();
    let rows = messages.iter().filter(|message| readable(message));
    let rows = Topic::of("rows", rows.cloned().collect());
    let whole = Topic::of("whole", messages);
    for topic in failing.iter().chain([&rows, &whole]) {
        topic.send(&kafka).await?;
    }
    for flink in FLINKS {
        let mut topology = Topology::profile("current")?;
        if let Some(component) = topology.components.get_mut(&Kind::Flink) {
            component.version = flink.to_owned();
        }
        let command = move || lab::java_command(&topology, &[], &["FlinkRunner", "local"]);
        let mut runner = Runner::start(tokio::task::spawn_blocking(command).await??).await?;
        let (bootstrap, of_flink) = (kafka.bootstrap(), |error| format!("Flink {flink}, {error}"));
        let mut changes = 0;
        for (topic, ignoring) in [(&rows, false), (&whole, true)] {
            let compared = compare(topic, flink, bootstrap, ignoring, &mut runner).await;
            changes =
                compared.map_err(|error| of_flink(format!("topic {}: {error}", topic.name)))?;
        }
        for (kind, topic) in kinds.iter().zip(&failing) {
            let failed = fails(topic, bootstrap, &mut runner).await;
            failed.map_err(|error| of_flink(format!("{kind}: {error}")))?;
        }
        let kinds = kinds.join(", ");
        println!("Flink {flink}: {changes} changes as the messages say; fails on {kinds}");
    }
    Ok(())
}

/// Reads a topic, and gives the number of changes that it is.
async fn compare(
    topic: &Topic,
    flink: &str,
    bootstrap: &str,
    ignore_parse_errors: bool,
    runner: &mut Runner,
) -> Result<usize, Failed> {
    let (columns, expected) = (topic.columns(), expected(&topic.messages, flink));
    runner
        .run(&topic.create(bootstrap, ignore_parse_errors), End::Itself)
        .await?;
    let select = format!("SELECT * FROM {}", quoted(&topic.name));
    let read = runner.run(&select, End::After(expected.len())).await?;
    for (index, (read, (op, row))) in read.iter().zip(&expected).enumerate() {
        let Change { kind, row: values } = read;
        let named = columns.iter().zip(values);
        let found: Image = named
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect();
        if kind != op || found != *row {
            let (kind, op) = (kind.symbol(), op.symbol());
            return Err(format!(
                "change {index} of {}:\n  read {kind} {found:?}\n  sent {op} {row:?}",
                expected.len()
            )
            .into());
        }
    }
    match read.len() == expected.len() {
        true => Ok(read.len()),
        false => Err(format!("{} changes of {}", read.len(), expected.len()).into()),
    }
}

/// The job fails for the topic's first message.
async fn fails(topic: &Topic, bootstrap: &str, runner: &mut Runner) -> Result<(), Failed> {
    runner
        .run(&topic.create(bootstrap, false), End::Itself)
        .await?;
    let select = format!("SELECT * FROM {}", quoted(&topic.name));
    match runner.run(&select, End::After(1)).await {
        Ok(read) => Err(format!("it was read: {read:?}").into()),
        Err(error) if CORRUPT.iter().any(|why| error.to_string().contains(why)) => Ok(()),
        Err(error) => Err(format!("it failed for another reason: {error}").into()),
    }
}

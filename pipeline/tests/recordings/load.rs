//! A recording as it lies in `fixtures/golden/ticdc/`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use pipeline::model::{Op, RawKv};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The first line.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub(crate) pipelines: BTreeMap<String, PipelineSpec>,
}

/// A changefeed's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct PipelineSpec {
    #[serde(default)]
    pub(crate) config: String,
    #[serde(default)]
    pub(crate) server_tz: String,
    #[serde(default)]
    pub(crate) sink_uri: String,
    /// What the sink URI has beyond the protocol, where that is all that was recorded.
    #[serde(default)]
    pub(crate) parameters: String,
}

/// One statement and what came of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) step: u32,
    pub(crate) sql: String,
    #[serde(default)]
    pub(crate) ddl_jobs: Vec<JobRow>,
    #[serde(default)]
    pub(crate) kv: Vec<KeyValue>,
    #[serde(default)]
    pub(crate) cdc: BTreeMap<String, Vec<Message>>,
    #[serde(default)]
    pub(crate) dispatch: Vec<Dispatch>,
}

/// A version of a row of `mysql.tidb_ddl_job` or its history.
#[derive(Debug, Deserialize)]
pub(crate) struct JobRow {
    pub(crate) table: String,
    pub(crate) key: String,
    pub(crate) op: String,
    pub(crate) start_ts: u64,
    pub(crate) commit_ts: u64,
    pub(crate) value: Option<String>,
}

/// A version of a key.
#[derive(Debug, Deserialize)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) op: String,
    pub(crate) start_ts: u64,
    pub(crate) commit_ts: u64,
    #[serde(default)]
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) old: String,
    #[serde(default)]
    pub(crate) written_by_ddl: Value,
}

/// A message, or the error that ended the changefeed.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    /// `row` or `ddl`; missing where messages were read from a topic.
    #[serde(default)]
    pub(crate) kind: String,
    pub(crate) partition: Option<u32>,
    /// The record's key, which may be null; `None` where keys were not recorded.
    #[serde(default, deserialize_with = "recorded")]
    pub(crate) key: Option<Option<String>>,
    #[serde(default, deserialize_with = "readable_value")]
    pub(crate) value: Option<String>,
    pub(crate) error: Option<String>,
}

fn readable_value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value: Option<String> = Deserialize::deserialize(from)?;
    Ok(value.map(|value| match value.strip_prefix("hex:") {
        Some(digits) => readable(&bytes(digits)),
        None => value,
    }))
}

/// A message's value as text. What is compressed with lz4 becomes its frame's header and what is in the frame: two
/// compressors that keep to the format may give other bytes.
pub(crate) fn readable(value: &[u8]) -> String {
    const HEADER: usize = 7;
    if !value.starts_with(&[0x04, 0x22, 0x4d, 0x18]) {
        return String::from_utf8(value.to_vec()).expect("UTF-8");
    }
    let mut text = String::new();
    lz4_flex::frame::FrameDecoder::new(value)
        .read_to_string(&mut text)
        .expect("a frame");
    format!("lz4 {} {text}", hex::encode(&value[..HEADER]))
}

/// A row's partitions by `rule/number of partitions`, behind which there may be ` error: …`.
#[derive(Debug, Deserialize)]
pub(crate) struct Dispatch {
    pub(crate) table: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) partition: BTreeMap<String, i64>,
}

/// Takes a null as something that was recorded.
fn recorded<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

fn bytes(hex_text: &str) -> Bytes {
    hex::decode(hex_text).expect("hexadecimal").into()
}

impl KeyValue {
    pub(crate) fn raw(&self) -> RawKv {
        raw(
            &self.op,
            &self.key,
            &self.value,
            &self.old,
            self.start_ts,
            self.commit_ts,
        )
    }
}

impl JobRow {
    /// The row's version with its value; versions before the last one are recorded without.
    pub(crate) fn raw(&self) -> Option<RawKv> {
        let value = self.value.as_deref()?;
        Some(raw(
            &self.op,
            &self.key,
            value,
            "",
            self.start_ts,
            self.commit_ts,
        ))
    }
}

fn raw(op: &str, key: &str, value: &str, old: &str, start_ts: u64, commit_ts: u64) -> RawKv {
    let op = match op.to_ascii_lowercase().as_str() {
        "put" => Op::Put,
        "del" | "delete" => Op::Delete,
        other => panic!("operation {other}"),
    };
    RawKv {
        op,
        key: bytes(key),
        value: bytes(value),
        old_value: bytes(old),
        start_ts,
        commit_ts,
    }
}

/// The recordings of a version, by name.
pub(crate) fn names(version: &str) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder().join("ticdc").join(version))
        .expect("the recordings")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .filter_map(|name| name.strip_suffix(".jsonl.gz").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Reads a recording.
pub(crate) fn recording(version: &str, name: &str) -> (Header, Vec<Step>) {
    let path = folder()
        .join("ticdc")
        .join(version)
        .join(format!("{name}.jsonl.gz"));
    let text = text(&path);
    let mut lines = text.lines();
    let header = serde_json::from_str(lines.next().expect("a header")).expect("a header");
    let steps = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect();
    (header, steps)
}

/// Reads the topics of v8.4.0 as they were left after faults: the record key of each message, null where it was null.
pub(crate) fn topics() -> Vec<Message> {
    #[derive(Deserialize)]
    struct Line {
        #[serde(default)]
        messages: Vec<Message>,
    }
    let lines = text(&folder().join("ticdc/faults.jsonl.gz"));
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Line>(line).expect("a line"));
    lines.flat_map(|line| line.messages).collect()
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text
}

/// A JSON file of golden vectors.
pub(crate) fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).expect("golden vectors");
    serde_json::from_str(&text).expect("JSON")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden")
}

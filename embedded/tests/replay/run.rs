//! Replays one recording, line by line.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::call::Server;
use super::feed::{self, Channel, number};
use super::names::Names;
use super::servers::Servers;
use super::wire::Schema;
use super::{kind, text};
use crate::report::Report;

const EVENT_FEED_V2: &str = "/cdcpb.ChangeData/EventFeedV2";
/// Longest wait for what the recording says comes next.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(4);
/// Split keys and tables of the recorded cluster before the first file.
const LAYOUT: [&str; 4] = ["72000000", "72000001", "78000000", "78000001"];
const TABLES_BEFORE: [u64; 3] = [101, 102, 103];
/// Fields that our contracts leave out because nobody here reads them.
const LEFT_OUT: [&str; 10] = [
    "exec_details_v2",
    "cpu_usages",
    "interval",
    "op_latencies",
    "query_stats",
    "read_io_rates",
    "write_io_rates",
    "scan_priority",
    "slow_score",
    "slow_trend",
];

/// Everything the files share.
pub(crate) struct Replay {
    pub(super) servers: Servers,
    pub(super) schema: Arc<Schema>,
    pub(super) tikv: Server,
    pub(super) pd: Server,
    pub(super) names: Names,
    pub(crate) report: Report,
    /// Ticks of a subscription of our own, to wait for rounds of resolved-ts.
    pub(super) ticks: Option<Channel>,
    pub(super) store_id: u64,
    /// The last timestamp that a file fetched in its own words.
    pub(super) last_tso: u64,
}

/// One file under way.
pub(super) struct File {
    pub(super) name: String,
    pub(super) lines: Vec<Value>,
    pub(super) channels: BTreeMap<String, Channel>,
    /// Recorded events of a channel, with the line they came at.
    pub(super) expected: BTreeMap<String, Vec<(usize, Value)>>,
    /// Recorded start timestamps of transactions that are left out.
    pub(super) left_out: HashSet<u64>,
    /// Recorded start timestamps of locks.
    pub(super) locked: BTreeSet<u64>,
    /// A channel that missed something is not waited for again.
    pub(super) given_up: HashSet<String>,
}

impl Replay {
    /// Lays a fresh cluster out like the recorded one.
    pub(crate) async fn start(servers: Servers, recorded_cluster: u64) -> Self {
        let schema = Arc::new(Schema::load());
        let client =
            embedded::client::Client::connect(&[servers.pd_url()], Duration::from_secs(30))
                .await
                .unwrap();
        let names = Names::new(client, recorded_cluster);
        let mut replay = Self {
            tikv: Server::new(schema.clone(), &servers.store_url(0)),
            pd: Server::new(schema.clone(), &servers.pd_url()),
            schema,
            servers,
            names,
            report: Report::default(),
            ticks: None,
            store_id: 0,
            last_tso: 0,
        };
        let first = replay.region_at("").await;
        replay.store_id = first
            .pointer("/region/peers/0/store_id")
            .unwrap()
            .as_u64()
            .unwrap();
        replay.names.bind(1, replay.store_id);
        replay.split(&first, &LAYOUT).await;
        for table in TABLES_BEFORE {
            replay.ensure_table(table).await;
        }
        replay
    }

    fn header(&self) -> Value {
        json!({ "cluster_id": self.cluster_id() })
    }

    fn cluster_id(&self) -> u64 {
        self.names.cluster_id()
    }

    /// PD's answer for the region at a key (raw, in hex).
    pub(super) async fn region_at(&self, raw: &str) -> Value {
        let wrapped = match raw {
            "" => Vec::new(),
            raw => wrap(&hex::decode(raw).unwrap()),
        };
        let request = json!({ "header": self.header(), "region_key": hex::encode(wrapped) });
        self.pd.unary("/pdpb.PD/GetRegion", &request).await.unwrap()
    }

    async fn split(&self, region: &Value, keys: &[&str]) {
        let region = &region["region"];
        let request = json!({
            "context": {
                "region_id": region["id"],
                "region_epoch": region["region_epoch"],
                "peer": region["peers"][0],
            },
            "split_keys": keys,
        });
        let reply = self
            .tikv
            .unary("/tikvpb.Tikv/SplitRegion", &request)
            .await
            .unwrap();
        assert!(reply.get("region_error").is_none(), "{reply}");
    }

    /// A region of its own for a table, made as the recorded script made it.
    async fn ensure_table(&self, table: u64) {
        for id in [table, table + 1] {
            let key = format!("74{}", hex::encode((id | 1 << 63).to_be_bytes()));
            let region = self.region_at(&key).await;
            let start = region.pointer("/region/start_key").and_then(Value::as_str);
            if start != Some(hex::encode(wrap(&hex::decode(&key).unwrap())).as_str()) {
                self.split(&region, &[&key]).await;
            }
        }
    }

    /// Makes and names the regions of a file.
    async fn prepare(&mut self, file: &File) {
        let Some(table) = file.lines[0].get("table_id").and_then(Value::as_u64) else {
            return;
        };
        let mut tables = vec![table];
        if file.name.starts_with("08") {
            tables.push(208);
        }
        let mut named = Vec::new();
        for line in &file.lines {
            let message = &line["msg"];
            let (id, epoch) = match kind(line) {
                "send" => (&message["region_id"], &message["region_epoch"]),
                "kv-send" => {
                    let context = &message["context"];
                    (&context["region_id"], &context["region_epoch"])
                }
                _ => continue,
            };
            let id = id.as_u64().unwrap_or(0);
            if !matches!(id, 0 | 999_999) && named.iter().all(|(known, _)| *known != id) {
                named.push((id, epoch["version"].as_i64().unwrap_or(0)));
            }
        }
        // In a file of many regions the others come from a split.
        if file.name.starts_with("07") || file.name.starts_with("14") {
            named.truncate(1);
        }
        for (table, (recorded, version)) in tables.into_iter().zip(named) {
            self.ensure_table(table).await;
            let key = format!("74{}", hex::encode((table | 1 << 63).to_be_bytes()));
            let region = &self.region_at(&key).await["region"];
            self.names.bind(recorded, region["id"].as_u64().unwrap());
            let peer = region["peers"][0]["id"].as_u64().unwrap();
            self.names.bind(recorded + 1, peer);
            if table == file.lines[0]["table_id"] && !file.name.starts_with("08") {
                let ours = region["region_epoch"]["version"].as_i64().unwrap();
                self.names.version_offset = ours - version;
            }
        }
    }

    /// Replays a recording and takes the verdicts down.
    pub(crate) async fn file(&mut self, name: &str, mut lines: Vec<Value>) {
        lines.iter_mut().for_each(strip);
        let mut file = File::new(name, lines);
        self.names.version_offset = 0;
        self.prepare(&file).await;
        let sent = file
            .lines
            .iter()
            .filter(|line| kind(line).ends_with("send"));
        self.names.expect(sent.map(|line| &line["msg"]));
        self.tick().await;
        self.expect_events(&mut file);
        for at in 0..file.lines.len() {
            let line = file.lines[at].clone();
            let started = self.names.now_if_needed(kind(&line)).await;
            let acted = match kind(&line) {
                "open" => {
                    self.open(&mut file, &line).await;
                    true
                }
                "send" => self.send(&mut file, &line).await,
                "kv-send" => {
                    self.kv(&mut file, at, &line).await;
                    true
                }
                "pd-send" => {
                    self.pd_call(&mut file, at, &line).await;
                    true
                }
                "http" => {
                    self.http(&mut file, at, &line).await;
                    true
                }
                "tso" => {
                    self.names.fetch(number(&line, "ts")).await;
                    false
                }
                "regions" => {
                    self.regions(&mut file, &line).await;
                    false
                }
                "note" => self.note(&mut file, &line).await,
                "close" => {
                    self.close(&mut file, &line).await;
                    false
                }
                "status" => {
                    self.status(&mut file, &line).await;
                    false
                }
                _ => false,
            };
            if acted {
                self.settle(&mut file, at).await;
                self.resolved(&mut file, at, started).await;
            }
        }
        self.finish(&mut file).await;
    }

    /// Recorded events as our contracts read them, without what is left out.
    fn expect_events(&mut self, file: &mut File) {
        for (at, line) in file.lines.iter().enumerate() {
            if kind(line) == "kv-send" && text(line, "rpc") == "KvFlush" {
                file.left_out.insert(number(&line["msg"], "start_ts"));
            }
            if kind(line) != "recv" {
                continue;
            }
            let message = self.canonical(".cdcpb.ChangeDataEvent", &line["msg"]);
            for event in feed::plain_events(&message) {
                let mut event = event.clone();
                if let Some(Value::Array(rows)) = event.pointer_mut("/entries/entries") {
                    let before = rows.len();
                    rows.retain(|row| !file.left_out.contains(&number(row, "start_ts")));
                    if rows.len() < before {
                        self.report.diverge(&file.name, super::step::NO_FLUSH);
                        if rows.is_empty() {
                            continue;
                        }
                    }
                }
                let of_channel = file.expected.entry(text(line, "ch").to_owned());
                of_channel.or_default().push((at, event));
            }
        }
    }

    /// A recorded message without what our contracts leave out.
    pub(super) fn canonical(&self, kind: &str, message: &Value) -> Value {
        self.schema.canonical(kind, message).unwrap()
    }

    async fn open(&mut self, file: &mut File, line: &Value) {
        let metadata = line["metadata"].as_array().into_iter().flatten();
        let metadata: Vec<(String, String)> = metadata
            .map(|pair| {
                let part = |at: usize| pair[at].as_str().unwrap_or_default().to_owned();
                (part(0), part(1))
            })
            .collect();
        let stream = self.tikv.open(text(line, "rpc"), &metadata).await;
        if file.name.starts_with("16") && text(line, "ch") == "down" {
            file.given_up.insert("down".to_owned());
        }
        if text(line, "ch").ends_with("-paused") {
            stream.read(false);
        }
        file.channels
            .insert(text(line, "ch").to_owned(), Channel::new(stream));
    }

    /// Starts over with a subscription whose resolved-ts tell that a round has passed.
    pub(super) async fn tick(&mut self) {
        let region = self.region_at("78000001").await;
        let stream = self
            .tikv
            .open(
                EVENT_FEED_V2,
                &[("features".to_owned(), "stream-multiplexing".to_owned())],
            )
            .await;
        stream.send(&json!({
            "header": { "cluster_id": self.cluster_id(), "ticdc_version": "8.5.0" },
            "region_id": region["region"]["id"],
            "region_epoch": region["region"]["region_epoch"],
            "request_id": 1,
            "register": {},
        }));
        self.ticks = Some(Channel::new(stream));
    }

    /// Waits for so many rounds of resolved-ts.
    pub(super) async fn rounds(&mut self, rounds: usize) {
        let ticks = self.ticks.as_mut().unwrap();
        ticks.drain();
        let wanted = ticks.resolved.len() + rounds;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while ticks.resolved.len() < wanted {
            assert!(
                tokio::time::Instant::now() < deadline && ticks.ended.is_none(),
                "the store sends no resolved-ts: {:?} {:?}",
                ticks.ended,
                ticks.events
            );
            tokio::time::sleep(POLL).await;
            ticks.drain();
        }
    }

    /// Stops or kills the store and starts it again.
    pub(super) async fn stop_store(&mut self, signal: Signal) {
        self.ticks = None;
        self.servers.stop_tikv(signal);
    }

    pub(super) async fn restart_store(&mut self) {
        self.servers.start_tikv();
        self.servers.until_up().await;
        self.tikv = Server::new(self.schema.clone(), &self.servers.store_url(0));
        self.tick().await;
    }
}

impl File {
    fn new(name: &str, lines: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            lines,
            channels: BTreeMap::new(),
            expected: BTreeMap::new(),
            left_out: HashSet::new(),
            locked: BTreeSet::new(),
            given_up: HashSet::new(),
        }
    }

    pub(super) fn drain(&mut self) {
        self.channels.values_mut().for_each(Channel::drain);
    }

    /// Polls until a condition holds; false when it does not in time.
    pub(super) async fn until(&mut self, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.drain();
            if holds(self) {
                return true;
            }
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Memcomparable.
fn wrap(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..=raw.len() / 8 {
        let group = &raw[at * 8..raw.len().min(at * 8 + 8)];
        out.extend_from_slice(group);
        let pad = 8 - group.len();
        out.extend(std::iter::repeat_n(0, pad));
        out.push(0xff - u8::try_from(pad).unwrap());
    }
    out
}

/// A message without what our contracts leave out.
pub(super) fn without_left_out(message: &Value) -> Value {
    let mut message = message.clone();
    strip(&mut message);
    message
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

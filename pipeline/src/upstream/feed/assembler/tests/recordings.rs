//! What a real store sent (`fixtures/golden/tikv-feed`), put together and held against what was written to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;
use proto::cdcpb::ChangeDataEvent;
use serde_json::Value;

use super::*;

/// The lines of a recording.
fn recording(case: &str) -> Vec<Value> {
    let path = format!(
        "{}/../fixtures/golden/tikv-feed/{case}.jsonl.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = std::io::BufReader::new(flate2::read::GzDecoder::new(file));
    std::io::BufRead::lines(lines)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

/// Hexadecimal bytes; long ones were recorded by their hash, which stands for them here.
fn bytes(value: &Value) -> Bytes {
    match value {
        Value::String(text) => hex::decode(text).unwrap().into(),
        Value::Object(long) => Bytes::from(long["$sha256"].as_str().unwrap().to_owned()),
        _ => Bytes::new(),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn row_of(row: &Value) -> Row {
    let (kind, op) = (
        row["type"].as_str().unwrap(),
        row["op_type"].as_str().unwrap(),
    );
    Row {
        start_ts: number(&row["start_ts"]),
        commit_ts: number(&row["commit_ts"]),
        r#type: LogType::from_str_name(kind).unwrap() as i32,
        op_type: OpType::from_str_name(op).unwrap() as i32,
        key: bytes(&row["key"]),
        value: bytes(&row["value"]),
        old_value: bytes(&row["old_value"]),
        expire_ts_unix_secs: 0,
        txn_source: number(&row["txn_source"]),
        generation: number(&row["generation"]),
    }
}

/// A committed version as it was written.
#[derive(Clone, Debug)]
struct Version {
    key: Bytes,
    op: Op,
    value: Bytes,
    start_ts: Ts,
    commit_ts: Ts,
    region: u64,
    txn_source: u64,
}

/// What the recorded writes did.
#[derive(Default)]
struct Written {
    locks: BTreeMap<(Ts, Bytes), Version>,
    versions: Vec<Version>,
}

impl Written {
    fn apply(&mut self, rpc: &str, request: &Value, reply: &Value) {
        if !reply["error"].is_null()
            || !list(&reply["errors"]).is_empty()
            || !reply["region_error"].is_null()
        {
            return;
        }
        let start_ts = number(&request["start_version"]).max(number(&request["start_ts"]));
        let keys: Vec<Bytes> = list(&request["keys"]).iter().map(bytes).collect();
        match rpc {
            "KvPrewrite" | "KvFlush" => {
                for mutation in list(&request["mutations"]) {
                    let op = match mutation["op"].as_str().unwrap_or("Put") {
                        "Put" | "Insert" => Op::Put,
                        "Del" => Op::Delete,
                        _ => continue,
                    };
                    let context = &request["context"];
                    let version = Version {
                        key: bytes(&mutation["key"]),
                        op,
                        value: bytes(&mutation["value"]),
                        start_ts,
                        commit_ts: number(&reply["one_pc_commit_ts"]),
                        region: number(&context["region_id"]),
                        txn_source: number(&context["txn_source"]),
                    };
                    match version.commit_ts {
                        0 => drop(self.locks.insert((start_ts, version.key.clone()), version)),
                        _ => self.versions.push(version),
                    }
                }
            }
            "KvCommit" => self.commit(start_ts, number(&reply["commit_version"]), &keys),
            "KvResolveLock" if number(&request["commit_version"]) > 0 => {
                self.commit(start_ts, number(&request["commit_version"]), &keys);
            }
            _ => {}
        }
    }

    /// Commits those keys, or all of the transaction.
    fn commit(&mut self, start_ts: Ts, commit_ts: Ts, keys: &[Bytes]) {
        let of = |(start, key): &(Ts, Bytes)| {
            *start == start_ts && (keys.is_empty() || keys.contains(key))
        };
        let ids: Vec<_> = self.locks.keys().filter(|id| of(id)).cloned().collect();
        for id in ids {
            if let Some(lock) = self.locks.remove(&id) {
                self.versions.push(Version { commit_ts, ..lock });
            }
        }
    }

    /// The versions with the value that each replaced.
    fn changes(&self) -> Vec<(Version, RawKv)> {
        let mut versions = self.versions.clone();
        versions.sort_by_key(|version| version.commit_ts);
        let mut last: HashMap<Bytes, Bytes> = HashMap::new();
        let change = |version: Version| {
            let old_value = last
                .insert(version.key.clone(), version.value.clone())
                .unwrap_or_default();
            let Version {
                key,
                op,
                value,
                start_ts,
                commit_ts,
                ..
            } = version.clone();
            (
                version,
                RawKv {
                    op,
                    key,
                    value,
                    old_value,
                    start_ts,
                    commit_ts,
                },
            )
        };
        versions.into_iter().map(change).collect()
    }
}

/// A registration and what came of it.
struct Taken {
    channel: String,
    region: u64,
    epoch: u64,
    filter_loop: bool,
    checkpoint_ts: Ts,
    assembler: Assembler,
    out: Vec<RawKv>,
    ended_by: Option<Value>,
}

#[derive(Default)]
struct Replay {
    written: Written,
    /// Boundaries by region and version, wherever a message tells them.
    bounds: HashMap<(u64, u64), Span>,
    /// Those that go on, by channel, request and region.
    going: HashMap<(String, u64, u64), Taken>,
    ended: Vec<Taken>,
}

impl Replay {
    fn run(lines: &[Value]) -> Self {
        let mut replay = Self::default();
        let mut sent: HashMap<&str, Value> = HashMap::new();
        for line in lines {
            replay.learn_bounds(line);
            let rpc = line["rpc"].as_str().unwrap_or_default();
            match line["kind"].as_str().unwrap_or_default() {
                "kv-send" => drop(sent.insert(rpc, line["msg"].clone())),
                "kv-recv" => replay
                    .written
                    .apply(rpc, &sent.remove(rpc).unwrap(), &line["msg"]),
                "send" => replay.send(line),
                "recv" => replay.recv(line),
                "close" | "status" => replay.close(line["ch"].as_str().unwrap()),
                _ => {}
            }
        }
        let rest: Vec<_> = replay.going.drain().map(|(_, taken)| taken).collect();
        replay.ended.extend(rest);
        replay
    }

    fn learn_bounds(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.learn_bounds(value)),
            Value::Object(fields) => {
                if let (Some(id), Some(epoch), Some(start)) = (
                    fields.get("id"),
                    fields.get("region_epoch"),
                    fields.get("start_key"),
                ) {
                    let end = fields.get("end_key").map(bytes).unwrap_or_default();
                    self.bounds.insert(
                        (number(id), number(&epoch["version"])),
                        Span {
                            start: bytes(start),
                            end,
                        },
                    );
                }
                fields.values().for_each(|value| self.learn_bounds(value));
            }
            _ => {}
        }
    }

    fn send(&mut self, line: &Value) {
        let (channel, msg) = (line["ch"].as_str().unwrap(), &line["msg"]);
        if msg.get("deregister").is_some() || msg.get("notify_txn_status").is_some() {
            return;
        }
        let range = Span {
            start: bytes(&msg["start_key"]),
            end: bytes(&msg["end_key"]),
        };
        let (region, checkpoint_ts) = (number(&msg["region_id"]), number(&msg["checkpoint_ts"]));
        let taken = Taken {
            channel: channel.into(),
            region,
            epoch: number(&msg["region_epoch"]["version"]),
            filter_loop: msg["filter_loop"].as_bool().unwrap_or(false),
            checkpoint_ts,
            assembler: Assembler::new(
                range,
                checkpoint_ts,
                checkpoint_ts,
                Room::new(usize::MAX).part(),
            ),
            out: Vec::new(),
            ended_by: None,
        };
        self.going
            .entry((channel.into(), number(&msg["request_id"]), region))
            .or_insert(taken);
    }

    fn recv(&mut self, line: &Value) {
        let (channel, msg) = (line["ch"].as_str().unwrap(), &line["msg"]);
        if let Some(raw) = line.get("raw") {
            assert_same(&ChangeDataEvent::decode(bytes(raw)).unwrap(), msg);
        }
        for event in list(&msg["events"]) {
            let id = (
                channel.to_owned(),
                number(&event["request_id"]),
                number(&event["region_id"]),
            );
            let Some(taken) = self.going.get_mut(&id) else {
                continue;
            };
            if let Some(entries) = event.get("entries") {
                let rows = list(&entries["entries"]).iter().map(row_of).collect();
                taken
                    .assembler
                    .rows(rows, &mut taken.out)
                    .unwrap_or_else(|error| panic!("line {}: {error}", line["n"]));
            } else if let Some(ts) = event.get("resolved_ts") {
                taken.assembler.resolve(number(ts));
            } else if let Some(error) = event.get("error")
                && error.get("duplicate_request").is_none()
            {
                taken.ended_by = Some(error.clone());
                let taken = self.going.remove(&id).unwrap();
                self.ended.push(taken);
            }
        }
        let resolved = &msg["resolved_ts"];
        let request = number(&resolved["request_id"]);
        let regions: BTreeSet<u64> = list(&resolved["regions"]).iter().map(number).collect();
        for ((of, named, region), taken) in &mut self.going {
            if of == channel && (request == 0 || request == *named) && regions.contains(region) {
                taken.assembler.resolve(number(&resolved["ts"]));
            }
        }
    }

    fn close(&mut self, channel: &str) {
        let ids: Vec<_> = self
            .going
            .keys()
            .filter(|(of, ..)| of == channel)
            .cloned()
            .collect();
        self.ended
            .extend(ids.iter().filter_map(|id| self.going.remove(id)));
    }

    /// Every registration got all that it is complete for, and nothing that was not written. Answers how many changes
    /// were complete.
    fn verify(&self) -> usize {
        let changes = self.written.changes();
        let mut complete = 0;
        for taken in &self.ended {
            let bounds = self.bounds.get(&(taken.region, taken.epoch));
            let wanted = changes.iter().filter(|(version, change)| {
                let here = match bounds {
                    Some(bounds) => keys::encoded_span_contains(bounds, &change.key),
                    None => version.region == taken.region,
                };
                let source = version.txn_source;
                let filtered = source > 255 || (taken.filter_loop && source != 0);
                here && !filtered
                    && keys::encoded_span_contains(taken.assembler.range(), &change.key)
                    && change.commit_ts > taken.checkpoint_ts
            });
            let wanted: Vec<&RawKv> = wanted.map(|(_, change)| change).collect();
            for got in &taken.out {
                assert!(
                    wanted.contains(&got),
                    "{} region {} gave what was never written: {got:?}",
                    taken.channel,
                    taken.region
                );
            }
            for change in wanted
                .iter()
                .filter(|change| change.commit_ts <= taken.assembler.resolved_ts())
            {
                let times = taken.out.iter().filter(|got| got == change).count();
                assert_eq!(
                    times, 1,
                    "{} region {} from {}: {change:?}",
                    taken.channel, taken.region, taken.checkpoint_ts
                );
                complete += 1;
            }
        }
        complete
    }
}

/// The bytes on the wire say what the recording says of them.
fn assert_same(decoded: &ChangeDataEvent, msg: &Value) {
    assert_eq!(decoded.events.len(), list(&msg["events"]).len());
    for (event, recorded) in decoded.events.iter().zip(list(&msg["events"])) {
        assert_eq!(
            (event.region_id, event.request_id),
            (
                number(&recorded["region_id"]),
                number(&recorded["request_id"])
            )
        );
        if let Some(proto::cdcpb::event::Event::Entries(rows)) = &event.event {
            let recorded = list(&recorded["entries"]["entries"]);
            assert_eq!(rows.entries.len(), recorded.len());
            for (row, recorded) in rows.entries.iter().zip(recorded) {
                let mut recorded_row = row_of(recorded);
                // Long values were recorded by their hash.
                if !recorded["value"].is_string() {
                    recorded_row.value = row.value.clone();
                }
                if !recorded["old_value"].is_string() {
                    recorded_row.old_value = row.old_value.clone();
                }
                assert_eq!(*row, recorded_row);
            }
        }
    }
    let regions: Vec<u64> = list(&msg["resolved_ts"]["regions"])
        .iter()
        .map(number)
        .collect();
    assert_eq!(
        decoded
            .resolved_ts
            .as_ref()
            .map(|resolved| &resolved.regions)
            .cloned()
            .unwrap_or_default(),
        regions
    );
}

macro_rules! replays {
    ($($name:ident: $case:literal, $complete:literal;)*) => {$(
        #[test]
        fn $name() {
            let complete = Replay::run(&recording($case)).verify();
            assert_eq!(complete, $complete, "complete changes over all registrations");
        }
    )*};
}
replays! {
    optimistic_live: "01-optimistic-live", 54;
    incremental_scan: "02-incremental-scan", 131;
    pessimistic: "03-pessimistic", 28;
    one_pc_and_async_commit: "04-1pc-async-commit", 40;
    rollback_and_resolve: "05-rollback-resolve", 28;
    resolved_ts_stuck: "06-resolved-ts-stuck", 7;
    split_and_merge: "07-split-merge", 10;
    errors: "08-errors", 7;
    large_values: "09-large-values", 72;
    timestamps: "11-timestamps", 16;
    txn_source: "12-txn-source-filter-loop", 22;
    many_regions: "14-many-regions-resolved-ts", 3;
    store_restarts: "16-store-stop-restart", 11;
    old_value_flag: "17-old-value-flag", 9;
    overlapped_rollback: "18-overlapped-rollback", 8;
}

#[test]
fn five_thousand_keys_live_and_scanned() {
    let replay = Replay::run(&recording("10-many-keys"));
    for taken in &replay.ended {
        assert_eq!(taken.out.len(), 5000, "{}", taken.channel);
        let keys: BTreeSet<_> = taken.out.iter().map(|kv| &kv.key).collect();
        assert_eq!(keys.len(), 5000);
        assert!(
            taken
                .out
                .iter()
                .all(|kv| (kv.start_ts, kv.commit_ts) == (470648392744960004, 470648392876032001))
        );
    }
    assert_eq!(replay.ended.len(), 3);
}

#[test]
fn a_congested_registration_ends_before_it_is_complete() {
    let replay = Replay::run(&recording("15-congestion"));
    assert_eq!(replay.ended.len(), 3);
    for taken in &replay.ended {
        let error = taken.ended_by.as_ref().unwrap();
        assert!(error.get("congested").is_some(), "{error}");
        assert!(taken.out.len() < 20, "{} got everything", taken.channel);
        match taken.assembler.initialized() {
            true => assert!(taken.out.is_sorted_by_key(|kv| kv.commit_ts)),
            false => assert_eq!(taken.assembler.resolved_ts(), taken.checkpoint_ts),
        }
    }
}

//! Requests that a recording leaves out, made up from the events that they caused.

use serde_json::{Value, json};

use super::feed::{plain_events, rows};
use super::names::Names;
use super::{kind, text};

/// Puts of the recorded congestion.
const PUTS: u64 = 20;

/// Puts requests before the events of `channel` that must have come from them: one for each event.
pub(crate) fn requests_from_events(lines: Vec<Value>, channel: &str) -> Vec<Value> {
    let register = lines
        .iter()
        .find(|line| kind(line) == "send")
        .cloned()
        .unwrap();
    let context = context(&register);
    let mut primary = Value::Null;
    let mut out = Vec::new();
    for line in lines {
        if kind(&line) == "recv" && text(&line, "ch") == channel {
            for event in plain_events(&line["msg"]) {
                let rows = rows(event);
                let first = &rows[0];
                if text(first, "type") == "PREWRITE" {
                    if primary.is_null() {
                        primary = first["key"].clone();
                    }
                    let mutations: Vec<Value> = rows
                        .iter()
                        .map(|row| json!({ "key": row["key"], "value": row["value"] }))
                        .collect();
                    out.push(json!({
                        "kind": "kv-send", "rpc": "KvPrewrite", "n": line["n"], "made_up": true,
                        "msg": {
                            "context": context, "mutations": mutations, "primary_lock": primary,
                            "start_version": first["start_ts"], "lock_ttl": 20_000,
                        },
                    }));
                } else if text(first, "type") == "COMMIT" {
                    let keys: Vec<&Value> = rows.iter().map(|row| &row["key"]).collect();
                    out.push(json!({
                        "kind": "kv-send", "rpc": "KvCommit", "n": line["n"], "made_up": true,
                        "msg": {
                            "context": context, "keys": keys,
                            "start_version": first["start_ts"], "commit_version": first["commit_ts"],
                        },
                    }));
                }
            }
        }
        out.push(line);
    }
    out
}

fn context(register: &Value) -> Value {
    let message = &register["msg"];
    json!({ "region_id": message["region_id"], "region_epoch": message["region_epoch"] })
}

/// Puts the 20 writes after the note that tells of them; the events show the first of them.
pub(crate) fn congesting_puts(lines: Vec<Value>) -> Vec<Value> {
    let register = lines
        .iter()
        .find(|line| kind(line) == "send")
        .cloned()
        .unwrap();
    let context = context(&register);
    let mut seen: Vec<Value> = Vec::new();
    let mut commits: Vec<(Value, Value)> = Vec::new();
    for line in lines
        .iter()
        .filter(|line| text(line, "ch") == "v1-paused" && kind(line) == "recv")
    {
        for row in plain_events(&line["msg"]).flat_map(rows) {
            match text(row, "type") {
                "PREWRITE" => seen.push(row.clone()),
                "COMMIT" => commits.push((row["start_ts"].clone(), row["commit_ts"].clone())),
                _ => {}
            }
        }
    }
    let mut last = 0;
    let mut made = Vec::new();
    for put in 0..PUTS {
        let (start, key, value) = match seen.get(usize::try_from(put).unwrap()) {
            Some(row) => (
                row["start_ts"].as_u64().unwrap(),
                row["key"].clone(),
                row["value"].clone(),
            ),
            None => {
                let key = seen[0]["key"].as_str().unwrap();
                let key = format!("{}{put:02x}", &key[..key.len() - 2]);
                // Any value of that size.
                let value = seen[0]["value"].clone();
                (last + 1, json!(key), value)
            }
        };
        let commit = commits.iter().find(|(of, _)| of.as_u64() == Some(start));
        let commit = commit.map_or(start + 1, |(_, commit)| commit.as_u64().unwrap());
        last = commit;
        made.push(json!({
            "kind": "kv-send", "rpc": "KvPrewrite", "n": put, "made_up": true,
            "msg": {
                "context": context, "mutations": [{ "key": key, "value": value }], "primary_lock": key,
                "start_version": start, "lock_ttl": 20_000,
            },
        }));
        made.push(json!({
            "kind": "kv-send", "rpc": "KvCommit", "n": put, "made_up": true,
            "msg": { "context": context, "keys": [key], "start_version": start, "commit_version": commit },
        }));
    }
    let at = lines
        .iter()
        .position(|line| text(line, "text").contains("live puts"))
        .unwrap();
    let mut out = lines;
    out.splice(at + 1..at + 1, made);
    out
}

/// What was queued comes in order, then the region is congested, then nothing: how much was queued is nobody's promise.
pub(crate) fn congested(
    names: &mut Names,
    recorded: &[Value],
    ours: &[Value],
) -> Vec<(String, Result<(), String>)> {
    let is_error = |event: &Value| event.get("error").is_some();
    let same = |names: &mut Names, a: &Value, b: &Value| names.same(a, b);
    let mut verdicts = Vec::new();
    let (theirs, mine) = (
        recorded.iter().filter(|event| !is_error(event)),
        ours.iter().filter(|event| !is_error(event)),
    );
    for (at, (theirs, mine)) in theirs.zip(mine).enumerate() {
        // A scan's events are cut by their size: compare their first rows.
        let (theirs, mine) = (first_row(theirs), first_row(mine));
        verdicts.push((format!("event {at}"), same(names, &theirs, &mine)));
    }
    let ends = match (recorded.last(), ours.last()) {
        (Some(theirs), Some(mine)) => same(names, theirs, mine),
        _ => Err("nothing came".to_owned()),
    };
    verdicts.push(("ends congested".to_owned(), ends));
    let errors = ours.iter().filter(|event| is_error(event)).count();
    let once = match errors {
        1 => Ok(()),
        errors => Err(format!("{errors} errors")),
    };
    verdicts.push(("ends once".to_owned(), once));
    verdicts
}

fn first_row(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(Value::Array(rows)) = event.pointer_mut("/entries/entries") {
        rows.truncate(1);
    }
    event
}

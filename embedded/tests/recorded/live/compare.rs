//! A statement's answer and writes, against the recorded ones.

use std::collections::{BTreeMap, HashSet};

use embedded::tidb::catalog::TidbVersion;
use embedded::tidb::codec::keys::MetaKey;
use serde_json::Value;

use super::Differences;
use super::feed::Version;
use super::ids::{Ids, Kind};
use super::session::Answer;
use super::shards::Shards;
use crate::recorded::{KeyValue, Statement, bytes, schema};

/// What is known of the two clusters.
pub(crate) struct Comparison {
    version: TidbVersion,
    ids: Ids,
    shards: Shards,
    system: HashSet<i64>,
}

/// `t` and a table id.
pub(super) const TABLE_PREFIX: usize = 9;

pub(super) fn table_id(key: &[u8]) -> Option<i64> {
    let id: [u8; 8] = key.get(1..TABLE_PREFIX)?.try_into().ok()?;
    (key[0] == b't').then(|| (u64::from_be_bytes(id) ^ (1 << 63)) as i64)
}

pub(super) fn is_record(key: &[u8]) -> bool {
    key.get(TABLE_PREFIX..TABLE_PREFIX + 2) == Some(b"_r")
}

impl Comparison {
    pub(crate) fn new(version: TidbVersion, system: HashSet<i64>) -> Self {
        Self {
            version,
            ids: Ids::default(),
            shards: Shards::default(),
            system,
        }
    }

    pub(crate) fn compare(
        &mut self,
        statement: &Statement,
        answer: &Answer,
        written: &[Version],
    ) -> Differences {
        let mut found = Differences::new();
        self.shards.learn(written);
        self.answers(statement, answer, written, &mut found);
        match self.version {
            TidbVersion::V4_0 => self.jobs_v4(statement, written, &mut found),
            TidbVersion::V8_5 => {
                self.jobs(statement, written, &mut found);
                self.meta(statement, written, &mut found);
            }
        }
        self.rows(statement, written, &mut found);
        found
    }

    fn answers(
        &self,
        statement: &Statement,
        answer: &Answer,
        written: &[Version],
        found: &mut Differences,
    ) {
        let recorded = &statement.0;
        let code = statement.error_code();
        let ours = answer.error.as_ref().map(|(code, _)| *code);
        if code != ours {
            let text = answer.error.as_ref().map_or("", |(_, text)| text);
            let theirs = recorded["error"].as_str().unwrap_or_default();
            let shown = |code: Option<u64>| code.map_or("ok".to_owned(), |code| code.to_string());
            let how = format!(
                "recorded {} {theirs}, here {} {text}",
                shown(code),
                shown(ours)
            );
            found.push(("error", how));
            return;
        }
        if code.is_some() {
            return;
        }
        let columns: Vec<&str> = strings(&recorded["columns"]);
        if columns != answer.columns {
            found.push((
                "columns",
                format!("recorded {columns:?}, here {:?}", answer.columns),
            ));
        }
        let rows: Vec<Vec<Option<String>>> = recorded["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| {
                row.as_array()
                    .unwrap()
                    .iter()
                    .map(|v| v.as_str().map(str::to_owned))
                    .collect()
            })
            .collect();
        if rows != answer.rows {
            found.push(("rows", first_difference(&rows, &answer.rows)));
        }
        if let Some(affected) = recorded["affected_rows"].as_u64()
            && columns.is_empty()
            && affected != answer.affected_rows
        {
            found.push((
                "affected_rows",
                format!("recorded {affected}, here {}", answer.affected_rows),
            ));
        }
        if self.version == TidbVersion::V8_5 {
            let last = recorded["last_insert_id"].as_u64().unwrap_or(0);
            if !self.shards.same(written, last, answer.last_insert_id) {
                found.push((
                    "last_insert_id",
                    format!("recorded {last}, here {}", answer.last_insert_id),
                ));
            }
        }
        let warnings: Vec<Vec<&str>> = recorded["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .map(strings)
            .collect();
        let theirs: Vec<String> = warnings
            .iter()
            .map(|w| format!("{} {}", w[0], w[1]))
            .collect();
        let ours: Vec<String> = answer
            .warnings
            .iter()
            .map(|(level, code, _)| format!("{level} {code}"))
            .collect();
        if theirs != ours {
            found.push((
                "warnings",
                format!("recorded {warnings:?}, here {:?}", answer.warnings),
            ));
        }
    }

    /// Jobs in the state in which a puller reads them, with all that their rows hold.
    fn jobs(&mut self, statement: &Statement, written: &[Version], found: &mut Differences) {
        let theirs: Vec<Value> = statement
            .list("ddl_jobs")
            .iter()
            .filter(|job| job["table"] == "tidb_ddl_job" && job["value"].is_string())
            .map(|job| job["job_meta"].clone())
            .collect();
        let ours: Vec<Value> = written
            .iter()
            .filter(|v| table_id(&v.key) == Some(JOB_TABLE))
            .filter_map(|v| job_of_row(v.value.as_ref()?))
            .filter(|job| ENDED.iter().any(|state| job["state"] == *state))
            .collect();
        self.same_jobs(&theirs, &ours, found);
    }

    /// Jobs as they stand in the queue in the end, which is where a puller of 4.0 reads them.
    fn jobs_v4(&mut self, statement: &Statement, written: &[Version], found: &mut Differences) {
        let done = |job: &Value| {
            ENDED.iter().any(|state| job["state"] == *state) && job["query"].is_string()
        };
        let theirs: Vec<Value> = schema::jobs_v4(statement)
            .into_iter()
            .filter(done)
            .collect();
        let ours: Vec<Value> = written
            .iter()
            .filter(|v| v.key.starts_with(b"mDDLJob"))
            .filter_map(|v| serde_json::from_slice(v.value.as_ref()?).ok())
            .filter(done)
            .collect();
        self.same_jobs(&theirs, &ours, found);
    }

    fn same_jobs(&mut self, theirs: &[Value], ours: &[Value], found: &mut Differences) {
        if theirs.len() != ours.len() {
            found.push((
                "jobs",
                format!("recorded {}, here {}", theirs.len(), ours.len()),
            ));
            return;
        }
        for (theirs, ours) in theirs.iter().zip(ours) {
            if let Err(how) = self.ids.same(theirs, ours) {
                found.push(("jobs", how));
            }
        }
    }

    /// The last value of every key of the schema.
    fn meta(&mut self, statement: &Statement, written: &[Version], found: &mut Differences) {
        let mut theirs = BTreeMap::new();
        for mutation in schema::recorded_meta(statement) {
            let value = match &mutation {
                embedded::tidb::catalog::Mutation::Put { value, .. } => Some(value.clone()),
                embedded::tidb::catalog::Mutation::Delete { .. } => None,
            };
            theirs.insert(mutation.key().to_vec(), value);
        }
        let mut ours = BTreeMap::new();
        for version in written.iter().filter(|v| v.key.starts_with(b"m")) {
            ours.insert(version.key.clone(), version.value.clone());
        }
        let recorded: Vec<_> = theirs
            .into_iter()
            .filter_map(|(k, v)| Some((Name::of(&k)?, v)))
            .collect();
        let mut ours: Vec<_> = ours
            .into_iter()
            .filter_map(|(k, v)| Some((Name::of(&k)?, v)))
            .collect();
        for (name, value) in recorded {
            let at = ours
                .iter()
                .position(|(other, _)| self.same_name(&name, other));
            let Some(at) = at else {
                found.push(("meta", format!("{name} is not written")));
                continue;
            };
            let (_, our_value) = ours.remove(at);
            let result = match (&value, &our_value) {
                (None, None) => Ok(()),
                (Some(a), Some(b)) => self.same_value(&name, a, b),
                _ => Err("put here and deleted there".to_owned()),
            };
            if let Err(how) = result {
                found.push(("meta", format!("{name}: {how}")));
            }
        }
        for (name, _) in ours {
            found.push(("meta", format!("{name} was not recorded")));
        }
    }

    fn same_name(&mut self, recorded: &Name, ours: &Name) -> bool {
        if recorded.parts.len() != ours.parts.len() {
            return false;
        }
        // First all that needs no id, so that none is taken for another by a key of another kind.
        let texts = recorded
            .parts
            .iter()
            .zip(&ours.parts)
            .all(|(a, b)| a.0 == b.0);
        texts
            && recorded
                .parts
                .iter()
                .zip(&ours.parts)
                .all(|(a, b)| match (a.1, b.1) {
                    (Some(a), Some(b)) if recorded.is_version() => {
                        self.ids.unify(Kind::Version, a, b).is_ok()
                    }
                    (Some(a), Some(b)) => self.ids.unify(Kind::Global, a, b).is_ok(),
                    (a, b) => a == b,
                })
    }

    fn same_value(&mut self, name: &Name, recorded: &[u8], ours: &[u8]) -> Result<(), String> {
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<i64>().ok();
        match (number(recorded), number(ours)) {
            (Some(a), Some(b)) if name.parts[0].0 == "NextGlobalID" => {
                return self.ids.unify(Kind::Global, a, b);
            }
            (Some(a), Some(b)) if name.parts[0].0 == "SchemaVersionKey" => {
                return self.ids.unify(Kind::Version, a, b);
            }
            _ => {}
        }
        match (
            serde_json::from_slice(recorded),
            serde_json::from_slice(ours),
        ) {
            (Ok(a), Ok(b)) => self.ids.same(&a, &b),
            _ if recorded == ours => Ok(()),
            _ => Err(format!(
                "recorded {}, here {}",
                hex::encode(recorded),
                hex::encode(ours)
            )),
        }
    }

    /// Versions of rows and index entries, by key.
    fn rows(&mut self, statement: &Statement, written: &[Version], found: &mut Differences) {
        let mut by_ddl = HashSet::new();
        let mut theirs: BTreeMap<Vec<u8>, Vec<Change>> = BTreeMap::new();
        for (kv, raw) in statement.kv().zip(statement.list("kv")) {
            let Some(id) = table_id(&kv.key) else {
                continue;
            };
            let Some(id) = self.ids.ours(id) else {
                found.push(("kv", format!("recorded table {id} has no counterpart")));
                continue;
            };
            let KeyValue {
                mut key,
                value,
                written_by_ddl,
            } = kv;
            key[1..TABLE_PREFIX].copy_from_slice(&(id as u64 ^ (1 << 63)).to_be_bytes());
            if written_by_ddl {
                by_ddl.insert(key);
                continue;
            }
            let old = raw["old"]
                .as_str()
                .map(|_| bytes(&raw["old"]))
                .unwrap_or_default();
            let key = self.shards.without(key);
            theirs.entry(key).or_default().push(Change { value, old });
        }
        let is_ddl = !statement.list("ddl_jobs").is_empty() || !by_ddl.is_empty();
        let mut ours: BTreeMap<Vec<u8>, Vec<Change>> = BTreeMap::new();
        for version in written {
            let counts = table_id(&version.key)
                .is_some_and(|id| !self.system.contains(&id) && id < JOB_TABLE - 1000);
            let records_only = self.version == TidbVersion::V4_0 && !is_record(&version.key);
            // A dropped table's rows go with the statement here.
            let cleaned = is_ddl && version.value.is_none() && !theirs.contains_key(&version.key);
            if !counts || records_only || cleaned || by_ddl.contains(&version.key) {
                continue;
            }
            let key = self.shards.without(version.key.clone());
            ours.entry(key).or_default().push(Change {
                value: version.value.clone(),
                old: version.old.clone(),
            });
        }
        let keys: HashSet<&Vec<u8>> = theirs.keys().chain(ours.keys()).collect();
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort();
        for key in keys {
            let (theirs, ours) = (theirs.get(key), ours.get(key));
            if theirs != ours {
                let aspect = if is_record(key) { "kv" } else { "index" };
                let shown = |changes: Option<&Vec<Change>>| {
                    changes.map_or("nothing".to_owned(), |c| format!("{c:?}"))
                };
                let how = format!(
                    "{}\n      recorded {}\n      here     {}",
                    hex::encode(key),
                    shown(theirs),
                    shown(ours)
                );
                found.push((aspect, how));
            }
        }
    }
}

/// One version of a key.
#[derive(PartialEq)]
struct Change {
    value: Option<Vec<u8>>,
    old: Vec<u8>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "put {}", hex::encode(value))?,
            None => write!(f, "delete")?,
        }
        write!(f, " over {:?}", hex::encode(&self.old))
    }
}

/// The table of running jobs.
const JOB_TABLE: i64 = 281_474_976_710_654;
/// The states of jobs that are at their end and not in the history yet: rolled back, done, cancelled.
const ENDED: [i64; 3] = [3, 4, 5];

/// The job in a row of the table of running jobs: its JSON document.
fn job_of_row(row: &[u8]) -> Option<Value> {
    let start = row.windows(6).position(|w| w == b"{\"id\":")?;
    let mut documents = serde_json::Deserializer::from_slice(&row[start..]).into_iter();
    documents.next()?.ok()
}

/// A key of the schema in parts, each with its id: `DB:2`, `Table:110`.
struct Name {
    parts: Vec<(String, Option<i64>)>,
}

impl Name {
    /// None for keys that are no promise: the queues of jobs, and what system tables count.
    fn of(raw: &[u8]) -> Option<Self> {
        let key = MetaKey::decode(raw).unwrap();
        let parts = match key {
            MetaKey::String(key) => vec![key],
            MetaKey::Hash(key, field) => vec![key, field],
            MetaKey::List(..) | MetaKey::ListMeta(_) => return None,
        };
        let parts: Vec<(String, Option<i64>)> = parts.iter().map(|part| Self::part(part)).collect();
        let system =
            parts[0] == ("DB".to_owned(), Some(1)) && parts.len() == 2 && parts[1].0 != "Table";
        (!system).then_some(Self { parts })
    }

    fn part(part: &[u8]) -> (String, Option<i64>) {
        let text = String::from_utf8_lossy(part).into_owned();
        if let Some((name, id)) = text.split_once(':')
            && let Ok(id) = id.parse()
        {
            return (name.to_owned(), Some(id));
        }
        match <[u8; 8]>::try_from(part) {
            Ok(bytes) if bytes[0] == 0 => ("job".to_owned(), Some(i64::from_be_bytes(bytes))),
            _ => (text, None),
        }
    }

    fn is_version(&self) -> bool {
        self.parts[0].0 == "Diff"
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (name, id)) in self.parts.iter().enumerate() {
            let between = if i == 0 { "" } else { " " };
            write!(f, "{between}{name}")?;
            if let Some(id) = id {
                write!(f, ":{id}")?;
            }
        }
        Ok(())
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn first_difference(recorded: &[Vec<Option<String>>], ours: &[Vec<Option<String>>]) -> String {
    if recorded.len() != ours.len() {
        return format!(
            "recorded {} rows, here {}: {recorded:?} | {ours:?}",
            recorded.len(),
            ours.len()
        );
    }
    let row = recorded
        .iter()
        .zip(ours)
        .position(|(a, b)| a != b)
        .unwrap_or(0);
    format!(
        "row {}: recorded {:?}, here {:?}",
        row + 1,
        recorded[row],
        ours[row]
    )
}

//! DDL statements planned from their text: what they write, against what the real TiDB wrote.

use std::collections::{BTreeMap, HashMap};

use super::{Statement, schema};
use crate::report::Verdict;
use embedded::tidb::catalog::{
    Catalog, ClusteredIndex, DdlError, Mutation, Session, TidbVersion, sql_mode_bits,
};
use embedded::tidb::planning;
use regex::Regex;
use serde_json::Value;

/// What each connection has set.
#[derive(Default)]
pub(crate) struct Sessions {
    databases: HashMap<String, Option<String>>,
    modes: HashMap<String, u64>,
    clustered: HashMap<String, ClusteredIndex>,
}

impl Sessions {
    /// The session that a statement runs in; the recordings begin in `test`.
    pub(crate) fn of(&self, statement: &Statement) -> Session {
        let database = self.databases.get(statement.session()).cloned();
        Session {
            database: database.unwrap_or_else(|| Some("test".to_owned())),
            sql_mode: self
                .modes
                .get(statement.session())
                .copied()
                .unwrap_or(Session::default().sql_mode),
            clustered_index: self
                .clustered
                .get(statement.session())
                .copied()
                .unwrap_or(Session::default().clustered_index),
            ..Session::default()
        }
    }

    /// Takes note of `use` and of a current database that is dropped.
    pub(crate) fn after(&mut self, statement: &Statement) {
        if statement.error_code().is_some() {
            return;
        }
        if let Some(mode) = statement.sql().strip_prefix("set sql_mode = ") {
            let bits = match mode {
                "default" => Session::default().sql_mode,
                modes => sql_mode_bits(modes.trim_matches('\'')),
            };
            self.modes.insert(statement.session().to_owned(), bits);
        }
        let clustered = statement
            .sql()
            .strip_prefix("set tidb_enable_clustered_index = ");
        if let Some(value) = clustered {
            let value = match value.trim_matches('\'') {
                "OFF" => ClusteredIndex::Off,
                "INT_ONLY" => ClusteredIndex::IntOnly,
                _ => ClusteredIndex::On,
            };
            self.clustered.insert(statement.session().to_owned(), value);
        }
        let words: Vec<&str> = statement.sql().split_whitespace().collect();
        let name = |word: &str| word.trim_matches(['`', ';']).to_owned();
        match words.as_slice() {
            [verb, database] if verb.eq_ignore_ascii_case("use") => {
                let database = Some(name(database));
                self.databases
                    .insert(statement.session().to_owned(), database);
            }
            [verb, what, .., database]
                if verb.eq_ignore_ascii_case("drop")
                    && ["database", "schema"].contains(&what.to_lowercase().as_str()) =>
            {
                let current = self.of(statement).database;
                if current == Some(name(database)) {
                    self.databases.insert(statement.session().to_owned(), None);
                }
            }
            _ => {}
        }
    }
}

/// The statements that are compared: databases, and tables made, emptied, dropped, with columns and partitions added and dropped. Other
/// changes are planned too, and not held to the recordings here.
const KINDS: &str = r"(?is)^\s*(?:(?:create|drop)\s+(?:/\*.*?\*/\s*)?(?:table|database|schema)\b|truncate\b|alter\s+table\s+\S+\s+(?:(?:add|drop)\s+column|(?:add|drop|truncate|reorganize|exchange|coalesce)\s+partition|(?:first|last)\s+partition|partition\s+by|remove\s+partitioning)\b|rename\s+table\s+rc\b)";

/// Statements of those kinds that are planned otherwise than recorded, and why.
const APART: [(&str, u64, &str); 2] = [
    ("v8.4/ddl-column-index", 48, NOW),
    ("v4.0/ddl-column-index", 48, NOW),
];
const NOW: &str = "the time of the statement is its default";

/// How planning a statement ends; none of what is no DDL statement.
pub(crate) fn compare(
    recording: &str,
    version: TidbVersion,
    catalog: &Catalog,
    session: &Session,
    statement: &Statement,
) -> Option<Verdict> {
    let recorded = match version {
        TidbVersion::V8_5 => schema::recorded_meta(statement),
        TidbVersion::V4_0 => Vec::new(),
    };
    let jobs: Vec<Value> = match version {
        TidbVersion::V8_5 => Vec::new(),
        TidbVersion::V4_0 => schema::jobs_v4(statement),
    };
    if !Regex::new(KINDS).unwrap().is_match(statement.sql()) {
        return None;
    }
    let planned = planning::plan(catalog, session, statement.sql());
    let verdict = match (planned, statement.error_code()) {
        (Err(DdlError::Unsupported { what, .. }), _) => Verdict::Diverges(what),
        (Err(error), Some(code)) if u64::from(error.code()) == code => Verdict::Equal,
        (Err(error), code) => Verdict::Wrong(format!(
            "refused with {} {error}; recorded: {code:?}",
            error.code()
        )),
        (Ok(plan), Some(code))
            if plan.failure.as_ref().map(|failure| u64::from(failure.code)) == Some(code) =>
        {
            Verdict::Equal
        }
        (Ok(_), Some(code)) => Verdict::Wrong(format!("planned, and recorded is error {code}")),
        (Ok(plan), None) => {
            let mut starts = Vec::new();
            let mut written = Vec::new();
            for step in 0..plan.len() {
                starts.push(TS + step as u64);
                written.extend(plan.transaction(&starts).unwrap());
            }
            match version {
                TidbVersion::V8_5 => same_meta(&written, &recorded),
                TidbVersion::V4_0 => same_jobs(&written, &jobs),
            }
        }
    };
    let apart = APART
        .iter()
        .find(|(file, step, _)| recording == *file && statement.step() == *step);
    Some(match (verdict, apart) {
        (Verdict::Wrong(_), Some((_, _, why))) => Verdict::Diverges((*why).to_owned()),
        (_, Some(_)) => Verdict::Wrong("it is as recorded: take it off the list".to_owned()),
        (verdict, None) => verdict,
    })
}

/// A timestamp as long as the recorded ones.
const TS: u64 = 470_671_869_000_000_000;

/// Timestamps, the job's place in the server's queue and the connection's number are of the run; the rest is promised.
fn plain(text: &str) -> String {
    let ts = Regex::new(r"\b4\d{17}\b").unwrap();
    // The rows that a reorganisation counted are not the plan's to know.
    let run = Regex::new(r#""(seq_num|connection_id|row_count)":\d+"#).unwrap();
    let text = ts.replace_all(text, "TS");
    run.replace_all(&text, r#""$1":0"#).into_owned()
}

/// The last value of every key, the queue of jobs apart: that is a table's rows, and empty in the end.
fn last_values(mutations: &[Mutation]) -> BTreeMap<Vec<u8>, Option<String>> {
    let mut values = BTreeMap::new();
    let promised = |m: &&Mutation| m.key().starts_with(b"m") && !system_ids(m.key());
    for mutation in mutations.iter().filter(promised) {
        let value = match mutation {
            Mutation::Put { value, .. } => Some(plain(&String::from_utf8_lossy(value))),
            Mutation::Delete { .. } => None,
        };
        values.insert(mutation.key().to_vec(), value);
    }
    values
}

/// Row ids that system tables took meanwhile, from statistics and the like.
fn system_ids(key: &[u8]) -> bool {
    let text = String::from_utf8_lossy(key);
    text.starts_with("mDB:1\0") && text.contains("hTID:")
}

fn same_meta(written: &[Mutation], recorded: &[Mutation]) -> Verdict {
    let (ours, theirs) = (last_values(written), last_values(recorded));
    let keys = ours.keys().chain(theirs.keys());
    let different = keys
        .filter(|key| ours.get(*key) != theirs.get(*key))
        .map(|key| difference(key, ours.get(key), theirs.get(key)));
    let different: std::collections::BTreeSet<String> = different.collect();
    verdict(different.into_iter().collect())
}

/// Finished jobs as they stand in the queue in the end, which is where a puller of 4.0 reads them.
fn same_jobs(written: &[Mutation], recorded: &[Value]) -> Verdict {
    let done = |text: &str| {
        let job: Value = serde_json::from_str(text).ok()?;
        let keep = job["state"] == 4 && job["query"].is_string();
        keep.then(|| plain(text))
    };
    let ours: Vec<String> = written
        .iter()
        .filter_map(|mutation| match mutation {
            Mutation::Put { key, value } if key.starts_with(b"mDDLJob") => {
                done(&String::from_utf8_lossy(value))
            }
            _ => None,
        })
        .collect();
    let theirs: Vec<String> = recorded
        .iter()
        .filter_map(|job| done(&job.to_string()))
        .collect();
    let mut different = Vec::new();
    if ours.len() != theirs.len() {
        different.push(format!("{} jobs, recorded {}", ours.len(), theirs.len()));
    }
    for (our, their) in ours.iter().zip(&theirs) {
        // Members in the order of `serde_json`, which the recorded ones have lost.
        let json = |text: &str| -> Value {
            let numbers = text.replace(":TS", ":0");
            serde_json::from_str(&numbers).unwrap()
        };
        if json(our) != json(their) {
            different.push(difference(
                b"job",
                Some(&Some(our.clone())),
                Some(&Some(their.clone())),
            ));
        }
    }
    verdict(different)
}

fn verdict(different: Vec<String>) -> Verdict {
    match different.is_empty() {
        true => Verdict::Equal,
        false => Verdict::Wrong(different.join("\n    ")),
    }
}

/// The place where two values part, with what is around it.
fn difference(
    key: &[u8],
    ours: Option<&Option<String>>,
    theirs: Option<&Option<String>>,
) -> String {
    let shown = |value: Option<&Option<String>>| match value {
        None => "(not written)".to_owned(),
        Some(None) => "(deleted)".to_owned(),
        Some(Some(text)) => text.clone(),
    };
    let (ours, theirs) = (shown(ours), shown(theirs));
    let same = ours
        .bytes()
        .zip(theirs.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let part = |text: &str| {
        let from = same.saturating_sub(60);
        String::from_utf8_lossy(
            &text.as_bytes()[from.min(text.len())..(same + 100).min(text.len())],
        )
        .into_owned()
    };
    format!(
        "{}\n      ours     …{}\n      recorded …{}",
        String::from_utf8_lossy(key).escape_debug(),
        part(&ours),
        part(&theirs)
    )
}

//! Documents that are equal but for the ids that a cluster gave out, and times.

use std::collections::HashMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// Which id here stands for which recorded one; each for exactly one.
#[derive(Default)]
pub(crate) struct Ids {
    ours: HashMap<(Kind, i64), i64>,
    theirs: HashMap<(Kind, i64), i64>,
    /// Whether the numbers among the arguments of the job that is compared are no ids.
    plain_args: bool,
}

/// Counters that ids are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Databases, tables, partitions, jobs.
    Global,
    /// Versions of the schema.
    Version,
}

/// Timestamps of PD from 2024 on; nothing else is as large.
fn is_tso(n: i64) -> bool {
    (440_000_000_000_000_000..500_000_000_000_000_000).contains(&n)
}

/// Members that hold ids, in the documents of tables, databases, jobs and schema differences.
fn kind(path: &[&str]) -> Option<Kind> {
    match *path.last()? {
        "id"
        | "schema_id"
        | "table_id"
        | "old_table_id"
        | "old_schema_id"
        | "old_schema_ids"
        | "old_view_tbl_id"
        | "new_table_id"
        | "table_ids"
        | "partition_ids"
        | "physical_table_ids"
        | "old_physical_table_ids"
        | "new_partition_ids"
        | "old_partition_ids"
        | "old_physical_tbl_ids"
        | "pt_schema_id"
        | "pt_table_id"
        | "exchange_partition_def_id"
        | "new_schema_id"
        | "old_schema_id_for_schema_diff"
        | "reorg_tp_id"
        | "exchange_partition_id"
        | "exchange_partition_partition_id"
        | "partition_id"
        | "def_id"
        | "SchemaID"
        | "DropJobID"
        | "raw_args" => Some(Kind::Global),
        "schema_version" => Some(Kind::Version),
        "SchemaVersion" | "version" if path.len() < 3 || path.contains(&"binlog") => {
            Some(Kind::Version)
        }
        _ => None,
    }
}

/// Members of what is counted within its table: columns, indexes, foreign keys, constraints.
const WITHIN_TABLE: [&str; 4] = ["origin_default", "idx_name", "fk_name", "constraint_name"];

/// Jobs of 4.0 with numbers among their arguments that are no ids of the cluster: an index's, and the base of a counter.
const PLAIN_ARGS: [u64; 2] = [8, 13];

/// Members of the run: its connection, its place in the server's queue.
const OF_THE_RUN: [&str; 2] = ["connection_id", "seq_num"];

/// The table whose keys begin with this one: base64 in the arguments of a job.
fn table_of(text: &str) -> Option<i64> {
    const SIGN: u64 = 1 << 63;
    let key = BASE64_STANDARD.decode(text).ok()?;
    let id = key.strip_prefix(b"t")?.try_into().ok()?;
    Some((u64::from_be_bytes(id) ^ SIGN) as i64)
}

impl Ids {
    /// Takes the two ids for one another, unless one of them stands for a third.
    pub(crate) fn unify(&mut self, kind: Kind, recorded: i64, ours: i64) -> Result<(), String> {
        if recorded == 0 || ours == 0 {
            return match recorded == ours {
                true => Ok(()),
                false => Err(format!("recorded id {recorded}, here {ours}")),
            };
        }
        let known = self.ours.get(&(kind, recorded));
        let back = self.theirs.get(&(kind, ours));
        match (known, back) {
            (None, None) => {
                self.ours.insert((kind, recorded), ours);
                self.theirs.insert((kind, ours), recorded);
                Ok(())
            }
            (Some(known), _) if *known == ours => Ok(()),
            (Some(known), _) => Err(format!(
                "recorded id {recorded} is {known} here, not {ours}"
            )),
            (None, Some(back)) => Err(format!(
                "id {ours} here was recorded as {back}, not {recorded}"
            )),
        }
    }

    /// The id here of a recorded table.
    pub(crate) fn ours(&self, recorded: i64) -> Option<i64> {
        self.ours.get(&(Kind::Global, recorded)).copied()
    }

    /// Where two documents part, if they do.
    pub(crate) fn same(&mut self, recorded: &Value, ours: &Value) -> Result<(), String> {
        let job = recorded["type"].as_u64();
        self.plain_args = job.is_some_and(|job| PLAIN_ARGS.contains(&job));
        self.walk(&mut Vec::new(), recorded, ours)
    }

    fn walk<'a>(
        &mut self,
        path: &mut Vec<&'a str>,
        recorded: &'a Value,
        ours: &'a Value,
    ) -> Result<(), String> {
        if path.last().is_some_and(|name| OF_THE_RUN.contains(name)) {
            return Ok(());
        }
        match (recorded, ours) {
            (Value::Object(a), Value::Object(b)) => {
                let within_table = WITHIN_TABLE.iter().any(|name| a.contains_key(*name));
                for (name, value) in a {
                    let Some(other) = b.get(name) else {
                        return Err(format!("{}: member {name} is missing", path.join(".")));
                    };
                    path.push(name);
                    if name != "id" || !within_table {
                        self.walk(path, value, other)?;
                    } else if value != other {
                        let at = path.join(".");
                        return Err(format!("{at}: recorded {value}, here {other}"));
                    }
                    path.pop();
                }
                match b.keys().find(|name| !a.contains_key(*name)) {
                    Some(name) => Err(format!(
                        "{}: member {name} was not recorded",
                        path.join(".")
                    )),
                    None => Ok(()),
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                a.iter().zip(b).try_for_each(|(a, b)| self.walk(path, a, b))
            }
            (Value::Number(a), Value::Number(b)) => {
                let at = |why| format!("{}: {why}", path.join("."));
                match (a.as_i64(), b.as_i64()) {
                    (Some(a), Some(b)) if is_tso(a) && is_tso(b) => Ok(()),
                    (Some(a), Some(b)) => match kind(path)
                        .filter(|_| !(self.plain_args && path.last() == Some(&"raw_args")))
                    {
                        Some(kind) => self.unify(kind, a, b).map_err(at),
                        None if a == b => Ok(()),
                        None => Err(at(format!("recorded {a}, here {b}"))),
                    },
                    _ if a == b => Ok(()),
                    _ => Err(at(format!("recorded {a}, here {b}"))),
                }
            }
            (a, b) if a == b => Ok(()),
            (a, b) => {
                let table = |value: &Value| value.as_str().and_then(table_of);
                match (table(a), table(b)) {
                    (Some(a), Some(b)) => self
                        .unify(Kind::Global, a, b)
                        .map_err(|why| format!("{}: {why}", path.join("."))),
                    _ => Err(format!("{}: recorded {a}, here {b}", path.join("."))),
                }
            }
        }
    }
}

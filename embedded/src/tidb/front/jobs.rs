//! `ADMIN SHOW DDL JOBS`, from the jobs' history in TiKV.

use serde_json::Value;

use super::FrontError;
use super::served::{Served, filtered, refused, select, served};
use super::session::Session;
use super::text::{Kind, Text, literal};
use crate::client::Pair;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::codec::keys::MetaKey;
use crate::tidb::codec::tso;
use crate::tidb::wire::ErrPacket;

/// `ER_UNKNOWN_ERROR`.
const UNKNOWN: u16 = 1105;
/// Jobs that are told if no number is given.
const USUAL: usize = 10;

/// Names of what jobs do, by number (`docs/spec/tidb-schema.md §6.2`).
const ACTIONS: [(u64, &str); 47] = [
    (1, "create schema"),
    (2, "drop schema"),
    (3, "create table"),
    (4, "drop table"),
    (5, "add column"),
    (6, "drop column"),
    (7, "add index"),
    (8, "drop index"),
    (9, "add foreign key"),
    (10, "drop foreign key"),
    (11, "truncate table"),
    (12, "modify column"),
    (13, "rebase auto_increment ID"),
    (14, "rename table"),
    (15, "set default value"),
    (16, "shard row ID"),
    (17, "modify table comment"),
    (18, "rename index"),
    (19, "add partition"),
    (20, "drop partition"),
    (21, "create view"),
    (22, "modify table charset and collate"),
    (23, "truncate partition"),
    (24, "drop view"),
    (25, "recover table"),
    (26, "modify schema charset and collate"),
    (32, "add primary key"),
    (33, "drop primary key"),
    (34, "create sequence"),
    (35, "alter sequence"),
    (36, "drop sequence"),
    (39, "modify auto id cache"),
    (40, "rebase auto_random ID"),
    (41, "alter index visibility"),
    (42, "exchange partition"),
    (47, "rename tables"),
    (51, "create placement policy"),
    (52, "alter placement policy"),
    (53, "drop placement policy"),
    (55, "modify schema default placement"),
    (56, "alter table placement"),
    (57, "alter table cache"),
    (59, "alter table nocache"),
    (61, "alter table multi-schema change"),
    (64, "alter table reorganize partition"),
    (71, "alter table partition by"),
    (72, "alter table remove partitioning"),
];

const STATES: [&str; 9] = [
    "none",
    "running",
    "rollingback",
    "rollback done",
    "done",
    "cancelled",
    "synced",
    "cancelling",
    "queueing",
];

const SCHEMA_STATES: [&str; 6] = [
    "none",
    "delete only",
    "write only",
    "write reorganization",
    "delete reorganization",
    "public",
];

/// How a reorganisation works, by number.
const REORGANISATIONS: [&str; 4] = ["", " /* txn */", " /* ingest */", " /* txn-merge */"];

fn named(names: &[&str], number: &Value) -> String {
    let at = number.as_u64().and_then(|n| usize::try_from(n).ok());
    let name = at.and_then(|n| names.get(n));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

/// What a job or a part of one does.
pub(super) fn action(number: &Value) -> String {
    ACTIONS
        .iter()
        .find(|(n, _)| Some(*n) == number.as_u64())
        .map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

/// A timestamp of PD as a time of the session.
fn time(ts: &Value, digits: u8) -> String {
    match ts.as_u64().filter(|ts| *ts > 0) {
        None => "NULL".to_owned(),
        Some(ts) => {
            let ms = tso::physical_ms(ts);
            let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
            match digits {
                0 => format!("CAST(FROM_UNIXTIME({}) AS DATETIME)", ms / 1000),
                _ => format!("CAST(FROM_UNIXTIME({seconds}) AS DATETIME({digits}))"),
            }
        }
    }
}

/// A job, and the parts of one that has some.
fn rows(job: &Value, release: TidbVersion) -> Vec<Vec<String>> {
    let modern = release >= TidbVersion::V8_5;
    let digits = if modern { 6 } else { 0 };
    let text = |value: &Value| literal(value.as_str().unwrap_or_default());
    let table = match &job["table_name"] {
        Value::Null => text(&job["binlog"]["TableInfo"]["name"]["O"]),
        name => text(name),
    };
    let row = |what: &Value, kind: String| {
        let mut row = vec![
            job["id"].to_string(),
            text(&job["schema_name"]),
            table.clone(),
            literal(&kind),
            literal(&named(&SCHEMA_STATES, &what["schema_state"])),
            job["schema_id"].to_string(),
            job["table_id"].to_string(),
            what["row_count"].to_string(),
        ];
        if modern {
            row.push(time(&job["start_ts"], digits));
            row.push(time(&what["real_start_ts"], digits));
        } else {
            row.push(time(&job["start_ts"], digits));
        }
        row.push(time(&job["binlog"]["FinishedTS"], digits));
        row.push(literal(&named(&STATES, &what["state"])));
        row
    };
    let reorganisation = |number: &Value| match modern && number.is_u64() {
        true => named(&REORGANISATIONS, number),
        false => String::new(),
    };
    let whole = format!(
        "{}{}",
        action(&job["type"]),
        reorganisation(&job["reorg_meta"]["reorg_tp"])
    );
    let mut out = vec![row(job, whole)];
    let parts = job["multi_schema_info"]["sub_jobs"].as_array();
    for part in parts.into_iter().flatten() {
        let how = reorganisation(&part["reorg_tp"]);
        out.push(row(
            part,
            format!("{} /* subjob */{how}", action(&part["type"])),
        ));
    }
    out
}

impl Session {
    /// The last jobs, the newest first.
    pub(super) async fn show_jobs(&mut self, text: &Text<'_>, n: usize) -> Served {
        let given = text
            .tokens
            .get(n)
            .filter(|token| token.kind == Kind::Number)
            .and_then(|token| text.of(token).parse().ok());
        let n = n + usize::from(given.is_some());
        let release = self.shared.version;
        let mut columns = vec![
            "JOB_ID",
            "DB_NAME",
            "TABLE_NAME",
            "JOB_TYPE",
            "SCHEMA_STATE",
            "SCHEMA_ID",
            "TABLE_ID",
            "ROW_COUNT",
        ];
        if release >= TidbVersion::V8_5 {
            columns.push("CREATE_TIME");
        }
        columns.extend(["START_TIME", "END_TIME", "STATE"]);
        let jobs = match self.history().await? {
            Ok(jobs) => jobs,
            Err(refusal) => return refused(refusal),
        };
        let shown = jobs.iter().take(given.unwrap_or(USUAL));
        let rows: Vec<_> = shown.flat_map(|job| rows(job, release)).collect();
        match filtered(&select(&columns, &rows), "JOB_TYPE", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    /// All jobs of the history, the newest first.
    pub(super) async fn history(&self) -> Result<Result<Vec<Value>, ErrPacket>, FrontError> {
        let snapshot = self.shared.client.snapshot(self.shared.client.tso().await?);
        let start = MetaKey::hash_prefix(b"DDLJobHistory");
        let mut end = start.clone();
        end.push(u8::MAX);
        let history = snapshot.scan(&start, &end).await?;
        let read = |pair: &Pair| serde_json::from_slice(&pair.value);
        let jobs: Result<Vec<Value>, _> = history.iter().map(read).collect();
        Ok(jobs
            .map(|mut jobs| {
                jobs.sort_by_key(|job| std::cmp::Reverse(job["id"].as_i64()));
                jobs
            })
            .map_err(|error| {
                let message = format!("a job of the history is no JSON: {error}");
                ErrPacket::new(UNKNOWN, "HY000", message)
            }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_told_with_their_parts() {
        let job = json!({
            "id": 148, "type": 61, "schema_name": "test", "table_name": "w", "schema_id": 111,
            "table_id": 141, "row_count": 0, "schema_state": 0, "start_ts": 1_u64 << 18,
            "real_start_ts": 0, "state": 6, "binlog": {"FinishedTS": 0}, "reorg_meta": null,
            "multi_schema_info": {"sub_jobs": [
                {"type": 7, "row_count": 2, "schema_state": 5, "state": 4, "reorg_tp": 1, "real_start_ts": 0},
            ]},
        });
        let rows = rows(&job, TidbVersion::V8_5);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][3], "'alter table multi-schema change'");
        assert_eq!(rows[0][8], "CAST(FROM_UNIXTIME(0.001) AS DATETIME(6))");
        assert_eq!(rows[0][11], "'synced'");
        assert_eq!(rows[1][3], "'add index /* subjob */ /* txn */'");
        assert_eq!(
            (rows[1][4].as_str(), rows[1][7].as_str()),
            ("'public'", "2")
        );
    }
}

//! The schema over time: a snapshot, then one version of a table after each DDL job that changes it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    compat::Compat,
    model::{Op, RawKv, Span, Ts},
    mount::{self, Value, key},
};

use super::{
    error::SchemaError,
    event::DdlEvent,
    job::Job,
    keys::{self, MetaKey},
    model::{DbInfo, TableModel},
    snapshot::{FinishedJob, Head},
    table::TableInfo,
};

/// Id of the table `mysql.tidb_ddl_job` (spec/tidb-schema.md §7).
pub const DDL_JOB_TABLE_ID: i64 = (1 << 48) - 2;
const JOB_META: &str = "job_meta";
const DATABASES: &str = "DBs";
const JOB_LISTS: [&str; 2] = ["DDLJobList", "DDLJobAddIdxList"];

/// Something that reads the upstream's keys at one TSO.
pub trait MetaReader {
    /// The reader's error.
    type Error: std::error::Error + Send + Sync + 'static;

    /// All pairs of the range, by key.
    fn scan(
        &self,
        span: &Span,
    ) -> impl Future<Output = Result<Vec<(Bytes, Bytes)>, Self::Error>> + Send;
}

/// The spans to subscribe to for DDL jobs (spec/tikv-cdc-protocol.md §6).
pub fn ddl_spans(compat: Compat) -> Vec<Span> {
    let lists = JOB_LISTS.map(keys::list_range);
    let (start, end) = key::row_range(DDL_JOB_TABLE_ID);
    let table = Span::new(start, end);
    match compat {
        Compat::V4_0_9 => lists.to_vec(),
        Compat::V6_5 => lists.into_iter().chain([table]).collect(),
        Compat::V8_5 => vec![table],
    }
}

/// Which table a physical id stands for from a TSO on; `None`: no longer any.
type Version = (Ts, Option<Arc<TableInfo>>);

/// Tables by physical id and time.
#[derive(Debug)]
pub struct SchemaStorage {
    compat: Compat,
    head: Head,
    /// By physical id.
    versions: HashMap<i64, Vec<Version>>,
    job_table: Option<JobTable>,
    pending: BTreeMap<(Ts, i64), FinishedJob>,
    /// Ids of jobs seen, with their commit TSO: a job may be told more than once.
    seen: HashMap<i64, Ts>,
    resolved_ts: Ts,
}

/// The table of DDL jobs and where in it the job's JSON is.
#[derive(Debug)]
struct JobTable {
    info: Arc<TableInfo>,
    job_meta: usize,
}

impl SchemaStorage {
    /// Reads the schema at `ts` from a reader of that TSO.
    pub async fn load<R: MetaReader>(
        reader: &R,
        ts: Ts,
        compat: Compat,
    ) -> Result<Self, SchemaError> {
        let mut storage = SchemaStorage {
            compat,
            head: Head::default(),
            versions: HashMap::new(),
            job_table: None,
            pending: BTreeMap::new(),
            seen: HashMap::new(),
            resolved_ts: ts,
        };
        let databases: Vec<DbInfo> = read(
            reader,
            ts,
            &keys::hash_range(DATABASES, "DB:", "DB;"),
            "databases",
        )
        .await?;
        // What is not public any more is being dropped by a job that ends after `ts`, and is known until then.
        for database in &databases {
            storage.head.add_schema(database);
            let what = format!("the tables of database `{}`", database.name.original);
            let span = keys::hash_range(&format!("DB:{}", database.id), "Table:", "Table;");
            let tables: Vec<TableModel> = read(reader, ts, &span, &what).await?;
            for table in &tables {
                let info = Arc::new(TableInfo::new(
                    database.id,
                    &database.name.original,
                    ts,
                    table,
                    compat,
                ));
                storage.add_version(ts, &info);
                storage.head.tables.insert(info.id, info);
            }
        }
        storage.job_table = storage.find_job_table()?;
        Ok(storage)
    }

    /// The table of DDL jobs; v4.0.9 has none, and TiDB has one since 6.2.
    fn find_job_table(&self) -> Result<Option<JobTable>, SchemaError> {
        let Some(info) = self.head.tables.get(&DDL_JOB_TABLE_ID) else {
            return match self.compat {
                Compat::V8_5 => Err(SchemaError::JobTable {
                    detail: format!(
                        "there is no table of id {DDL_JOB_TABLE_ID} (mysql.tidb_ddl_job)"
                    ),
                }),
                Compat::V4_0_9 | Compat::V6_5 => Ok(None),
            };
        };
        let job_meta = info
            .column_by_name(JOB_META)
            .ok_or_else(|| SchemaError::JobTable {
                detail: format!(
                    "the table `{}`.`{}` has no column {JOB_META}",
                    info.schema, info.name
                ),
            })?;
        Ok(Some(JobTable {
            info: Arc::clone(info),
            job_meta,
        }))
    }

    /// Takes a change of one of [`ddl_spans`]; whether it finishes a job that has not been seen yet.
    pub fn on_kv(&mut self, kv: &RawKv) -> Result<bool, SchemaError> {
        if kv.op != Op::Put || kv.commit_ts <= self.resolved_ts {
            return Ok(false);
        }
        let Some(json) = self.job_json(kv)? else {
            return Ok(false);
        };
        let Some(job) = Job::finished(&json, self.compat)? else {
            return Ok(false);
        };
        if self.seen.contains_key(&job.id) {
            return Ok(false);
        }
        self.seen.insert(job.id, kv.commit_ts);
        let at = (kv.commit_ts, job.id);
        self.pending.insert(
            at,
            FinishedJob {
                job,
                start_ts: kv.start_ts,
                commit_ts: kv.commit_ts,
            },
        );
        Ok(true)
    }

    fn job_json(&self, kv: &RawKv) -> Result<Option<Bytes>, SchemaError> {
        let in_row = |source| SchemaError::JobRow {
            key: hex::encode(&kv.key),
            source,
        };
        if let Some(MetaKey::List { key, .. }) = MetaKey::decode(&kv.key).map_err(in_row)? {
            let of_jobs =
                self.compat < Compat::V8_5 && JOB_LISTS.iter().any(|list| list.as_bytes() == key);
            return Ok(of_jobs.then(|| kv.value.clone()));
        }
        match (&self.job_table, key::physical_id(&kv.key)) {
            (Some(table), Some(DDL_JOB_TABLE_ID)) => {
                let row = mount::row::RowValue::parse(&kv.value).map_err(in_row)?;
                match row
                    .column(&table.info.columns[table.job_meta])
                    .map_err(in_row)?
                {
                    Some(Value::Bytes(json)) => Ok(Some(kv.value.slice_ref(&json))),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// All jobs up to `resolved_ts` have been told: applies them, and gives their events by commit TSO.
    pub fn on_resolved(&mut self, resolved_ts: Ts) -> Result<Vec<DdlEvent>, SchemaError> {
        let mut events = Vec::new();
        while let Some(entry) = self.pending.first_entry() {
            if entry.key().0 > resolved_ts {
                break;
            }
            let finished = entry.remove();
            let applied = self.head.apply(&finished, self.compat)?;
            self.record(&applied, finished.commit_ts);
            events.extend(applied);
        }
        self.resolved_ts = self.resolved_ts.max(resolved_ts);
        Ok(events)
    }

    /// Writes down what a job changed.
    fn record(&mut self, events: &[DdlEvent], ts: Ts) {
        let mut dropped = HashSet::new();
        for event in events {
            dropped.extend(event.dropped.iter().copied());
        }
        // Not only the tables of the events change: an exchanged partition becomes a table of its own.
        let changed: Vec<_> = self
            .head
            .tables
            .values()
            .filter(|info| info.version == ts)
            .cloned()
            .collect();
        for info in &changed {
            for id in &info.physical_ids {
                dropped.remove(id);
            }
            self.add_version(ts, info);
        }
        for id in dropped {
            self.versions.entry(id).or_default().push((ts, None));
        }
    }

    fn add_version(&mut self, ts: Ts, info: &Arc<TableInfo>) {
        for &id in &info.physical_ids {
            let versions = self.versions.entry(id).or_default();
            match versions.last_mut() {
                Some((last, table)) if *last == ts => *table = Some(Arc::clone(info)),
                _ => versions.push((ts, Some(Arc::clone(info)))),
            }
        }
    }

    /// The table whose rows have this physical id, as of `ts`.
    pub fn table(&self, physical_id: i64, ts: Ts) -> Option<Arc<TableInfo>> {
        at(self.versions.get(&physical_id)?, ts).cloned()
    }

    /// The table by which a row is decoded: as of just before its commit TSO, in v4.0.9 as of it
    /// (spec/canal-json.md §8).
    pub fn table_of_row(&self, kv: &RawKv) -> Option<Arc<TableInfo>> {
        let ts = if self.compat == Compat::V4_0_9 {
            kv.commit_ts
        } else {
            kv.commit_ts - 1
        };
        self.table(key::physical_id(&kv.key)?, ts)
    }

    /// All tables, views and sequences as of `ts`, by id; partitioned ones once.
    pub fn tables(&self, ts: Ts) -> Vec<Arc<TableInfo>> {
        let tables = self
            .versions
            .values()
            .filter_map(|versions| at(versions, ts));
        tables
            .map(|info| (info.id, Arc::clone(info)))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }

    /// Up to when the schema is known.
    pub fn resolved_ts(&self) -> Ts {
        self.resolved_ts
    }

    /// Forgets what is only needed for rows before `ts`.
    pub fn gc(&mut self, ts: Ts) {
        self.versions.retain(|_, versions| {
            let needed = versions
                .partition_point(|(since, _)| *since < ts)
                .saturating_sub(1);
            versions.drain(..needed);
            !matches!(versions[..], [(since, None)] if since < ts)
        });
        self.seen.retain(|_, commit_ts| *commit_ts >= ts);
    }
}

fn at(versions: &[Version], ts: Ts) -> Option<&Arc<TableInfo>> {
    let at = versions
        .partition_point(|(since, _)| *since <= ts)
        .checked_sub(1)?;
    versions[at].1.as_ref()
}

async fn read<R: MetaReader, T: serde::de::DeserializeOwned>(
    reader: &R,
    ts: Ts,
    span: &Span,
    what: &str,
) -> Result<Vec<T>, SchemaError> {
    let pairs = reader
        .scan(span)
        .await
        .map_err(|source| SchemaError::Read {
            what: what.to_owned(),
            ts,
            source: Box::new(source),
        })?;
    let decode = |(key, value): (Bytes, Bytes)| {
        serde_json::from_slice(&value).map_err(|source| SchemaError::Json {
            what: format!("{what}, key {}", hex::encode(key)),
            source,
        })
    };
    pairs.into_iter().map(decode).collect()
}

#[cfg(test)]
mod tests;

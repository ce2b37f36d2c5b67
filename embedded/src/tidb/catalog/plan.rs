//! What a DDL statement does: statements for MariaDB, and transactions in TiKV.
//!
//! A plan is a pure function of catalog, session and statement, so it can be made again after a crash from a snapshot
//! of the schema at the statement's intent. Timestamps inside it are known only while it is carried out:
//! [`Plan::transaction`] is given the start TSOs so far and builds the next transaction.

use super::dropped::{Restored, Wanted};
use super::model::{DbInfo, Job, PolicyInfo, SchemaDiff, TableInfo, Tree};
use super::{CatalogError, DdlError, TidbVersion, Zone, gojson, jobs, meta};
use crate::tidb::codec::keys::MetaKey;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// What stands before the JSON of a placement policy: the form of what follows.
pub(super) const POLICY_FORM: u8 = 0;

/// A key and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// The key gets a value.
    Put {
        /// Raw key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The key goes.
    Delete {
        /// Raw key.
        key: Vec<u8>,
    },
}

impl Mutation {
    /// The raw key.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// A warning or note for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Note` or `Warning`.
    pub level: &'static str,
    /// MySQL's number.
    pub code: u16,
    /// Its text.
    pub message: String,
}

/// How a statement fails after all that it could do is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// MySQL's number.
    pub code: u16,
    /// Its text.
    pub message: String,
}

impl Failure {
    /// How a job tells it: an error of TiDB's package `types`.
    fn tree(&self) -> Tree {
        const TYPES: i64 = 20;
        Tree::Object(vec![
            ("class", Tree::Int(TYPES)),
            ("code", i64::from(self.code).into()),
            ("message", self.message.as_str().into()),
            ("rfccode", format!("types:{}", self.code).as_str().into()),
        ])
    }

    pub(super) fn of(error: &DdlError) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
        }
    }
}

/// What a DDL statement does. Without transactions it changes nothing and has no job.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Statements for MariaDB 10.11, in order.
    pub mariadb: Vec<String>,
    /// The time zone that the first of them depends on, if it is not to be run in UTC.
    pub zone: Option<String>,
    /// What MariaDB locks for those: a table that nobody may write to meanwhile.
    pub locked: Option<Lock>,
    /// What MariaDB is told before those, without its binlog: sequences. All of it may be done again.
    pub before: Vec<String>,
    /// What MariaDB is told after those, without its binlog.
    pub after: Vec<String>,
    /// A table of the session's own: what it is, and the statement that makes it on the session's connection to MariaDB.
    pub temporary: Option<(Arc<TableInfo>, String)>,
    /// Database and table whose next AUTO_INCREMENT value the statement depends on; with it in the session
    /// ([`Session::next_auto_increment`](super::Session::next_auto_increment)) another plan is made.
    pub asks_next_auto_increment: Option<(String, String)>,
    /// The dropped table that the statement depends on; with it in the session
    /// ([`Session::dropped`](super::Session::dropped)) another plan is made.
    pub asks_dropped: Option<Wanted>,
    /// The table that MariaDB has to have again before it is given its statements, which the server runs by itself.
    pub restores: Option<Restored>,
    /// Warnings and notes of the statement.
    pub warnings: Vec<Warning>,
    /// The error to answer with once the plan is carried out: `DROP TABLE` of tables of which some do not exist.
    pub failure: Option<Failure>,
    /// Rows that move in TiKV on the way.
    pub moves: Vec<RowMove>,
    /// Rows that are written again in TiKV on the way.
    pub rewrites: Vec<RowRewrite>,
    /// How the plan ends if a value of those does not fit.
    pub(super) undo: Option<Undo>,
    /// Where jobs tell how many rows were worked on.
    pub(super) counts: Vec<RowCount>,
    pub(super) version: Option<TidbVersion>,
    pub(super) steps: Vec<Vec<Write>>,
}

/// How MariaDB locks a table while statements of a plan are run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// What LOCK TABLES is given.
    pub tables: String,
    /// What MariaDB is told before, without its binlog.
    pub before: Vec<String>,
    /// What it is told once the table is unlocked, also if nothing has come of the plan. All of it may be done again.
    pub after: Vec<String>,
}

/// Rows that a reorganisation of partitions writes again under other ids, before a transaction of its plan.
#[derive(Debug, Clone)]
pub struct RowMove {
    /// The transaction that they have to be there for, from 0.
    pub before: usize,
    /// The table that they are rows of.
    pub table: Arc<TableInfo>,
    /// The physical tables that they are in.
    pub from: Vec<i64>,
    /// The table with the partitions that they go to.
    pub into: Arc<TableInfo>,
}

/// Rows that get a value of one more column, made from another's, before a transaction of a plan.
#[derive(Debug, Clone)]
pub struct RowRewrite {
    /// The transaction that they have to be there for, from 0.
    pub before: usize,
    /// The table, with both columns.
    pub table: Arc<TableInfo>,
    /// The id of the column that is read.
    pub from: i64,
    /// The id of the column that is written.
    pub into: i64,
    /// Whether a value that does not fit is an error.
    pub strict: bool,
    /// Whether nothing else is changed by the statement, so that it can be rolled back.
    pub alone: bool,
    /// The time zone in which a TIMESTAMP is told or read.
    pub zone: Zone,
    /// What MariaDB is asked for the JSON that it has as it was typed, and makes the new values of.
    pub typed_json: Option<String>,
}

/// The transactions that take the place of those from one on when the plan is rolled back.
#[derive(Debug, Clone)]
pub(super) struct Undo {
    pub(super) from: usize,
    pub(super) steps: Vec<Vec<Write>>,
}

/// Where a job tells how many rows were worked on before one of its plan's transactions.
#[derive(Debug, Clone)]
pub(super) struct RowCount {
    /// The transaction that they had to be there for, from 0.
    pub(super) before: usize,
    /// The first transaction whose job tells it.
    pub(super) from: usize,
    /// The job's part that tells it, if it is one of many.
    pub(super) part: Option<usize>,
}

/// One write of a step, before its timestamps are known.
#[derive(Debug, Clone)]
pub(super) enum Write {
    GlobalId(i64),
    Diff(Box<SchemaDiff>),
    PutDb(Box<DbInfo>),
    DeleteDb(i64),
    PutTable(i64, Box<TableInfo>),
    DeleteTable(i64, i64),
    PolicyId(i64),
    PutPolicy(Box<PolicyInfo>),
    DeletePolicy(i64),
    PutMember(i64, String, String),
    DeleteMember(i64, String),
    /// A job as queued or moved on, with the rest of its row.
    Job(Box<QueuedJob>),
    /// A job that leaves the queue for the history.
    Finished(Box<QueuedJob>),
}

/// A job with what its row holds beside it.
#[derive(Debug, Clone)]
pub(super) struct QueuedJob {
    pub(super) job: Job,
    pub(super) schema_ids: String,
    pub(super) table_ids: String,
    /// Whether it may fill an index: newer releases then run it among reorganisations, 4.0 in its second queue.
    pub(super) reorg: bool,
}

/// Stands for the start TSO of a plan's transaction until it is known.
pub(super) const fn start_of(step: usize) -> u64 {
    u64::MAX - step as u64
}

/// Highest number of transactions in a plan: timestamps never come near the placeholders.
const MAX_STEPS: u64 = 1 << 20;

fn resolve(ts: &mut u64, starts: &[u64]) {
    let step = u64::MAX - *ts;
    if step < MAX_STEPS {
        // A job may name the transaction that it is finished in while that is still to come: then it is not known yet.
        *ts = starts.get(step as usize).copied().unwrap_or(0);
    }
}

impl Plan {
    /// Whether the statement changes nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The rows that have to be moved before a transaction.
    pub fn moves_before(&self, step: usize) -> Vec<RowMove> {
        let moves = self.moves.iter().filter(|rows| rows.before == step);
        moves.cloned().collect()
    }

    /// The rows that have to be written again before a transaction.
    pub fn rewrites_before(&self, step: usize) -> Vec<RowRewrite> {
        let rewrites = self.rewrites.iter().filter(|rows| rows.before == step);
        rewrites.cloned().collect()
    }

    /// Lets the plan end as TiDB ends it when a value does not fit the column's new type: MariaDB has no part in it, the
    /// schema is as before, and the job tells the error.
    pub fn roll_back(&mut self, failure: &Failure) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        self.mariadb.clear();
        self.locked = None;
        self.before.clear();
        self.after.clear();
        self.rewrites.clear();
        self.counts.clear();
        self.steps.truncate(undo.from);
        self.steps.extend(undo.steps);
        for write in self.steps.iter_mut().skip(undo.from).flatten() {
            if let Write::Job(queued) | Write::Finished(queued) = write {
                queued.job.err = failure.tree();
            }
        }
        self.failure = Some(failure.clone());
    }

    /// Tells the job how many rows were worked on before a transaction.
    pub fn count_rows(&mut self, before: usize, rows: i64) {
        for count in self.counts.iter().filter(|count| count.before == before) {
            for write in self.steps.iter_mut().skip(count.from).flatten() {
                if let Write::Job(queued) | Write::Finished(queued) = write {
                    queued.job.count_rows(count.part, rows);
                }
            }
        }
    }

    /// How many transactions it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The writes of the next transaction. `starts` holds the start TSOs of all transactions before it and, last, its
    /// own; so the n-th transaction is asked for with n of them.
    pub fn transaction(&self, starts: &[u64]) -> Result<Vec<Mutation>, CatalogError> {
        let asked = starts.len();
        let missing = || CatalogError::NoSuchTransaction {
            asked,
            len: self.steps.len(),
        };
        let step = asked
            .checked_sub(1)
            .and_then(|i| self.steps.get(i))
            .ok_or_else(missing)?;
        let version = self.version.ok_or_else(missing)?;
        let mut out = Vec::new();
        for write in step {
            put_write(&mut out, version, write.clone(), starts)?;
        }
        // One key, one mutation: a step may write a table more than once, and its last version counts.
        let mut seen = HashSet::new();
        out.reverse();
        out.retain(|m: &Mutation| seen.insert(m.key().to_vec()));
        out.reverse();
        Ok(out)
    }
}

fn put_write(
    out: &mut Vec<Mutation>,
    version: TidbVersion,
    write: Write,
    starts: &[u64],
) -> Result<(), CatalogError> {
    let mut put = |key: MetaKey, value: Vec<u8>| {
        out.push(Mutation::Put {
            key: key.encode(),
            value,
        });
    };
    match write {
        Write::GlobalId(id) => put(meta::next_global_id(), id.to_string().into_bytes()),
        Write::Diff(diff) => {
            put(
                meta::schema_version(),
                diff.version.to_string().into_bytes(),
            );
            put(meta::diff(diff.version), gojson::to_vec(&diff)?);
        }
        Write::PutDb(db) => put(meta::db(db.id), gojson::to_vec(&db)?),
        Write::PutTable(db_id, mut table) => {
            resolve(&mut table.update_timestamp, starts);
            put(meta::table(db_id, table.id), gojson::to_vec(&table)?);
        }
        Write::PolicyId(id) => put(meta::policy_global_id(), id.to_string().into_bytes()),
        Write::PutPolicy(policy) => {
            let mut value = vec![POLICY_FORM];
            value.extend(gojson::to_vec(&policy)?);
            put(meta::policy(policy.id), value);
        }
        Write::DeletePolicy(id) => delete(out, meta::policy(id)),
        Write::PutMember(db_id, field, value) => {
            put(meta::db_member(db_id, &field), value.into_bytes())
        }
        Write::DeleteDb(id) => delete(out, meta::db(id)),
        Write::DeleteTable(db_id, id) => delete(out, meta::table(db_id, id)),
        Write::DeleteMember(db_id, field) => delete(out, meta::db_member(db_id, &field)),
        Write::Job(mut queued) => {
            resolve_job(&mut queued.job, starts);
            jobs::put(out, version, &queued)?;
        }
        Write::Finished(mut queued) => {
            resolve_job(&mut queued.job, starts);
            jobs::finish(out, version, &queued)?;
        }
    }
    Ok(())
}

fn delete(out: &mut Vec<Mutation>, key: MetaKey) {
    out.push(Mutation::Delete { key: key.encode() });
}

fn resolve_job(job: &mut Job, starts: &[u64]) {
    resolve(&mut job.start_ts, starts);
    if let Some(ts) = &mut job.real_start_ts {
        resolve(ts, starts);
    }
    resolve(&mut job.snapshot_ver, starts);
    resolve(&mut job.binlog.finished_ts, starts);
    let mut table = |t: &mut TableInfo| resolve(&mut t.update_timestamp, starts);
    job.binlog.table_info.as_deref_mut().map(&mut table);
    job.binlog
        .multiple_table_infos
        .iter_mut()
        .flatten()
        .flatten()
        .for_each(&mut table);
    job.raw_args.tables_mut(&mut table);
    for sub in job
        .multi_schema_info
        .iter_mut()
        .flatten()
        .flat_map(|m| &mut m.sub_jobs)
    {
        resolve(&mut sub.real_start_ts, starts);
        resolve(&mut sub.snapshot_ver, starts);
    }
}

//! Finding what RECOVER TABLE and FLASHBACK TABLE bring back, in the history of jobs and in the past of the schema.

use serde_json::Value;

use super::rights::lacks;
use super::session::Session;
use super::{FrontError, errors};
use crate::client::Ts;
use crate::tidb::apply::{ApplyError, restore};
use crate::tidb::catalog::dropped::table_key;
use crate::tidb::catalog::model::{Action, TableInfo};
use crate::tidb::catalog::{DdlError, Dropped, Restored, TidbVersion, Wanted, sql_error};
use crate::tidb::codec::tso;
use crate::tidb::wire::{ErrPacket, WireError};

/// `ER_UNKNOWN_ERROR`.
const UNKNOWN: u16 = 1105;
/// `ErrDDLJobNotFound`.
const NO_SUCH_JOB: u16 = 8211;

/// What is needed of a job of the history.
struct Job<'a> {
    id: i64,
    kind: u64,
    start_ts: Ts,
    db_id: i64,
    table_id: i64,
    database: &'a str,
}

impl<'a> Job<'a> {
    fn of(job: &'a Value) -> Self {
        let number = |name: &str| job[name].as_i64().unwrap_or_default();
        Self {
            id: number("id"),
            kind: job["type"].as_u64().unwrap_or_default(),
            start_ts: job["start_ts"].as_u64().unwrap_or_default(),
            db_id: number("schema_id"),
            table_id: number("table_id"),
            database: job["schema_name"].as_str().unwrap_or_default(),
        }
    }

    /// Whether a table was dropped or emptied.
    fn is_drop(&self) -> bool {
        [Action::DropTable, Action::TruncateTable]
            .iter()
            .any(|action| *action as u64 == self.kind)
    }
}

type Found = Result<Result<Dropped, DdlError>, FrontError>;

impl Session {
    /// The table that is wanted back, as it was, or TiDB's refusal.
    pub(super) async fn dropped(&mut self, wanted: &Wanted) -> Found {
        if !self.rights().await?.may_everywhere("SUPER") {
            let ErrPacket { code, message, .. } = lacks("SUPER");
            return Ok(Err(DdlError::Sql { code, message }));
        }
        let jobs = match self.history().await? {
            Ok(jobs) => jobs,
            Err(ErrPacket { code, message, .. }) => {
                return Ok(Err(DdlError::Sql { code, message }));
            }
        };
        match wanted {
            Wanted::Job(id) => self.dropped_by_job(&jobs, *id).await,
            Wanted::Named { database, table } => self.dropped_named(&jobs, database, table).await,
        }
    }

    async fn dropped_by_job(&mut self, jobs: &[Value], id: u64) -> Found {
        let Some(value) = jobs.iter().find(|job| job["id"].as_u64() == Some(id)) else {
            let message = format!("DDL Job:{id} not found");
            return Ok(Err(sql_error::refused(NO_SUCH_JOB, message)));
        };
        let job = Job::of(value);
        if !job.is_drop() {
            let kind = super::jobs::action(&value["type"]);
            let message = format!("Job {id} type is {kind}, not dropped/truncated table");
            return Ok(Err(sql_error::refused(UNKNOWN, message)));
        }
        let safe_point = self.gc_safe_point().await?;
        if is_before(job.start_ts, safe_point) {
            let ErrPacket { code, message, .. } = super::set_tidb::too_old(safe_point);
            return Ok(Err(DdlError::Sql { code, message }));
        }
        match self.table_of(&job).await? {
            Ok(Some(table)) => Ok(Ok(self.as_it_was(&job, table).await?)),
            Ok(None) => Ok(Err(sql_error::no_such_table(
                &format!("(Schema ID {})", job.db_id),
                &format!("(Table ID {})", job.table_id),
            ))),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn dropped_named(&mut self, jobs: &[Value], database: &str, name: &str) -> Found {
        let safe_point = self.gc_safe_point().await?;
        let catalog = self.shared.apply.catalog();
        for job in jobs.iter().map(Job::of) {
            if is_before(job.start_ts, safe_point) {
                let at = super::set_tidb::at(safe_point);
                let message =
                    format!("Can't find dropped/truncated table '{name}' in GC safe point {at}");
                return Ok(Err(sql_error::refused(UNKNOWN, message)));
            }
            let mut there = catalog.databases().filter(|db| db.info.name.is(database));
            if !job.is_drop() || !there.any(|db| db.info.id == job.db_id) {
                continue;
            }
            match self.table_of(&job).await? {
                Ok(Some(table)) if table.name.is(name) => {
                    return Ok(Ok(self.as_it_was(&job, table).await?));
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let kinds = match self.shared.version {
            TidbVersion::V4_0 => "dropped/truncated",
            TidbVersion::V8_5 => "localTemporary/dropped/truncated",
        };
        let message = format!("Can't find {kinds} table: {name} in DDL history jobs");
        Ok(Err(sql_error::refused(UNKNOWN, message)))
    }

    /// The table of a job, as it was when the job began.
    async fn table_of(
        &self,
        job: &Job<'_>,
    ) -> Result<Result<Option<TableInfo>, DdlError>, FrontError> {
        let snapshot = self.shared.client.snapshot(job.start_ts);
        let Some(json) = snapshot.get(&table_key(job.db_id, job.table_id)).await? else {
            return Ok(Ok(None));
        };
        Ok(serde_json::from_slice(&json).map(Some).map_err(|error| {
            let message = format!("the table of job {} is no JSON: {error}", job.id);
            sql_error::refused(UNKNOWN, message)
        }))
    }

    async fn as_it_was(&self, job: &Job<'_>, table: TableInfo) -> Result<Dropped, FrontError> {
        let snapshot = self.shared.client.snapshot(job.start_ts);
        let counters = restore::counters(&snapshot, job.db_id, table.id).await?;
        Ok(Dropped {
            job_id: job.id,
            start_ts: job.start_ts,
            db_id: job.db_id,
            database: job.database.to_owned(),
            table,
            counters,
        })
    }

    /// Lets MariaDB have a table again, where nobody sees it yet; gives why it cannot.
    pub(super) async fn restore(
        &self,
        restored: &Restored,
    ) -> Result<Option<ErrPacket>, FrontError> {
        let shared = &self.shared;
        let refusal = match restore::make(&shared.client, &shared.socket, restored).await {
            Ok(()) => return Ok(None),
            Err(ApplyError::Wire(WireError::Server { error, .. })) => error.message,
            Err(ApplyError::Restore { why, .. }) => why,
            Err(other) => return Err(other.into()),
        };
        restore::clear(&shared.socket).await?;
        let table = &restored.table.name.o;
        Ok(Some(errors::unsupported(&format!(
            "bringing back the table {table:?} ({refusal})"
        ))))
    }
}

fn is_before(ts: Ts, safe_point: i64) -> bool {
    i64::try_from(tso::physical_ms(ts)).is_ok_and(|ms| ms < safe_point)
}

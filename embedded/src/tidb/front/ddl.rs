//! Changes of the schema.
//!
//! One at a time: plan it from the schema as it is, keep its intent durably, let MariaDB do its part, and wait until the
//! applier has written TiDB's side at that place of the binlog.

use std::collections::BTreeMap;

use super::FrontError;
use super::relay::Answered;
use super::rewritten::Prepared;
use super::session::Session;
use crate::tidb::apply::Intent;
use crate::tidb::apply::handle::Abandoned;
use crate::tidb::apply::record::clustered_index;
use crate::tidb::catalog::mariadb;
use crate::tidb::catalog::{self, DdlError, Plan, TidbVersion, Warning, Zone, sql_mode_bits};
use crate::tidb::planning;
use crate::tidb::wire::{Backend, ErrPacket, WireError};

/// What a plan depends on in MariaDB's session.
const SESSION_QUERY: &str = "SELECT @@sql_mode, @@character_set_connection, @@collation_connection, \
                             TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), @@foreign_key_checks, @@time_zone";

impl Session {
    /// Runs a DDL statement and answers.
    pub(super) async fn ddl(&mut self, sql: &str, more: bool) -> Result<Answered, FrontError> {
        if let Some(answered) = self.about_temporary(sql, more).await? {
            return Ok(answered);
        }
        if self.in_transaction {
            // TiDB commits what is open first, whatever becomes of the statement.
            let ok = match self.backend.execute("COMMIT").await {
                Ok(ok) => ok,
                Err(WireError::Server { error, .. }) => return self.refuse(&error).await,
                Err(other) => return Err(other.into()),
            };
            self.hold(&ok).await?;
        }
        let shared = std::sync::Arc::clone(&self.shared);
        let one_at_a_time = shared.ddl.lock().await;
        let mut session = self.catalog_session().await?;
        let mut plan = match self.plan(&mut session, sql).await? {
            Ok(plan) => plan,
            Err(error) => {
                return self.refuse(&refusal(&error)).await;
            }
        };
        if plan.mariadb.is_empty()
            && plan.temporary.is_none()
            && !plan.is_empty()
            && let Some(refusal) = self.may_not_change(sql).await?
        {
            return self.refuse(&refusal).await;
        }
        let rolled_back = match self.prepare_rewrites(sql, &mut plan).await? {
            Prepared::Ready { failure } => failure,
            Prepared::Refused(refusal) => return self.refuse(&refusal).await,
        };
        if let Some(restored) = &plan.restores
            && let Some(refusal) = self.restore(restored).await?
        {
            return self.refuse(&refusal).await;
        }
        let warnings = plan.warnings.clone();
        let failure = plan.failure.clone();
        let temporary = plan.temporary.clone();
        let lock = plan.locked.clone();
        // Constant defaults of TIMESTAMP are in UTC in a plan.
        let zone = self.enter_utc().await?;
        let done = if plan.is_empty() {
            Ok(None)
        } else {
            let intent = Intent {
                sql: sql.to_owned(),
                session: (&session).into(),
                schema_ts: 0,
                statements: plan.mariadb.len(),
                seen: 0,
                starts: vec![],
                rows: BTreeMap::new(),
                failure: rolled_back,
            };
            let done = self.carry_out(sql, intent, plan, session.is_strict()).await;
            if let Some(lock) = &lock {
                self.unlock(lock).await?;
            }
            done
        };
        drop(one_at_a_time);
        let done = match (done, temporary, self.database_of_created(sql)) {
            (Ok(None), Some((info, statement)), Some(database)) => {
                self.make_temporary(&database, info, &statement).await
            }
            (done, ..) => done,
        };
        self.leave_utc(&zone).await?;
        if let Some(refusal) = done? {
            return self.refuse(&refusal).await;
        }
        if let Some(failure) = failure {
            let error = DdlError::Sql {
                code: failure.code,
                message: failure.message,
            };
            return self.refuse(&refusal(&error)).await;
        }
        self.finish_ddl(warnings, more).await
    }

    /// Plans a statement, with what the plan has to know of MariaDB.
    async fn plan(
        &mut self,
        session: &mut catalog::Session,
        sql: &str,
    ) -> Result<Result<Plan, DdlError>, FrontError> {
        let catalog = self.shared.apply.catalog();
        let plan = planning::plan(&catalog, session, sql);
        match &plan {
            Ok(Plan {
                asks_next_auto_increment: Some((database, table)),
                ..
            }) => {
                session.next_auto_increment = self.mariadb_auto_increment(database, table).await?;
            }
            Ok(Plan {
                asks_dropped: Some(wanted),
                ..
            }) => match self.dropped(wanted).await? {
                Ok(dropped) => session.dropped = Some(Box::new(dropped)),
                Err(refusal) => return Ok(Err(refusal)),
            },
            _ => return Ok(plan),
        }
        Ok(planning::plan(&catalog, session, sql))
    }

    async fn finish_ddl(
        &mut self,
        warnings: Vec<Warning>,
        more: bool,
    ) -> Result<Answered, FrontError> {
        self.succeed(warnings.len(), more).await?;
        self.warnings = Some(warnings);
        Ok(Answered::Done)
    }

    /// Lets MariaDB and TiKV do what is planned; gives MariaDB's refusal, after which nothing was changed.
    async fn carry_out(
        &mut self,
        sql: &str,
        intent: Intent,
        plan: Plan,
        is_strict: bool,
    ) -> Result<Option<ErrPacket>, FrontError> {
        let statements = plan.mariadb.clone();
        let mut zone = plan.zone.clone();
        let apply = self.shared.apply.clone();
        Backend::run_unlogged(&self.shared.socket, &plan.before).await?;
        let after = plan.after.clone();
        let by_server = plan.restores.is_some();
        apply.begin(intent, plan).await?;
        for statement in &statements {
            let planned = mariadb::planned(statement, is_strict, zone.take().as_deref());
            let error = match self.run_planned(&planned, by_server).await {
                Ok(()) => continue,
                Err(FrontError::Wire(error)) => error,
                Err(other) => return Err(other),
            };
            // The answer alone does not tell: the binlog does.
            let end = self.binlog_end().await?;
            return match (apply.abandon(end).await?, error) {
                (Abandoned::Dropped, WireError::Server { error, .. }) => {
                    tracing::warn!(
                        sql,
                        statement,
                        error = error.message,
                        "MariaDB refused what TiDB would do"
                    );
                    Ok(Some(refused_by_mariadb(self.shared.version, &error)))
                }
                (Abandoned::Dropped | Abandoned::Done, other) => Err(other.into()),
                (Abandoned::Partly { seen }, error) => {
                    let of = statements.len();
                    let why = format!("MariaDB ran {seen} of its {of} statements, then: {error}");
                    Err(apply.fail(why).await.into())
                }
            };
        }
        Backend::run_unlogged(&self.shared.socket, &after).await?;
        Ok(None)
    }

    /// Runs a statement of a plan, and waits until its part is in TiKV. What the client's account has no rights for at MariaDB, the
    /// server runs on a connection of its own.
    async fn run_planned(&mut self, statement: &str, by_server: bool) -> Result<(), FrontError> {
        if !by_server {
            let ok = self.backend.execute(statement).await?;
            return self.hold(&ok).await;
        }
        let mut own = Backend::connect(&self.shared.socket).await?;
        own.execute(statement).await?;
        let end = self.binlog_end().await?;
        Ok(self.shared.apply.wait(end).await?)
    }

    /// Where MariaDB's binlog ends now, asked on a connection of its own.
    pub(super) async fn binlog_end(&self) -> Result<crate::tidb::apply::Gtid, FrontError> {
        let mut backend = Backend::connect(&self.shared.socket).await?;
        let text = backend.value("SELECT @@gtid_binlog_pos").await?;
        text.parse()
            .map_err(|e| WireError::malformed("gtid_binlog_pos", format!("{e}")).into())
    }

    fn told_or(&self, variable: &str, at_mariadb: String) -> String {
        self.charsets
            .told(variable)
            .map_or(at_mariadb, str::to_owned)
    }

    /// The session as a plan sees it.
    pub(super) async fn catalog_session(&mut self) -> Result<catalog::Session, FrontError> {
        let rows = self.backend.rows(SESSION_QUERY).await?;
        let value = |n: usize| {
            rows.rows
                .first()
                .and_then(|row| row.get(n)?.as_ref())
                .map(|v| String::from_utf8_lossy(v).into_owned())
                .unwrap_or_default()
        };
        let clustered = super::variables::tidb(self.shared.version, "tidb_enable_clustered_index")
            .map(|v| self.tidb_value(v, false))
            .and_then(|text| clustered_index(&text))
            .unwrap_or_default();
        Ok(catalog::Session {
            database: self.database.clone(),
            connection_id: self.backend.connection_id().into(),
            sql_mode: sql_mode_bits(&value(0)),
            charset: self.told_or("character_set_connection", value(1)),
            collation: self.told_or("collation_connection", value(2)),
            zone: Zone::new(&value(5), value(3).parse().unwrap_or(0)),
            now: self.shared.client.tso().await?,
            foreign_key_checks: value(4) == "1",
            clustered_index: clustered,
            next_auto_increment: None,
            dropped: None,
        })
    }
}

/// What TiDB answers where MariaDB refuses a change of the schema.
fn refused_by_mariadb(version: TidbVersion, error: &ErrPacket) -> ErrPacket {
    /// `WARN_DATA_TRUNCATED`: of a change that writes no rows again, NULL in a column that becomes NOT NULL.
    const TRUNCATED: u16 = 1265;
    let column = error.message.split('\'').nth(1).unwrap_or_default();
    match (error.code, version) {
        (TRUNCATED, TidbVersion::V4_0) => {
            ErrPacket::new(1138, "22004", "Invalid use of NULL value".to_owned())
        }
        (TRUNCATED, TidbVersion::V8_5) => ErrPacket::new(
            TRUNCATED,
            &error.state,
            format!("Data truncated for column '{column}' at row 1"),
        ),
        (code, _) => {
            let message = format!(
                "the embedded TiDB could not run this on MariaDB ({code}): {}",
                error.message
            );
            ErrPacket::new(code, &error.state, message)
        }
    }
}

/// An error of the catalog's as a client is told it.
pub(super) fn refusal(error: &DdlError) -> ErrPacket {
    ErrPacket::new(error.code(), error.sql_state(), error.to_string())
}

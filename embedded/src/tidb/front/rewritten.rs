//! Changes of columns that write rows again.
//!
//! Whether each value can be cast is found out before MariaDB hears of the statement, from the rows in TiKV, while nobody else
//! can write to the table: so both sides cast the same values, or none.

use super::FrontError;
use super::ddl::refusal;
use super::session::Session;
use crate::tidb::apply::rewrite::{self, Misfit};
use crate::tidb::catalog::{DdlError, Failure, Lock, Plan, RowRewrite, unsupported};
use crate::tidb::codec::json_text;
use crate::tidb::wire::{Backend, ErrPacket, WireError};

/// What a plan that writes rows again comes to.
pub(super) enum Prepared {
    /// It is carried out; tables may be locked for it.
    Ready {
        /// Why it is rolled back, if a value does not fit.
        failure: Option<Failure>,
    },
    /// It is refused, and nothing was done.
    Refused(ErrPacket),
}

impl Session {
    /// Locks the table that nobody may write to meanwhile, and looks at the values of rows that are written again. With a
    /// value that does not fit, the plan is the one that rolls the job back.
    pub(super) async fn prepare_rewrites(
        &mut self,
        sql: &str,
        plan: &mut Plan,
    ) -> Result<Prepared, FrontError> {
        let Some(lock) = plan.locked.clone() else {
            return Ok(Prepared::Ready { failure: None });
        };
        Backend::run_unlogged(&self.shared.socket, &lock.before).await?;
        match self
            .backend
            .execute(&format!("LOCK TABLES {}", lock.tables))
            .await
        {
            Ok(_) => {}
            Err(WireError::Server { error, .. }) => {
                Backend::run_unlogged(&self.shared.socket, &lock.after).await?;
                return Ok(Prepared::Refused(error));
            }
            Err(other) => return Err(other.into()),
        }
        let misfit = self.misfit(plan).await;
        if !matches!(misfit, Ok(None)) {
            self.unlock(&lock).await?;
        }
        let refused = |error: DdlError| Ok(Prepared::Refused(refusal(&error)));
        match misfit? {
            None => Ok(Prepared::Ready { failure: None }),
            Some(Misfit::Fails(failure)) => {
                plan.roll_back(&failure);
                Ok(Prepared::Ready {
                    failure: Some(failure),
                })
            }
            Some(Misfit::Refused(Failure { code, message })) => {
                refused(DdlError::Sql { code, message })
            }
            Some(Misfit::Unserved(what)) => refused(unsupported(sql, what)),
        }
    }

    /// Lets others write again.
    pub(super) async fn unlock(&mut self, lock: &Lock) -> Result<(), FrontError> {
        // A connection that is gone has no lock any more.
        let unlocked = self.backend.execute("UNLOCK TABLES").await;
        Backend::run_unlogged(&self.shared.socket, &lock.after).await?;
        unlocked?;
        Ok(())
    }

    /// The first value that cannot be cast, with all that was written before the lock in TiKV.
    async fn misfit(&mut self, plan: &Plan) -> Result<Option<Misfit>, FrontError> {
        let end = self.binlog_end().await?;
        self.shared.apply.wait(end).await?;
        for rows in &plan.rewrites {
            if let Some(misfit) = rewrite::check(&self.shared.client, rows).await? {
                return Ok(Some(misfit));
            }
            if let Some(misfit) = self.typed_json(rows).await? {
                return Ok(Some(misfit));
            }
        }
        Ok(None)
    }

    /// The first JSON that MariaDB, which makes something else of it than JSON, has otherwise than TiDB shows it.
    async fn typed_json(&mut self, rows: &RowRewrite) -> Result<Option<Misfit>, FrontError> {
        let Some(query) = &rows.typed_json else {
            return Ok(None);
        };
        let answer = self.backend.rows(query).await?;
        let typed = answer.rows.iter().flatten().flatten();
        let version = self.shared.version;
        let other = typed
            .map(|bytes| String::from_utf8_lossy(bytes))
            .find(|text| json_text::normal(text, version).ok().as_deref() != Some(text));
        Ok(other.map(|text| {
            Misfit::Unserved(format!(
                "a change of JSON that was not typed as TiDB shows it: {text}"
            ))
        }))
    }
}

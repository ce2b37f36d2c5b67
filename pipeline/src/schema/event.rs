//! DDL events: what goes out for a DDL job, and whether it does.

use std::sync::Arc;

use crate::{compat::Compat, model::Ts};

use super::{
    action::Action,
    error::SchemaError,
    statement::{self, Rewrite},
    table::TableInfo,
};

/// One DDL statement of the change stream. A job about several tables gives several events.
#[derive(Debug, Clone)]
pub struct DdlEvent {
    /// The job.
    pub job_id: i64,
    /// Its kind.
    pub action: Action,
    /// Start TSO of the transaction that finished the job.
    pub start_ts: Ts,
    /// Commit TSO of that transaction.
    pub commit_ts: Ts,
    /// The database.
    pub schema: String,
    /// The table, by its name after the statement; empty for a statement about a database.
    pub table: String,
    /// The statement as the user wrote it, all tables of it.
    pub query: String,
    /// The table after the statement, or as it was dropped.
    pub info: Option<Arc<TableInfo>>,
    /// The table before the statement.
    pub pre_info: Option<Arc<TableInfo>>,
    /// Physical ids that have rows from here on.
    pub created: Vec<i64>,
    /// Physical ids that have no rows from here on.
    pub dropped: Vec<i64>,
    /// The session's SQL mode, as TiDB's bits: how the statement is to be read.
    pub sql_mode: u64,
    pub(super) rewrite: Rewrite,
    pub(super) compat: Compat,
}

/// What a changefeed does with a DDL event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out.
    Emit,
    /// It does not: a kind that is never emitted, or a table that is not replicated.
    Skip,
    /// The table could be replicated before and cannot after: the changefeed stops (since v8.5).
    BecomesIneligible,
}

impl DdlEvent {
    /// Whether a changefeed emits the event. Names are another matter: see the filter.
    pub fn verdict(&self, force_replicate: bool) -> Verdict {
        if !self.action.is_emitted(self.compat) {
            return Verdict::Skip;
        }
        // Up to v6.5 it is forgotten that a table was left out when it is dropped, and the drop is told of.
        let drops = matches!(self.action, Action::DROP_TABLE | Action::DROP_VIEW);
        if drops && self.compat < Compat::V8_5 {
            return Verdict::Emit;
        }
        let eligible = |info: &Option<Arc<TableInfo>>| {
            info.as_ref()
                .is_none_or(|info| info.is_eligible(force_replicate))
        };
        match (eligible(&self.pre_info), eligible(&self.info)) {
            (_, true) => Verdict::Emit,
            (true, false) if self.pre_info.is_some() && self.compat >= Compat::V8_5 => {
                Verdict::BecomesIneligible
            }
            _ => Verdict::Skip,
        }
    }

    /// The statement as it goes out (spec/canal-json.md §10): restored in TiDB's spelling, in v4.0.9 the user's own
    /// text with TiDB's features in special comments.
    pub fn sql(&self) -> Result<String, SchemaError> {
        statement::text(self)
    }

    /// The statement before it is spelled anew: what patterns of event filters are held against. A table dropped or renamed
    /// together with others has a statement of its own.
    pub fn own_query(&self) -> Result<String, SchemaError> {
        statement::own_query(self)
    }

    /// The statement, read as the session that wrote it read it.
    pub fn statement(&self) -> Result<tidb_sql::ast::Statement, SchemaError> {
        statement::read(self)
    }
}

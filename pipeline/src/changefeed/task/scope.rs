//! What a changefeed is concerned with: tables, DDL statements, transactions.

use std::collections::HashSet;

use super::{Config, Spec};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::filter::TableFilter,
    model::Ts,
    schema::{Action, DdlEvent, TableInfo, TableKind, Verdict},
};

/// The filter of a changefeed with its rules about keys.
#[derive(Debug)]
pub(super) struct Scope {
    compat: Compat,
    filter: TableFilter,
    force_replicate: bool,
    /// `filter.ignore-txn-start-ts`.
    ignored: HashSet<Ts>,
    /// `filter.ddl-allow-list`, of v4.0.9.
    allowed: HashSet<u8>,
}

impl Scope {
    /// What `spec` is concerned with.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`.
    pub(super) fn new(spec: &Spec) -> Result<Self, Coded> {
        let compat = spec.release.compat();
        let (filter, force_replicate, ignored, allowed) = match &spec.config {
            Config::Legacy(config) => (
                TableFilter::new(&config.filter.rules, config.case_sensitive, compat)?,
                config.force_replicate,
                config.filter.ignore_txn_start_ts.clone(),
                config.filter.ddl_allow_list.clone(),
            ),
            Config::Modern(config) => (
                TableFilter::new(&config.filter.rules, config.case_sensitive, compat)?,
                config.force_replicate,
                config.filter.ignore_txn_start_ts.clone(),
                None,
            ),
        };
        Ok(Self {
            compat,
            filter,
            force_replicate,
            ignored: ignored.into_iter().flatten().collect(),
            allowed: allowed.into_iter().flatten().collect(),
        })
    }

    /// Whether rows of the table are replicated.
    pub(super) fn takes_table(&self, table: &TableInfo) -> bool {
        table.kind == TableKind::Table
            && table.is_eligible(self.force_replicate)
            && self.filter.takes_table(&table.schema, &table.name)
    }

    /// Whether a transaction is left out as a whole.
    pub(super) fn ignores(&self, start_ts: Ts) -> bool {
        self.ignored.contains(&start_ts)
    }

    /// Whether the statement is sent.
    ///
    /// # Errors
    /// `ErrOwnerUnknown` for a table that can no longer be replicated, `ErrSyncRenameTableFailed` for one that is
    /// renamed into the filter (both since v6.5).
    pub(super) fn takes_ddl(&self, event: &DdlEvent) -> Result<bool, Coded> {
        if self.ignores(event.start_ts) {
            return Ok(false);
        }
        if event.action.is_schema_ddl() {
            return Ok(event.verdict(self.force_replicate) == Verdict::Emit
                && self.filter.takes_schema(&event.schema));
        }
        let takes = |info: &TableInfo| self.filter.takes_table(&info.schema, &info.name);
        let after = self.filter.takes_table(&event.schema, &event.table);
        let renames = matches!(event.action, Action::RENAME_TABLE | Action::RENAME_TABLES);
        let taken = match &event.pre_info {
            Some(before) if renames && self.compat > Compat::V4_0_9 => {
                if after && !takes(before) {
                    return Err(Coded::new(
                        Code::ErrSyncRenameTableFailed,
                        format!(
                            "table's old name is not in filter rule, and its new name in filter rule table id '{}', ddl \
                             query: [{}], it's an unexpected behavior, if you want to replicate this table, please add \
                             its old name to filter rule.",
                            before.id, event.query
                        ),
                    ));
                }
                after || takes(before)
            }
            _ => after,
        };
        if !taken {
            return Ok(false);
        }
        match event.verdict(self.force_replicate) {
            Verdict::Emit => Ok(true),
            Verdict::Skip => Ok(self.allowed.contains(&event.action.0)),
            Verdict::BecomesIneligible => Err(Coded::new(
                Code::ErrOwnerUnknown,
                format!(
                    "An eligible table become ineligible after DDL: [{}] it is a dangerous operation and may cause data \
                     loss. If you want to replicate this ddl safely, pelase pause the changefeed and update the \
                     `force-replicate=true` in the changefeed configuration, then resume the changefeed.",
                    event.query
                ),
            )),
        }
    }
}

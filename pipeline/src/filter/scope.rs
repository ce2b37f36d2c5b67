//! What a changefeed is concerned with: tables, DDL statements, transactions.

use std::{collections::HashSet, hash::Hash};

use jiff::tz::TimeZone;

use super::events::{EventFilters, RowFilters};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::{filter::TableFilter, legacy::LegacyConfig, replica::ReplicaConfig},
    model::Ts,
    schema::{Action, DdlEvent, TableInfo, TableKind, Verdict},
};

/// The filter of a changefeed with its rules about keys.
#[derive(Debug)]
pub struct Scope {
    compat: Compat,
    filter: TableFilter,
    events: EventFilters,
    force_replicate: bool,
    /// `filter.ignore-txn-start-ts`.
    ignored: HashSet<Ts>,
    /// `filter.ddl-allow-list`, of v4.0.9.
    allowed: HashSet<u8>,
}

/// A list that may be missing.
fn listed<T: Copy + Eq + Hash>(list: &Option<Vec<T>>) -> HashSet<T> {
    list.iter().flatten().copied().collect()
}

impl Scope {
    /// What a changefeed of this configuration is concerned with. Conditions on TIMESTAMP columns see them as a clock in
    /// `time_zone` shows them.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`, `ErrInvalidIgnoreEventType`.
    pub fn new(config: &ReplicaConfig, compat: Compat, time_zone: TimeZone) -> Result<Self, Coded> {
        let filter = &config.filter;
        Ok(Self {
            compat,
            filter: TableFilter::new(&filter.rules, config.case_sensitive, compat)?,
            events: EventFilters::new(filter.event_filters.as_deref(), compat, time_zone)?,
            force_replicate: config.force_replicate,
            ignored: listed(&filter.ignore_txn_start_ts),
            allowed: HashSet::new(),
        })
    }

    /// As [`new`](Self::new), of v4.0.9, which has no event filters.
    ///
    /// # Errors
    /// `ErrFilterRuleInvalid`.
    pub fn legacy(config: &LegacyConfig) -> Result<Self, Coded> {
        let compat = Compat::V4_0_9;
        let filter = &config.filter;
        Ok(Self {
            compat,
            filter: TableFilter::new(&filter.rules, config.case_sensitive, compat)?,
            events: EventFilters::new(None, compat, TimeZone::UTC)?,
            force_replicate: config.force_replicate,
            ignored: listed(&filter.ignore_txn_start_ts),
            allowed: listed(&filter.ddl_allow_list),
        })
    }

    /// What of the rows of a table is left out one by one; nothing if nothing is.
    #[must_use]
    pub fn row_filters(&self, table: &TableInfo) -> Option<RowFilters> {
        self.events.of_rows(table)
    }

    /// Whether rows of the table are replicated.
    #[must_use]
    pub fn takes_table(&self, table: &TableInfo) -> bool {
        table.kind == TableKind::Table
            && table.is_eligible(self.force_replicate)
            && self.filter.takes_table(&table.schema, &table.name)
    }

    /// Whether a transaction is left out as a whole.
    #[must_use]
    pub fn ignores(&self, start_ts: Ts) -> bool {
        self.ignored.contains(&start_ts)
    }

    /// Whether the statement is sent.
    ///
    /// # Errors
    /// `ErrOwnerUnknown` for a table that can no longer be replicated (since v8.5), `ErrSyncRenameTableFailed` for one that is
    /// renamed into the filter (since v6.5); those of [`EventFilters::drop_ddl`].
    pub fn takes_ddl(&self, event: &DdlEvent) -> Result<bool, Coded> {
        Ok(self.follows_ddl(event)? && !self.events.drop_ddl(event)?)
    }

    /// Whether the statement is about something that is replicated, whatever event filters say.
    fn follows_ddl(&self, event: &DdlEvent) -> Result<bool, Coded> {
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

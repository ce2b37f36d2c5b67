//! Puts committed rows of many table spans into commit order.
//!
//! A feed brings rows of a span in any order and says up to which timestamp it is complete. The sorter keeps the rows of
//! each table until then and gives them out by (commit-ts, start-ts, delete before update before insert, key)
//! (`spec/tikv-cdc-protocol.md §7`). A table does not wait for another one.
//!
//! Rows are kept in memory. Where they are kept is nobody's business outside [`table`]: taking and following may fail and
//! may wait, so that a store on disk can take its place.

mod pump;
mod state;
mod table;

use std::{collections::HashMap, sync::Arc};

use tokio::{sync::watch, task::AbortHandle};

use self::state::State;
use crate::{
    model::{RawKv, Ts},
    upstream::{self, Subscription},
};

/// Physical id of a table or partition.
pub type TableId = i64;

/// Why sorting cannot go on. Messages read after "failed to".
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The feed of a table ended.
    #[error("follow table {table}: {source}")]
    Feed {
        /// Physical id.
        table: TableId,
        /// Why.
        source: upstream::Error,
    },
    /// What is not complete yet does not fit.
    #[error(
        "sort table {table}: {held} bytes of rows above its resolved-ts {resolved_ts} reach the memory quota of {quota} \
         bytes, raise the changefeed's memory-quota"
    )]
    Quota {
        /// Physical id.
        table: TableId,
        /// The table is complete up to here.
        resolved_ts: Ts,
        /// Bytes held for all tables.
        held: usize,
        /// The limit.
        quota: usize,
    },
    /// A table is followed already.
    #[error("follow table {table}: it is followed already")]
    Twice {
        /// Physical id.
        table: TableId,
    },
}

/// The sorter of one changefeed.
///
/// From half of its quota on feeds wait for the reader to take rows, and the stores wait behind them. The other half is
/// for when the reader waits too: for rows of tables that are not complete. If those reach the quota,
/// [`take`](Self::take) fails.
#[derive(Debug)]
pub struct Sorter {
    state: Arc<State>,
    changes: watch::Receiver<u64>,
    pumps: HashMap<TableId, AbortHandle>,
}

impl Sorter {
    /// A sorter that holds `quota` bytes at most.
    #[must_use]
    pub fn new(quota: usize) -> Self {
        let (state, changes) = State::new(quota);
        Self {
            state,
            changes,
            pumps: HashMap::new(),
        }
    }

    /// Takes in what `feed` brings, for a table that is complete up to `start_ts`.
    pub fn follow(
        &mut self,
        table: TableId,
        start_ts: Ts,
        feed: Subscription,
    ) -> Result<(), Error> {
        if !self.state.add(table, start_ts) {
            return Err(Error::Twice { table });
        }
        let pump = tokio::spawn(pump::run(self.state.clone(), table, feed));
        self.pumps.insert(table, pump.abort_handle());
        Ok(())
    }

    /// Stops following a table and drops what is held of it.
    pub fn forget(&mut self, table: TableId) {
        if let Some(pump) = self.pumps.remove(&table) {
            pump.abort();
        }
        self.state.remove(table);
    }

    /// The timestamp up to which all tables are complete; nothing without tables.
    #[must_use]
    pub fn resolved_ts(&self) -> Option<Ts> {
        self.state.resolved_ts()
    }

    /// The timestamp up to which a table is complete, if it is followed.
    #[must_use]
    pub fn table_resolved_ts(&self, table: TableId) -> Option<Ts> {
        self.state.table_resolved_ts(table)
    }

    /// Bytes held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.state.held()
    }

    /// Takes rows of complete tables in order, up to each table's `limit` and about `max_bytes`, at least one if there is
    /// any. Nothing: all rows up to the limits and to what was the tables' resolved-ts before the call have been taken.
    pub async fn take(
        &mut self,
        limit: impl Fn(TableId) -> Ts,
        max_bytes: usize,
    ) -> Result<Vec<(TableId, RawKv)>, Error> {
        self.state.take(limit, max_bytes)
    }

    /// Waits until rows or a resolved-ts have come, or a feed has failed, since this was last called.
    pub async fn changed(&mut self) {
        // The other end lives in the state that this has a part in.
        let _ = self.changes.changed().await;
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        self.pumps.values().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;

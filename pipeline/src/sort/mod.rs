//! Puts committed rows of many table spans into commit order.
//!
//! A feed brings rows of a span in any order and says up to which timestamp it is complete. The sorter keeps the rows of
//! each table until then and gives them out by (commit-ts, start-ts, delete before update before insert, key)
//! (`spec/tikv-cdc-protocol.md §7`). A table does not wait for another one.
//!
//! Rows are kept in memory up to half of a quota. What is beyond it and can be taken soon holds its feed back; what is not
//! complete goes to [disk](folder) in the same order, is merged with what is in memory when it is taken, and is removed
//! when all has been. So neither a large transaction nor a long way behind needs more memory.

mod folder;
mod pump;
mod spill;
mod state;
mod store;
mod table;
mod tables;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use tokio::{sync::watch, task::AbortHandle};

pub use self::folder::{Folder, Place};
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
    /// Rows cannot be put on disk or found there.
    #[error(
        "sort in {}: {source}, expected a folder that can be written, with room for rows of transactions that have not \
         ended", path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// The folder is in use.
    #[error(
        "sort in {}: another process sorts there, expected a data folder (--data-dir) of its own for each server",
        path.display()
    )]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The store on disk failed.
    #[error("{act} the rows in {}: {source}", path.display())]
    Store {
        /// What was being done.
        act: &'static str,
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Arc<lsm_tree::Error>,
    },
    /// What is on disk is not what was written.
    #[error("read the rows in {}: an entry is none that was written, was the folder changed?", path.display())]
    Corrupt {
        /// The folder.
        path: PathBuf,
    },
    /// A panic on the way to disk or back, or the end of the process.
    #[error("sort on disk: it broke off")]
    BrokeOff,
    /// A table is followed already.
    #[error("follow table {table}: it is followed already")]
    Twice {
        /// Physical id.
        table: TableId,
    },
}

/// Rows taken from a sorter.
#[derive(Debug, Default)]
pub struct Taken {
    /// In order; a transaction of a table stands together.
    pub rows: Vec<(TableId, RawKv)>,
    /// All rows are of the transaction and table that went on when rows were taken before.
    pub continues: bool,
    /// The last transaction goes on: it is large, and more of it comes with the next call.
    pub goes_on: bool,
}

/// The sorter of one changefeed.
///
/// From half of its quota on feeds wait for the reader to take rows, and the stores wait behind them. If the reader has to
/// wait too, for tables that are not complete, rows go to disk instead. The other half is for what is on its way.
#[derive(Debug)]
pub struct Sorter {
    state: Arc<State>,
    changes: watch::Receiver<u64>,
    pumps: HashMap<TableId, AbortHandle>,
}

impl Sorter {
    /// A sorter that holds `quota` bytes in memory at most and puts the rest in `place`.
    #[must_use]
    pub fn new(quota: usize, place: Place) -> Self {
        let (state, changes) = State::new(quota, place);
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
        let Some(followed) = self.state.add(table, start_ts) else {
            return Err(Error::Twice { table });
        };
        let pump = tokio::spawn(pump::run(self.state.clone(), followed, feed));
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

    /// Bytes held in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.state.held()
    }

    /// Takes rows of complete tables in order, up to each table's `limit` and about `max_bytes`, at least one if there is
    /// any. No rows: all up to the limits and to what was the tables' resolved-ts before the call have been taken.
    ///
    /// A transaction comes whole unless its rows in one table are of more than `max_bytes`. If the future is dropped before
    /// it is done rows may be lost.
    pub async fn take(
        &mut self,
        limit: impl Fn(TableId) -> Ts,
        max_bytes: usize,
    ) -> Result<Taken, Error> {
        self.state.take(limit, max_bytes).await
    }

    /// Puts rows back that are still to come, of the transaction that [goes on](Taken::goes_on) or has just
    /// [gone on](Taken::continues): they are taken in their place among its other rows. None may come before a row that
    /// was taken.
    pub async fn put_back(&mut self, table: TableId, rows: Vec<RawKv>) -> Result<(), Error> {
        self.state.put_back(table, rows).await
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

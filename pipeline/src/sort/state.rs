//! What feeds and the reader of a sorter share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::{
    Error, TableId, Taken,
    folder::Place,
    spill::Disk,
    store::Cursor,
    table::Table,
    tables::{Load, Room, Step, Tables, Taking},
};
use crate::model::{RawKv, Ts};

/// Rows in memory at most, whatever the quota is: more of them is not faster.
const MOST_IN_MEMORY: usize = 24 << 20;

/// All tables of one sorter.
#[derive(Debug)]
pub(super) struct State {
    /// From how many bytes in memory on rows wait, or go to disk.
    room: usize,
    tables: Mutex<Tables>,
    pub(super) disk: Disk,
    /// Rows were taken or became takeable: feeds that wait for room look again.
    freed: Notify,
    /// Counts what happened, for the reader.
    changes: watch::Sender<u64>,
}

/// A table from when it was added until it is removed: its feed may notice late that it was, and that it was added again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Followed {
    pub(super) table: TableId,
    pub(super) number: u64,
}

/// What has to be read.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) cursors: Vec<(TableId, Cursor)>,
    /// How many tables have rows on disk.
    pub(super) on_disk: usize,
    /// Numbers whose rows are not needed any more.
    pub(super) gone: Vec<u64>,
}

/// What was read of one table.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) table: TableId,
    pub(super) number: u64,
    pub(super) rows: Vec<RawKv>,
    pub(super) all: bool,
}

impl State {
    /// No tables yet; the receiver hears of every change.
    pub(super) fn new(quota: usize, place: Place) -> (Arc<Self>, watch::Receiver<u64>) {
        let (changes, heard) = watch::channel(0);
        (
            Arc::new(Self {
                room: (quota / 2).min(MOST_IN_MEMORY),
                tables: Mutex::default(),
                disk: Disk::new(quota, place),
                freed: Notify::new(),
                changes,
            }),
            heard,
        )
    }

    /// Adds a table, unless it is there already.
    pub(super) fn add(&self, table: TableId, start_ts: Ts) -> Option<Followed> {
        let mut tables = self.tables();
        if tables.all.contains_key(&table) {
            return None;
        }
        tables.count += 1;
        let number = tables.count;
        tables.all.insert(table, Table::new(number, start_ts));
        Some(Followed { table, number })
    }

    /// The table as it is followed now.
    #[cfg(test)]
    pub(super) fn followed(&self, table: TableId) -> Followed {
        let number = self.tables().all[&table].number();
        Followed { table, number }
    }

    /// Drops a table and its rows.
    pub(super) fn remove(&self, table: TableId) {
        let mut tables = self.tables();
        if let Some(removed) = tables.all.remove(&table) {
            tables.held -= removed.held();
            if tables.spilled {
                tables.gone.push(removed.number());
            }
            if tables.cut.is_some_and(|(cut, _)| cut == table) {
                tables.cut = None;
            }
        }
        drop(tables);
        self.freed.notify_waiters();
        self.changed();
    }

    /// Adds rows of a table as soon as there is room. Rows of a table that was removed are nobody's.
    pub(super) async fn put(
        self: &Arc<Self>,
        followed: Followed,
        rows: Vec<RawKv>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        loop {
            // Registered before the look, so that what happens in between is not missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let spill = {
                let mut tables = self.tables();
                if !tables.has(followed) {
                    return Ok(());
                }
                match tables.room(followed.table, self.room) {
                    Room::Yes => {
                        tables.put(followed.table, rows);
                        break;
                    }
                    Room::Later => false,
                    Room::Spill => true,
                }
            };
            match spill {
                true => self.spill().await?,
                false => freed.await,
            }
        }
        self.changed();
        Ok(())
    }

    /// Adds rows of the transaction that is being taken, whether or not there is room, and makes room then.
    pub(super) async fn put_back(
        self: &Arc<Self>,
        table: TableId,
        rows: Vec<RawKv>,
    ) -> Result<(), Error> {
        let full = {
            let mut tables = self.tables();
            tables.put(table, rows);
            tables.used() >= self.room
        };
        match full {
            true => self.spill().await,
            false => Ok(()),
        }
    }

    /// What has to go to disk if there still is no room; answered under the lock of the store.
    pub(super) fn load(&self) -> Option<Load> {
        let mut tables = self.tables();
        if tables.used() < self.room {
            return None;
        }
        let load = tables.load();
        drop(tables);
        self.freed.notify_waiters();
        load
    }

    /// So many bytes have been written.
    pub(super) fn written(&self, bytes: usize) {
        self.tables().writing -= bytes;
        self.freed.notify_waiters();
    }

    /// A table is complete up to `ts`.
    pub(super) fn resolve(&self, followed: Followed, ts: Ts) {
        let mut tables = self.tables();
        if tables.has(followed)
            && let Some(table) = tables.all.get_mut(&followed.table)
        {
            table.resolve(ts);
            tables.starved &= table.next(Ts::MAX).is_none();
        }
        drop(tables);
        self.changed();
    }

    /// The feed of a table failed.
    pub(super) fn fail_feed(&self, followed: Followed, error: Error) {
        if self.tables().has(followed) {
            self.fail(error);
        }
    }

    /// The reader will hear of it with its next call.
    pub(super) fn fail(&self, error: Error) {
        self.tables().failed.get_or_insert(error);
        self.changed();
    }

    /// See [`Sorter::take`](super::Sorter::take).
    pub(super) async fn take(
        self: &Arc<Self>,
        limit: impl Fn(TableId) -> Ts,
        max_bytes: usize,
    ) -> Result<Taken, Error> {
        let mut taking = Taking::default();
        loop {
            let step = {
                let mut tables = self.tables();
                if let Some(error) = &tables.failed {
                    return Err(error.clone());
                }
                let step = tables.take(&limit, max_bytes, &mut taking);
                if matches!(step, Step::Done) {
                    tables.starved = taking.taken.rows.is_empty();
                }
                step
            };
            match step {
                Step::Read(unread) => self.read(unread).await?,
                Step::Done => break,
            }
        }
        self.freed.notify_waiters();
        if self.tables().spilled_for_nothing() {
            self.clear().await?;
        }
        Ok(taking.taken)
    }

    /// Whether nothing of use is on disk; nothing will be taken for it from then on. Asked under the lock of the store.
    pub(super) fn nothing_spilled(&self) -> bool {
        let mut tables = self.tables();
        let nothing = tables.spilled_for_nothing();
        if nothing {
            tables.spilled = false;
            tables.gone.clear();
        }
        nothing
    }

    /// What to read of tables that still have to be read.
    pub(super) fn errand(&self, tables: &[TableId]) -> Errand {
        let mut state = self.tables();
        let cursor = |id: &TableId| Some((*id, state.all.get(id)?.cursor()?));
        let cursors = tables.iter().filter_map(cursor).collect();
        Errand {
            cursors,
            on_disk: state.all.values().filter(|table| table.on_disk()).count(),
            gone: std::mem::take(&mut state.gone),
        }
    }

    /// Takes in what was read.
    pub(super) fn was_read(&self, parts: Vec<Part>) {
        let mut tables = self.tables();
        for part in parts {
            if let Some(table) = tables.all.get_mut(&part.table)
                && table.number() == part.number
            {
                let more = table.read(part.rows, part.all);
                tables.held += more;
            }
        }
    }

    /// The timestamp up to which all tables are complete.
    pub(super) fn resolved_ts(&self) -> Option<Ts> {
        self.tables().all.values().map(Table::resolved_ts).min()
    }

    /// The timestamp up to which a table is complete.
    pub(super) fn table_resolved_ts(&self, table: TableId) -> Option<Ts> {
        self.tables().all.get(&table).map(Table::resolved_ts)
    }

    /// Bytes in memory.
    pub(super) fn held(&self) -> usize {
        self.tables().used()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What feeds and the reader of a sorter share.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use super::{Error, TableId, table::Table};
use crate::model::{RawKv, Ts};

/// All tables of one sorter.
#[derive(Debug)]
pub(super) struct State {
    quota: usize,
    tables: Mutex<Tables>,
    /// Rows were taken or became takeable: feeds that wait for room look again.
    room: Notify,
    /// Counts what happened, for the reader.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Tables {
    all: BTreeMap<TableId, Table>,
    held: usize,
    /// The reader found nothing to take within its limits, and nothing has become complete since.
    starved: bool,
    failed: Option<Error>,
}

/// Whether a feed may hand over.
enum Room {
    Yes,
    Later,
    Never(Error),
}

impl State {
    /// No tables yet; the receiver hears of every change.
    pub(super) fn new(quota: usize) -> (Arc<Self>, watch::Receiver<u64>) {
        let (changes, heard) = watch::channel(0);
        (
            Arc::new(Self {
                quota,
                tables: Mutex::default(),
                room: Notify::new(),
                changes,
            }),
            heard,
        )
    }

    /// Adds a table; false if it is there already.
    pub(super) fn add(&self, table: TableId, start_ts: Ts) -> bool {
        let mut tables = self.tables();
        let new = !tables.all.contains_key(&table);
        if new {
            tables.all.insert(table, Table::new(start_ts));
        }
        new
    }

    /// Drops a table and its rows.
    pub(super) fn remove(&self, table: TableId) {
        let mut tables = self.tables();
        if let Some(removed) = tables.all.remove(&table) {
            tables.held -= removed.held();
        }
        drop(tables);
        self.room.notify_waiters();
        self.changed();
    }

    /// Adds rows of a table as soon as there is room. Rows of a table that was removed are nobody's.
    pub(super) async fn put(&self, table: TableId, rows: Vec<RawKv>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        loop {
            // Registered before the look, so that what happens in between is not missed.
            let mut freed = std::pin::pin!(self.room.notified());
            freed.as_mut().enable();
            {
                let mut tables = self.tables();
                match tables.room(table, self.quota) {
                    Room::Yes => {
                        let more = tables
                            .all
                            .get_mut(&table)
                            .map_or(0, |table| table.put(rows));
                        tables.held += more;
                        break;
                    }
                    Room::Later => {}
                    Room::Never(error) => return Err(error),
                }
            }
            freed.await;
        }
        self.changed();
        Ok(())
    }

    /// A table is complete up to `ts`.
    pub(super) fn resolve(&self, table: TableId, ts: Ts) {
        let mut tables = self.tables();
        if let Some(table) = tables.all.get_mut(&table) {
            table.resolve(ts);
            tables.starved &= table.next(Ts::MAX).is_none();
        }
        drop(tables);
        self.changed();
    }

    /// The reader will hear of it with its next call.
    pub(super) fn fail(&self, error: Error) {
        self.tables().failed.get_or_insert(error);
        self.changed();
    }

    /// See [`Sorter::take`](super::Sorter::take).
    pub(super) fn take(
        &self,
        limit: impl Fn(TableId) -> Ts,
        max_bytes: usize,
    ) -> Result<Vec<(TableId, RawKv)>, Error> {
        let mut tables = self.tables();
        if let Some(error) = &tables.failed {
            return Err(error.clone());
        }
        let taken = tables.take(limit, max_bytes);
        tables.starved = taken.is_empty();
        drop(tables);
        self.room.notify_waiters();
        Ok(taken)
    }

    /// The timestamp up to which all tables are complete.
    pub(super) fn resolved_ts(&self) -> Option<Ts> {
        self.tables().all.values().map(Table::resolved_ts).min()
    }

    /// The timestamp up to which a table is complete.
    pub(super) fn table_resolved_ts(&self, table: TableId) -> Option<Ts> {
        self.tables().all.get(&table).map(Table::resolved_ts)
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.tables().held
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Whether rows of `table` may come in: always below half the quota. Above it they wait for what can be taken to be
    /// taken. If nothing can, because the tables are not complete or the reader wants them to be complete together, those
    /// of the table that is furthest behind still come in, up to the quota, and with them the resolved-ts behind them.
    fn room(&self, table: TableId, quota: usize) -> Room {
        let takeable = |table: &Table| table.next(Ts::MAX).is_some();
        let Some(asking) = self.all.get(&table).filter(|_| self.held >= quota / 2) else {
            return Room::Yes;
        };
        let any = self.all.values().any(takeable);
        let ahead = self
            .all
            .values()
            .any(|other| other.resolved_ts() < asking.resolved_ts());
        if takeable(asking) || (any && (ahead || !self.starved)) {
            return Room::Later;
        }
        if self.held < quota {
            return Room::Yes;
        }
        Room::Never(Error::Quota {
            table,
            resolved_ts: asking.resolved_ts(),
            held: self.held,
            quota,
        })
    }

    /// Merges the tables by transaction, so that the order does not depend on which table is asked first.
    fn take(&mut self, limit: impl Fn(TableId) -> Ts, max_bytes: usize) -> Vec<(TableId, RawKv)> {
        let ranked =
            |(id, table): (&TableId, &Table)| Some(Reverse((table.next(limit(*id))?, *id)));
        let mut next: BinaryHeap<_> = self.all.iter().filter_map(ranked).collect();
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(Reverse((rank, id))) = next.pop() {
            let Some(table) = self.all.get_mut(&id) else {
                continue;
            };
            bytes += table.take_transaction(rank, |row| taken.push((id, row)));
            next.extend(table.next(limit(id)).map(|rank| Reverse((rank, id))));
            if bytes >= max_bytes {
                break;
            }
        }
        self.held -= bytes;
        taken
    }
}

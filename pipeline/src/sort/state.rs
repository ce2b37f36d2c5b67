//! What feeds and the reader of a sorter share.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use super::{
    Error, TableId, Taken,
    folder::Place,
    spill::Disk,
    store::Cursor,
    table::{Ended, Rank, Rows, Table},
};
use crate::model::{RawKv, Ts};

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

#[derive(Debug, Default)]
struct Tables {
    all: BTreeMap<TableId, Table>,
    /// Tables there have been.
    count: u64,
    /// Numbers of tables that are gone and may have rows on disk.
    gone: Vec<u64>,
    /// Bytes in memory, without `writing`.
    held: usize,
    /// Bytes that are being written to disk.
    writing: usize,
    /// Whether something may be on disk.
    spilled: bool,
    /// The transaction that was cut when rows were last taken.
    cut: Option<(TableId, Rank)>,
    /// The reader found nothing to take within its limits, and nothing has become complete since.
    starved: bool,
    failed: Option<Error>,
}

/// Whether a feed may hand over.
enum Room {
    Yes,
    Later,
    /// When something has gone to disk.
    Spill,
}

/// What has to go to disk.
#[derive(Debug)]
pub(super) struct Load {
    /// By number of the table.
    pub(super) rows: Vec<(u64, Rows)>,
    /// Numbers whose rows are not needed any more.
    pub(super) gone: Vec<u64>,
    /// Bytes of the rows, in memory until they are written.
    pub(super) bytes: usize,
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

/// How far a step of taking came.
enum Step {
    Done,
    /// These tables have to be read first.
    Read(Vec<TableId>),
}

impl State {
    /// No tables yet; the receiver hears of every change.
    pub(super) fn new(quota: usize, place: Place) -> (Arc<Self>, watch::Receiver<u64>) {
        let (changes, heard) = watch::channel(0);
        (
            Arc::new(Self {
                room: quota / 2,
                tables: Mutex::default(),
                disk: Disk::new(quota, place),
                freed: Notify::new(),
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
            tables.count += 1;
            let number = tables.count;
            tables.all.insert(table, Table::new(number, start_ts));
        }
        new
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
        table: TableId,
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
                match tables.room(table, self.room) {
                    Room::Yes => {
                        tables.put(table, rows);
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

/// What is being taken.
#[derive(Debug, Default)]
struct Taking {
    taken: Taken,
    bytes: usize,
    /// A transaction that was begun, with its bytes so far.
    open: Option<(TableId, Rank, usize)>,
    begun: bool,
}

impl Tables {
    /// Bytes in memory.
    fn used(&self) -> usize {
        self.held + self.writing
    }

    /// Whether nothing that is on disk is needed.
    fn spilled_for_nothing(&self) -> bool {
        self.spilled && !self.all.values().any(Table::on_disk)
    }

    fn put(&mut self, table: TableId, rows: Vec<RawKv>) {
        let more = self.all.get_mut(&table).map_or(0, |table| table.put(rows));
        self.held += more;
    }

    /// Whether rows of `table` may come in: always as long as there is `room`. Above it they wait for what can be taken to
    /// be taken. If nothing can, because the tables are not complete or the reader wants them to be complete together,
    /// those of the table that is furthest behind still come in, and with them the resolved-ts behind them; others go to
    /// disk for them.
    fn room(&self, table: TableId, room: usize) -> Room {
        let takeable = |table: &Table| table.next(Ts::MAX).is_some();
        let Some(asking) = self.all.get(&table).filter(|_| self.used() >= room) else {
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
        let spillable = |table: &Table| table.spillable() > 0;
        match self.writing > 0 || self.all.values().any(spillable) {
            true => Room::Spill,
            false => Room::Yes,
        }
    }

    /// Rows for the disk: of the tables that hold most, most of what can be spared.
    fn load(&mut self) -> Option<Load> {
        let mut largest: Vec<(usize, TableId)> = self
            .all
            .iter()
            .map(|(id, table)| (table.spillable(), *id))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        largest.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
        let enough = largest.iter().map(|(bytes, _)| bytes).sum::<usize>() / 4 * 3;
        let mut load = Load {
            rows: Vec::new(),
            gone: std::mem::take(&mut self.gone),
            bytes: 0,
        };
        for (_, id) in largest {
            if load.bytes > enough {
                break;
            }
            if let Some(table) = self.all.get_mut(&id) {
                let (rows, written, dropped) = table.spill();
                load.rows.push((table.number(), rows));
                load.bytes += written;
                self.held -= written + dropped;
            }
        }
        self.writing += load.bytes;
        self.spilled |= !load.rows.is_empty();
        (!load.rows.is_empty()).then_some(load)
    }

    /// Merges the tables by transaction, so that the order does not depend on which table is asked first.
    fn take(
        &mut self,
        limit: &impl Fn(TableId) -> Ts,
        max_bytes: usize,
        taking: &mut Taking,
    ) -> Step {
        if !std::mem::replace(&mut taking.begun, true)
            && let Some((id, rank)) = self.cut.take()
        {
            // The rest of a transaction goes alone: more of it may be put back.
            taking.taken.continues = true;
            taking.open = Some((id, rank, 0));
        }
        if let Some((id, rank, bytes)) = taking.open.take() {
            let ended = self.take_transaction(id, rank, bytes, max_bytes, taking);
            match ended {
                Ended::Unread => return Step::Read(vec![id]),
                Ended::Cut => return Step::Done,
                // Nothing was left of it.
                Ended::Whole if taking.taken.rows.is_empty() => taking.taken.continues = false,
                Ended::Whole if taking.taken.continues => return Step::Done,
                Ended::Whole => {}
            }
        }
        let unread = |(id, table): (&TableId, &Table)| table.unread(limit(*id)).then_some(*id);
        let unread: Vec<_> = self.all.iter().filter_map(unread).collect();
        if !unread.is_empty() {
            return Step::Read(unread);
        }
        let ranked =
            |(id, table): (&TableId, &Table)| Some(Reverse((table.next(limit(*id))?, *id)));
        let mut next: BinaryHeap<_> = self.all.iter().filter_map(ranked).collect();
        while taking.bytes < max_bytes
            && let Some(Reverse((rank, id))) = next.pop()
        {
            match self.take_transaction(id, rank, 0, max_bytes, taking) {
                Ended::Unread => return Step::Read(vec![id]),
                Ended::Cut => return Step::Done,
                Ended::Whole => {}
            }
            if let Some(table) = self.all.get(&id) {
                next.extend(table.next(limit(id)).map(|rank| Reverse((rank, id))));
            }
        }
        Step::Done
    }

    /// Takes rows of a transaction of which `before` bytes were taken already.
    fn take_transaction(
        &mut self,
        id: TableId,
        rank: Rank,
        before: usize,
        max_bytes: usize,
        taking: &mut Taking,
    ) -> Ended {
        let Some(table) = self.all.get_mut(&id) else {
            return Ended::Whole;
        };
        let rows = &mut taking.taken.rows;
        let (freed, bytes, ended) =
            table.take_transaction(rank, max_bytes.saturating_sub(before), |row| {
                rows.push((id, row))
            });
        self.held -= freed;
        taking.bytes += bytes;
        match ended {
            Ended::Unread => taking.open = Some((id, rank, before + bytes)),
            Ended::Cut => {
                taking.taken.goes_on = true;
                self.cut = Some((id, rank));
            }
            Ended::Whole => {}
        }
        ended
    }
}

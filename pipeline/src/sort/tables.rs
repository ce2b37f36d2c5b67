//! All tables of a sorter: which rows may come in, which go to disk, which are next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{
    Error, TableId, Taken,
    state::Followed,
    table::{Ended, Rank, Rows, Table},
};
use crate::model::{RawKv, Ts};

/// The tables with what they hold together.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) all: BTreeMap<TableId, Table>,
    /// Tables there have been.
    pub(super) count: u64,
    /// Numbers of tables that are gone and may have rows on disk.
    pub(super) gone: Vec<u64>,
    /// Bytes in memory, without `writing`.
    pub(super) held: usize,
    /// Bytes that are being written to disk.
    pub(super) writing: usize,
    /// Whether something may be on disk.
    pub(super) spilled: bool,
    /// The transaction that was cut when rows were last taken.
    pub(super) cut: Option<(TableId, Rank)>,
    /// The reader found nothing to take within its limits, and nothing has become complete since.
    pub(super) starved: bool,
    pub(super) failed: Option<Error>,
}

/// Whether a feed may hand over.
pub(super) enum Room {
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

/// How far a step of taking came.
pub(super) enum Step {
    Done,
    /// These tables have to be read first.
    Read(Vec<TableId>),
}

/// What is being taken.
#[derive(Debug, Default)]
pub(super) struct Taking {
    pub(super) taken: Taken,
    bytes: usize,
    /// A transaction that was begun, with its bytes so far.
    open: Option<(TableId, Rank, usize)>,
    begun: bool,
}

impl Tables {
    /// Bytes in memory.
    pub(super) fn used(&self) -> usize {
        self.held + self.writing
    }

    /// Whether nothing that is on disk is needed.
    pub(super) fn spilled_for_nothing(&self) -> bool {
        self.spilled && !self.all.values().any(Table::on_disk)
    }

    /// Whether a table is still there, and not another one in its place.
    pub(super) fn has(&self, followed: Followed) -> bool {
        let table = self.all.get(&followed.table);
        table.is_some_and(|table| table.number() == followed.number)
    }

    pub(super) fn put(&mut self, table: TableId, rows: Vec<RawKv>) {
        let more = self.all.get_mut(&table).map_or(0, |table| table.put(rows));
        self.held += more;
    }

    /// Whether rows of `table` may come in: always as long as there is `room`. Above it they wait for what can be taken to
    /// be taken. If nothing can, because the tables are not complete or the reader wants them to be complete together,
    /// those of the table that is furthest behind still come in, and with them the resolved-ts behind them; others go to
    /// disk for them.
    pub(super) fn room(&self, table: TableId, room: usize) -> Room {
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
    pub(super) fn load(&mut self) -> Option<Load> {
        let mut largest: Vec<(usize, TableId)> = self
            .all
            .iter()
            .map(|(id, table)| (table.spillable(), *id))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        if largest.is_empty() {
            return None;
        }
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
        self.spilled = true;
        Some(load)
    }

    /// Merges the tables by transaction, so that the order does not depend on which table is asked first.
    pub(super) fn take(
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

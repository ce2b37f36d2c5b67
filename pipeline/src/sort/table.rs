//! The rows of one table that are not given out yet.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, VecDeque},
};

use super::store::{Cursor, Position};
use crate::model::{RawKv, Ts};

/// A row in the order of the sorter. What came twice is equal.
#[derive(Debug)]
struct Ordered(RawKv);

impl Ordered {
    fn rank(&self) -> (Ts, Ts, crate::model::ChangeKind, &[u8]) {
        (
            self.0.commit_ts,
            self.0.start_ts,
            self.0.kind(),
            &self.0.key,
        )
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

/// What is held of one table.
#[derive(Debug)]
pub(super) struct Table {
    /// Tells this time that the table is followed from others, on disk.
    number: u64,
    rows: BTreeSet<Ordered>,
    disk: Option<Disk>,
    /// The last row given out that was on disk; it and those before it may be there still.
    behind: Option<Position>,
    resolved_ts: Ts,
    /// Bytes in memory, what was read ahead included.
    held: usize,
}

/// Rows on disk.
#[derive(Debug)]
struct Disk {
    /// None of them comes before this.
    least: Rank,
    /// The first ones, read already; they are on disk all the same.
    ahead: VecDeque<Ordered>,
    /// Bytes of them.
    held: usize,
    /// Whether those are all.
    all: bool,
}

/// Where a row comes in the order of all tables.
pub(super) type Rank = (Ts, Ts);

/// How taking a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All of it was given out.
    Whole,
    /// As much as was asked for was given out, and there is more.
    Cut,
    /// What is next has to be read from disk.
    Unread,
}

fn rank_of(Ordered(row): &Ordered) -> Rank {
    (row.commit_ts, row.start_ts)
}

impl Table {
    /// A table that is complete up to `start_ts`.
    pub(super) fn new(number: u64, start_ts: Ts) -> Self {
        Self {
            number,
            rows: BTreeSet::new(),
            disk: None,
            behind: None,
            resolved_ts: start_ts,
            held: 0,
        }
    }

    /// Which time this is.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Adds rows, those that came before left out; answers by how many bytes more is held.
    pub(super) fn put(&mut self, rows: Vec<RawKv>) -> usize {
        let before = self.held;
        for row in rows {
            let size = row.size();
            if self.rows.insert(Ordered(row)) {
                self.held += size;
            }
        }
        self.held - before
    }

    /// The table is complete up to `ts`; it never is less complete than before.
    pub(super) fn resolve(&mut self, ts: Ts) {
        self.resolved_ts = self.resolved_ts.max(ts);
    }

    /// Complete up to here.
    pub(super) fn resolved_ts(&self) -> Ts {
        self.resolved_ts
    }

    /// Bytes held in memory.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether rows are on disk.
    pub(super) fn on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// The rank of the next row that can be given out up to `limit`, or a smaller one if that [has to be
    /// read](Self::unread).
    pub(super) fn next(&self, limit: Ts) -> Option<Rank> {
        let in_memory = self.rows.first().map(rank_of);
        let on_disk = self.disk.as_ref().map(|disk| disk.least);
        let first = match (in_memory, on_disk) {
            (Some(memory), Some(disk)) => memory.min(disk),
            (first, None) | (None, first) => first?,
        };
        (first.0 <= limit.min(self.resolved_ts)).then_some(first)
    }

    /// Whether rows have to be read from disk to tell which is next up to `limit`.
    pub(super) fn unread(&self, limit: Ts) -> bool {
        let limit = limit.min(self.resolved_ts);
        self.disk
            .as_ref()
            .is_some_and(|disk| disk.ahead.is_empty() && disk.least.0 <= limit)
    }

    /// Gives out rows of the next transaction that `next` told of: all, or about `max_bytes`. Answers how many bytes of
    /// memory went, and how many of them were given out.
    pub(super) fn take_transaction(
        &mut self,
        rank: Rank,
        max_bytes: usize,
        mut give: impl FnMut(RawKv),
    ) -> (usize, usize, Ended) {
        let before = self.held;
        let mut bytes = 0;
        let ended = loop {
            if self.disk.as_ref().is_some_and(|disk| disk.ahead.is_empty()) {
                break Ended::Unread;
            }
            let Some(next) = self.next_row().filter(|next| rank_of(next) == rank) else {
                break Ended::Whole;
            };
            if bytes >= max_bytes {
                break Ended::Cut;
            }
            bytes += next.0.size();
            if let Some(row) = self.pop() {
                give(row);
            }
        };
        (before - self.held, bytes, ended)
    }

    /// The first row in memory, read ahead or not.
    fn next_row(&self) -> Option<&Ordered> {
        let ahead = self.disk.as_ref().and_then(|disk| disk.ahead.front());
        match (self.rows.first(), ahead) {
            (Some(row), Some(ahead)) => Some(row.min(ahead)),
            (row, None) => row,
            (None, ahead) => ahead,
        }
    }

    /// Takes the first row in memory out, everywhere.
    fn pop(&mut self) -> Option<RawKv> {
        let Some(disk) = &mut self.disk else {
            let Ordered(row) = self.rows.pop_first()?;
            self.held -= row.size();
            return Some(row);
        };
        let order = match (self.rows.first(), disk.ahead.front()) {
            (Some(row), Some(ahead)) => row.cmp(ahead),
            (_, None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let mut popped = None;
        if order.is_le() {
            popped = self.rows.pop_first();
            self.held -= popped.as_ref().map_or(0, |row| row.0.size());
        }
        if order.is_ge()
            && let Some(row) = disk.ahead.pop_front()
        {
            self.held -= row.0.size();
            disk.held -= row.0.size();
            self.behind = Some(Position::from(&row.0));
            disk.least = rank_of(disk.ahead.front().unwrap_or(&row));
            if disk.ahead.is_empty() && disk.all {
                self.disk = None;
            }
            popped = Some(row);
        }
        popped.map(|Ordered(row)| row)
    }

    /// Bytes in memory that are not on disk too.
    pub(super) fn spillable(&self) -> usize {
        match self.rows.is_empty() {
            true => 0,
            false => self.held - self.disk.as_ref().map_or(0, |disk| disk.held),
        }
    }

    /// Gives the rows up to be written to disk; answers how many bytes of memory they are, and how many are not held any
    /// more for another reason.
    pub(super) fn spill(&mut self) -> (Rows, usize, usize) {
        let written = self.spillable();
        let rows = std::mem::take(&mut self.rows);
        let first = rows.first().map(rank_of);
        match (&mut self.disk, first) {
            (Some(disk), Some(first)) => {
                disk.least = disk.least.min(first);
                // What was read may not be the first any more.
                disk.ahead = VecDeque::new();
                disk.held = 0;
                disk.all = false;
            }
            (disk @ None, Some(least)) => {
                *disk = Some(Disk {
                    least,
                    ahead: VecDeque::new(),
                    held: 0,
                    all: false,
                });
            }
            (_, None) => {}
        }
        let before = self.held;
        self.held = self.disk.as_ref().map_or(0, |disk| disk.held);
        (Rows(rows), written, before - self.held - written)
    }

    /// From where on disk to read, if something has to be read.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.disk.as_ref().filter(|disk| disk.ahead.is_empty())?;
        Some(Cursor {
            number: self.number,
            behind: self.behind.clone(),
        })
    }

    /// Takes what was read from the [cursor](Self::cursor) on; answers by how many bytes more is held.
    pub(super) fn read(&mut self, rows: Vec<RawKv>, all: bool) -> usize {
        let Some(disk) = &mut self.disk else {
            return 0;
        };
        let more = rows.iter().map(RawKv::size).sum();
        disk.ahead = rows.into_iter().map(Ordered).collect();
        disk.held = more;
        disk.all = all;
        match disk.ahead.front() {
            Some(first) => disk.least = rank_of(first),
            None => self.disk = None,
        }
        self.held += more;
        more
    }
}

/// Rows of a table in order, each once.
#[derive(Debug)]
pub(super) struct Rows(BTreeSet<Ordered>);

impl Rows {
    /// The rows; the memory of each goes with it.
    pub(super) fn into_rows(self) -> impl Iterator<Item = RawKv> {
        self.0.into_iter().map(|Ordered(row)| row)
    }
}

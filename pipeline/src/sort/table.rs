//! The rows of one table that are not given out yet.

use std::{cmp::Ordering, collections::BTreeSet};

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
    rows: BTreeSet<Ordered>,
    resolved_ts: Ts,
    held: usize,
}

/// Where a row comes in the order of all tables.
pub(super) type Rank = (Ts, Ts);

impl Table {
    /// A table that is complete up to `start_ts`.
    pub(super) fn new(start_ts: Ts) -> Self {
        Self {
            rows: BTreeSet::new(),
            resolved_ts: start_ts,
            held: 0,
        }
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

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The rank of the next row that can be given out up to `limit`.
    pub(super) fn next(&self, limit: Ts) -> Option<Rank> {
        let Ordered(first) = self.rows.first()?;
        (first.commit_ts <= limit.min(self.resolved_ts))
            .then_some((first.commit_ts, first.start_ts))
    }

    /// Gives out the rows of the next transaction that `next` told of.
    pub(super) fn take_transaction(&mut self, rank: Rank, mut give: impl FnMut(RawKv)) -> usize {
        let before = self.held;
        while let Some(Ordered(row)) = self.rows.pop_first() {
            if (row.commit_ts, row.start_ts) != rank {
                self.rows.insert(Ordered(row));
                break;
            }
            self.held -= row.size();
            give(row);
        }
        before - self.held
    }
}

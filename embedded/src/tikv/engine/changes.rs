//! What one request writes, all of it or nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use proto::cdcpb::event::{LogType, Row, row::OpType};

use super::SHORT_VALUE;
use super::record::{Lock, LockKind, Write, WriteKind};
use crate::tikv::key;

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cf {
    Lock,
    Write,
    Default,
    Meta,
}

/// A row of the change feed and the key it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct FeedRow {
    /// Raw; the row of a commit without a change carries none itself.
    pub(crate) key: Bytes,
    pub(crate) row: Row,
}

/// Writes of one request, with what the change feed says of them.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// A value, or none for what is removed.
    pub(crate) records: BTreeMap<(Cf, Bytes), Option<Bytes>>,
    /// In the order of the request's keys.
    pub(crate) rows: Vec<FeedRow>,
    /// By key: the start-ts the resolved-ts has to wait for, or none when it no longer has to.
    pub(crate) tracked: BTreeMap<Bytes, Option<u64>>,
    /// Keys whose locks went, for those who wait.
    pub(crate) unlocked: Vec<Bytes>,
    /// A loss of power may take it back, with all that was written after it: it does not decide a transaction (whoever counts
    /// on a lock finds out by its commit, whose sync keeps all before it, too), or who asked has a way to get it back.
    pub(crate) unsynced: bool,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Roughly.
    pub(crate) fn bytes(&self) -> usize {
        let size = |((_, key), value): (&(Cf, Bytes), &Option<Bytes>)| {
            key.len() + value.as_ref().map_or(0, Bytes::len)
        };
        self.records.iter().map(size).sum()
    }

    pub(crate) fn put(&mut self, cf: Cf, key: Bytes, value: Bytes) {
        self.records.insert((cf, key), Some(value));
    }

    pub(crate) fn remove(&mut self, cf: Cf, key: Bytes) {
        self.records.insert((cf, key), None);
    }

    /// Sets or replaces a lock.
    pub(crate) fn lock(&mut self, key: &Bytes, lock: &Lock) {
        self.put(Cf::Lock, key.clone(), lock.encode_to_vec().into());
        let waits_for = lock.is_change().then_some(lock.start_ts);
        self.tracked.insert(key.clone(), waits_for);
    }

    /// Sets a lock for a change and tells the feed.
    pub(crate) fn prewrite(&mut self, key: &Bytes, lock: &Lock, value: Bytes, old: Option<Bytes>) {
        self.lock(key, lock);
        if lock.is_change() {
            self.rows.push(FeedRow {
                key: key.clone(),
                row: Row {
                    start_ts: lock.start_ts,
                    r#type: LogType::Prewrite.into(),
                    op_type: op_of_lock(lock.kind()).into(),
                    key: key.clone(),
                    value,
                    old_value: old.unwrap_or_default(),
                    txn_source: lock.txn_source,
                    ..Row::default()
                },
            });
        }
    }

    /// Removes a lock.
    pub(crate) fn unlock(&mut self, key: &Bytes) {
        self.remove(Cf::Lock, key.clone());
        self.tracked.insert(key.clone(), None);
        self.unlocked.push(key.clone());
    }

    /// Where a value goes that may be too long for the records: gives what goes into them.
    pub(crate) fn value(&mut self, key: &Bytes, start_ts: u64, value: &Bytes) -> Option<Bytes> {
        if value.len() <= SHORT_VALUE {
            return Some(value.clone());
        }
        self.put(Cf::Default, key::versioned(key, start_ts), value.clone());
        None
    }

    pub(crate) fn write(&mut self, key: &Bytes, ts: u64, write: &Write) {
        self.put(
            Cf::Write,
            key::versioned(key, ts),
            write.encode_to_vec().into(),
        );
    }

    /// A commit record, and what the feed says of it.
    pub(crate) fn commit(&mut self, key: &Bytes, commit_ts: u64, write: &Write) {
        self.write(key, commit_ts, write);
        let row = match write.kind() {
            WriteKind::Put | WriteKind::Delete => Row {
                start_ts: write.start_ts,
                commit_ts,
                r#type: LogType::Commit.into(),
                op_type: op_of_write(write.kind()).into(),
                key: key.clone(),
                value: write.short_value.clone().unwrap_or_default(),
                txn_source: write.txn_source,
                ..Row::default()
            },
            // TiKV sends an empty row for the commit of a key that was only locked (golden/tikv-feed, 01).
            WriteKind::Lock | WriteKind::Rollback => Row::default(),
        };
        self.rows.push(FeedRow {
            key: key.clone(),
            row,
        });
    }

    /// A commit in one phase, and what the feed says of it.
    pub(crate) fn commit_at_once(
        &mut self,
        key: &Bytes,
        commit_ts: u64,
        write: &Write,
        value: Bytes,
        old: Option<Bytes>,
    ) {
        self.write(key, commit_ts, write);
        let row = if write.is_version() {
            committed_row(
                key.clone(),
                commit_ts,
                write,
                value,
                old.unwrap_or_default(),
            )
        } else {
            Row::default()
        };
        self.rows.push(FeedRow {
            key: key.clone(),
            row,
        });
    }

    /// What the feed says of a rollback: the value is TiKV's own mark of a protected one (golden/tikv-feed, 05).
    pub(crate) fn rolled_back(&mut self, key: &Bytes, start_ts: u64, marked: bool) {
        self.rows.push(FeedRow {
            key: key.clone(),
            row: Row {
                start_ts,
                r#type: LogType::Rollback.into(),
                key: key.clone(),
                value: Bytes::from_static(if marked { b"p" } else { b"" }),
                ..Row::default()
            },
        });
    }
}

/// The row of a version that is complete in itself.
pub(crate) fn committed_row(
    key: Bytes,
    commit_ts: u64,
    write: &Write,
    value: Bytes,
    old_value: Bytes,
) -> Row {
    Row {
        start_ts: write.start_ts,
        commit_ts,
        r#type: LogType::Committed.into(),
        op_type: op_of_write(write.kind()).into(),
        key,
        value,
        old_value,
        txn_source: write.txn_source,
        ..Row::default()
    }
}

pub(crate) fn op_of_lock(kind: LockKind) -> OpType {
    match kind {
        LockKind::Put => OpType::Put,
        LockKind::Delete => OpType::Delete,
        LockKind::Lock | LockKind::Pessimistic => OpType::Unknown,
    }
}

fn op_of_write(kind: WriteKind) -> OpType {
    match kind {
        WriteKind::Put => OpType::Put,
        WriteKind::Delete => OpType::Delete,
        WriteKind::Lock | WriteKind::Rollback => OpType::Unknown,
    }
}

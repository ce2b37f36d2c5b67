//! Memory for what stores told of transactions that are open.
//!
//! The rows of a transaction come with its locks and count for nothing until it commits, however large it is. Meanwhile its
//! regions get no further anyway: a store tells no resolved-ts above the start-ts of a lock. So a region with more open rows
//! than there is room for is left to its store, and asked for again when the transaction is decided: then the scan
//! brings what was committed, and nothing has to wait here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proto::cdcpb::event::Row;

use crate::{
    model::{Span, Ts},
    upstream::kv::Kv,
};

/// What a row takes besides its own bytes.
const OVERHEAD: usize = 160;
/// A region is not left for less than this, unless there is hardly any room.
const LEAST: usize = 64 << 10;
/// How often a transaction that is waited for is asked about.
const PACE: Duration = Duration::from_millis(250);

/// The room of one changefeed, shared by its subscriptions. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::upstream) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    used: AtomicUsize,
}

impl Room {
    /// Room for `limit` bytes.
    pub(in crate::upstream) fn new(limit: usize) -> Self {
        let used = AtomicUsize::new(0);
        Self(Arc::new(Inner { limit, used }))
    }

    /// Bytes in use.
    pub(in crate::upstream) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Whether it is full, and a region with `held` bytes of it would be missed.
    pub(super) fn wants_back(&self, held: usize) -> bool {
        self.used() > self.0.limit && held >= LEAST.min(self.0.limit / 4)
    }

    /// A part of it that is empty yet.
    pub(super) fn part(&self) -> Part {
        Part {
            room: self.clone(),
            held: 0,
        }
    }
}

/// What one registration takes of the room.
#[derive(Debug)]
pub(super) struct Part {
    room: Room,
    held: usize,
}

impl Part {
    /// Bytes taken.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.held += bytes;
        self.room.0.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give(&mut self, bytes: usize) {
        self.held -= bytes;
        self.room.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.give(self.held);
    }
}

/// Bytes of memory that a row of these parts takes.
pub(super) fn size(key: &[u8], value: &[u8], old_value: &[u8]) -> usize {
    key.len() + value.len() + old_value.len() + OVERHEAD
}

/// The same of a whole row.
pub(super) fn size_of(row: &Row) -> usize {
    size(&row.key, &row.value, &row.old_value)
}

/// Waits until `span` (memcomparable-encoded) has no lock any more of the transaction that began at `start_ts`, or of one
/// before it: one key without a lock says that the transaction is decided, but a scan would meet all its other locks again.
/// Locks that nobody comes back for are resolved.
pub(super) async fn decided(kv: &Kv, span: &Span, start_ts: Ts) {
    loop {
        match kv.resolve_first_locks_in(span, start_ts).await {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => tracing::debug!(%error, "a transaction is waited for"),
        }
        tokio::time::sleep(PACE).await;
    }
}

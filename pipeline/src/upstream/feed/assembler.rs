//! Committed rows out of one region's events (`spec/tikv-cdc-protocol.md §2`, outranked by `golden/tikv-feed`).
//!
//! A store tells of a transaction in pieces: the value with the lock (PREWRITE), the commit-ts later (COMMIT, which has
//! the value only if it is short). A registration begins with a scan of what was committed (COMMITTED) and locked
//! (PREWRITE) at some moment, ended by INITIALIZED; live rows come in between in any order.

use std::collections::{HashMap, hash_map::Entry};

use bytes::Bytes;
use proto::cdcpb::event::{LogType, Row, row::OpType};

use super::open::{self, Part};
use crate::{
    model::{Op, RawKv, Span, Ts},
    upstream::keys,
};

/// What a region's events must never hold. The region is asked for again, or the changefeed stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssemblyError {
    /// A commit whose prewrite was never sent, after the scan has ended: something is missing.
    #[error("a commit of key {} (start-ts {start_ts}, commit-ts {commit_ts}) came without its prewrite", hex::encode(.key))]
    PrewriteMissing {
        key: Bytes,
        start_ts: Ts,
        commit_ts: Ts,
    },
    /// A row that had to come before a resolved-ts that was sent already.
    #[error(
        "key {} was committed at {commit_ts} (start-ts {start_ts}), which is not above the region's resolved-ts {resolved_ts}",
        hex::encode(.key)
    )]
    BelowResolved {
        key: Bytes,
        start_ts: Ts,
        commit_ts: Ts,
        resolved_ts: Ts,
    },
    /// A row that no store of a known version sends.
    #[error("a row of key {} (start-ts {start_ts}, commit-ts {commit_ts}) cannot be read: {what}", hex::encode(.key))]
    Malformed {
        key: Bytes,
        start_ts: Ts,
        commit_ts: Ts,
        what: &'static str,
    },
}

impl AssemblyError {
    /// Whether asking for the region again can heal it.
    pub(crate) fn heals_by_rescan(&self) -> bool {
        matches!(self, Self::PrewriteMissing { .. })
    }
}

/// What a lock carried.
#[derive(Debug)]
struct Prewrite {
    value: Bytes,
    old_value: Bytes,
    generation: u64,
}

impl Prewrite {
    /// Bytes of memory that it takes, with its key.
    fn bytes(&self, key: &[u8]) -> usize {
        open::size(key, &self.value, &self.old_value)
    }
}

/// The state of one registration: a region, or the part of it that is asked for.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// Memcomparable-encoded; rows outside are dropped, for stores older than 7.0 send the whole region's.
    range: Span,
    /// Commits up to here are not wanted by the subscription.
    start_ts: Ts,
    /// Complete up to here.
    resolved_ts: Ts,
    initialized: bool,
    prewrites: HashMap<(Ts, Bytes), Prewrite>,
    /// What these take of the changefeed's memory.
    part: Part,
    /// Commits and rollbacks that came before INITIALIZED and whose lock the scan may still bring.
    early_commits: Vec<Row>,
    early_rollbacks: Vec<(Ts, Bytes)>,
}

impl Assembler {
    /// A registration of `range` (memcomparable-encoded) from `checkpoint_ts`, within a subscription that wants commits
    /// above `start_ts`.
    pub(super) fn new(range: Span, start_ts: Ts, checkpoint_ts: Ts, part: Part) -> Self {
        Self {
            range,
            start_ts,
            resolved_ts: checkpoint_ts,
            initialized: false,
            prewrites: HashMap::new(),
            part,
            early_commits: Vec::new(),
            early_rollbacks: Vec::new(),
        }
    }

    /// Whether the scan has ended.
    pub(crate) fn initialized(&self) -> bool {
        self.initialized
    }

    /// Everything up to here was handed out.
    pub(crate) fn resolved_ts(&self) -> Ts {
        self.resolved_ts
    }

    /// The range asked for, memcomparable-encoded.
    pub(crate) fn range(&self) -> &Span {
        &self.range
    }

    /// Bytes of memory that rows of open transactions take.
    pub(super) fn open_bytes(&self) -> usize {
        self.part.held()
    }

    /// The start-ts of the open transaction with most of them, of the latest of equals.
    pub(super) fn largest_open(&self) -> Option<Ts> {
        let mut counts: HashMap<Ts, usize> = HashMap::new();
        for (start_ts, _) in self.prewrites.keys() {
            *counts.entry(*start_ts).or_default() += 1;
        }
        let largest = counts.into_iter().max_by_key(|(ts, count)| (*count, *ts));
        largest.map(|(start_ts, _)| start_ts)
    }

    /// Takes the rows of one event and appends what is committed by them to `out`.
    pub(crate) fn rows(
        &mut self,
        rows: Vec<Row>,
        out: &mut Vec<RawKv>,
    ) -> Result<(), AssemblyError> {
        rows.into_iter().try_for_each(|row| self.row(row, out))
    }

    /// Takes a resolved-ts and gives it back if the registration is complete further than before: none counts before
    /// the scan has ended, and one that goes back (an open lock older than the checkpoint) is no news.
    pub(crate) fn resolve(&mut self, ts: Ts) -> Option<Ts> {
        let news = self.initialized && ts > self.resolved_ts;
        news.then(|| {
            self.resolved_ts = ts;
            ts
        })
    }

    fn row(&mut self, row: Row, out: &mut Vec<RawKv>) -> Result<(), AssemblyError> {
        let Ok(kind) = LogType::try_from(row.r#type) else {
            return Err(malformed(&row, "its type is unknown"));
        };
        match kind {
            LogType::Initialized => return self.initialize(out),
            // The commit of a SELECT … FOR UPDATE: every field is zero.
            LogType::Unknown if row.key.is_empty() => return Ok(()),
            LogType::Unknown => return Err(malformed(&row, "it has no type")),
            _ if !keys::encoded_span_contains(&self.range, &row.key) => return Ok(()),
            _ => {}
        }
        match kind {
            LogType::Prewrite => self.prewrite(row),
            LogType::Commit => return self.commit(row, out),
            LogType::Committed => {
                out.extend(self.checked(&row, row.value.clone(), row.old_value.clone())?);
            }
            LogType::Rollback if self.initialized => {
                self.forget(&(row.start_ts, row.key));
            }
            // Its value, if any, is the store's own mark of a protected rollback.
            LogType::Rollback => {
                self.part.take(open::size(&row.key, &[], &[]));
                self.early_rollbacks.push((row.start_ts, row.key));
            }
            LogType::Initialized | LogType::Unknown => {}
        }
        Ok(())
    }

    /// A lock may be told of again: by the scan, when it is rewritten, or as a heartbeat without its value.
    fn prewrite(&mut self, row: Row) {
        let new = Prewrite {
            value: row.value,
            old_value: row.old_value,
            generation: row.generation,
        };
        let bytes = new.bytes(&row.key);
        match self.prewrites.entry((row.start_ts, row.key)) {
            Entry::Occupied(mut known) => {
                if !new.value.is_empty() && new.generation >= known.get().generation {
                    self.part.give(known.get().bytes(&known.key().1));
                    self.part.take(bytes);
                    known.insert(new);
                }
            }
            Entry::Vacant(vacant) => {
                self.part.take(bytes);
                vacant.insert(new);
            }
        }
    }

    fn commit(&mut self, row: Row, out: &mut Vec<RawKv>) -> Result<(), AssemblyError> {
        match self.take_prewrite(&row) {
            Some(prewrite) => out.extend(self.checked(&row, prewrite.value, prewrite.old_value)?),
            None if !self.initialized => {
                self.part.take(open::size_of(&row));
                self.early_commits.push(row);
            }
            None => {
                let Row {
                    key,
                    start_ts,
                    commit_ts,
                    ..
                } = row;
                return Err(AssemblyError::PrewriteMissing {
                    key,
                    start_ts,
                    commit_ts,
                });
            }
        }
        Ok(())
    }

    /// The prewrite that `commit` ends. While the scan runs, one without value (a delete, or the heartbeat of a lock
    /// whose value is still to come) or of a later generation is not yet certain to be the last.
    fn take_prewrite(&mut self, commit: &Row) -> Option<Prewrite> {
        let id = (commit.start_ts, commit.key.clone());
        let known = self.prewrites.get(&id)?;
        let certain = self.initialized || (!known.value.is_empty() && known.generation == 0);
        if certain { self.forget(&id) } else { None }
    }

    fn forget(&mut self, id: &(Ts, Bytes)) -> Option<Prewrite> {
        let prewrite = self.prewrites.remove(id)?;
        self.part.give(prewrite.bytes(&id.1));
        Some(prewrite)
    }

    /// The scan has ended: what came too early finds its lock now, or the scan itself brought the committed version.
    fn initialize(&mut self, out: &mut Vec<RawKv>) -> Result<(), AssemblyError> {
        self.initialized = true;
        for row in std::mem::take(&mut self.early_commits) {
            self.part.give(open::size_of(&row));
            match self.take_prewrite(&row) {
                Some(prewrite) => {
                    out.extend(self.checked(&row, prewrite.value, prewrite.old_value)?)
                }
                None => tracing::debug!(
                    key = hex::encode(&row.key),
                    start_ts = row.start_ts,
                    commit_ts = row.commit_ts,
                    "a commit came before its scan, which brought it as committed"
                ),
            }
        }
        for id in std::mem::take(&mut self.early_rollbacks) {
            self.part.give(open::size(&id.1, &[], &[]));
            self.forget(&id);
        }
        Ok(())
    }

    /// The committed version, unless it is older than what the subscription wants.
    fn checked(
        &self,
        row: &Row,
        value: Bytes,
        old_value: Bytes,
    ) -> Result<Option<RawKv>, AssemblyError> {
        let op = match OpType::try_from(row.op_type) {
            Ok(OpType::Put) => Op::Put,
            Ok(OpType::Delete) => Op::Delete,
            _ => return Err(malformed(row, "it is neither put nor delete")),
        };
        if row.commit_ts <= row.start_ts {
            return Err(malformed(row, "its commit-ts is not above its start-ts"));
        }
        if row.commit_ts <= self.start_ts {
            return Ok(None);
        }
        let (key, start_ts, commit_ts) = (row.key.clone(), row.start_ts, row.commit_ts);
        if commit_ts <= self.resolved_ts {
            return Err(AssemblyError::BelowResolved {
                key,
                start_ts,
                commit_ts,
                resolved_ts: self.resolved_ts,
            });
        }
        Ok(Some(RawKv {
            op,
            key,
            value,
            old_value,
            start_ts,
            commit_ts,
        }))
    }
}

/// Reports a row that cannot be read.
fn malformed(row: &Row, what: &'static str) -> AssemblyError {
    AssemblyError::Malformed {
        key: row.key.clone(),
        start_ts: row.start_ts,
        commit_ts: row.commit_ts,
        what,
    }
}

#[cfg(test)]
mod tests;

//! Reading versions at a point in time.

use std::ops::Bound;

use bytes::Bytes;
use fjall::{Guard, Readable as _, Slice, Snapshot};

use super::{EngineError, Lock, Trees, Write, WriteKind};
use crate::tikv::key::{self, Range};

/// A consistent view of what was on disk when it was made.
pub(crate) struct Reader {
    trees: Trees,
    snapshot: Snapshot,
}

/// What became of a transaction on a key.
#[derive(Debug, PartialEq)]
pub(crate) enum TxnRecord {
    /// It was committed at this timestamp.
    Committed(u64, Write),
    /// It was rolled back.
    RolledBack,
    /// Nothing is known; with the record of another transaction that was committed at just its start-ts.
    None(Option<Write>),
}

impl Reader {
    pub(super) fn new(trees: &Trees) -> Self {
        Self {
            snapshot: trees.db.snapshot(),
            trees: trees.clone(),
        }
    }

    /// The lock of a key.
    pub(crate) fn lock(&self, raw: &[u8]) -> Result<Option<Lock>, EngineError> {
        match self.snapshot.get(&self.trees.lock, raw)? {
            Some(value) => Ok(Some(decode("lock", raw, value)?)),
            None => Ok(None),
        }
    }

    /// Locks of a range, in key order.
    pub(crate) fn locks(
        &self,
        range: &Range,
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, Lock), EngineError>> + Send + use<> {
        self.snapshot
            .range::<&[u8], _>(&self.trees.lock, bounds(&range.start, &range.end))
            .map(|guard| {
                let (key, value) = guard.into_inner()?;
                let lock = decode("lock", &key, value)?;
                Ok((Bytes::from(key), lock))
            })
    }

    /// The write record of exactly this commit-ts.
    pub(crate) fn write_at(&self, raw: &[u8], ts: u64) -> Result<Option<Write>, EngineError> {
        match self
            .snapshot
            .get(&self.trees.write, key::versioned(raw, ts))?
        {
            Some(value) => Ok(Some(decode("write", raw, value)?)),
            None => Ok(None),
        }
    }

    /// Write records of a key with a commit-ts up to `ts`, newest first.
    pub(crate) fn writes(
        &self,
        raw: &[u8],
        ts: u64,
    ) -> impl Iterator<Item = Result<(u64, Write), EngineError>> + use<> {
        let (from, to) = (key::versioned(raw, ts), key::versioned(raw, 0));
        self.snapshot
            .range::<&[u8], _>(
                &self.trees.write,
                (Bound::Included(&*from), Bound::Included(&*to)),
            )
            .map(|guard| record(guard).map(|(_, ts, write)| (ts, write)))
    }

    /// Write records of a range in key order, newest first within a key.
    pub(crate) fn all_writes(
        &self,
        range: &Range,
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, u64, Write), EngineError>> + Send + use<>
    {
        let start = key::wrap(&range.start);
        let end = if range.end.is_empty() {
            Vec::new()
        } else {
            key::wrap(&range.end)
        };
        self.snapshot
            .range::<&[u8], _>(&self.trees.write, bounds(&start, &end))
            .map(record)
    }

    /// The newest write record with a commit-ts up to `ts`.
    pub(crate) fn seek_write(
        &self,
        raw: &[u8],
        ts: u64,
    ) -> Result<Option<(u64, Write)>, EngineError> {
        self.writes(raw, ts).next().transpose()
    }

    /// The newest version (put or delete) with a commit-ts up to `ts`.
    pub(crate) fn seek_version(
        &self,
        raw: &[u8],
        ts: u64,
    ) -> Result<Option<(u64, Write)>, EngineError> {
        self.writes(raw, ts)
            .find(|found| !matches!(found, Ok((_, write)) if !write.is_version()))
            .transpose()
    }

    /// The value as of `ts`, locks left aside.
    pub(crate) fn get(&self, raw: &[u8], ts: u64) -> Result<Option<Bytes>, EngineError> {
        match self.seek_version(raw, ts)? {
            Some((_, write)) if write.kind() == WriteKind::Put => {
                self.value_of(raw, &write).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The value of a put.
    pub(crate) fn value_of(&self, raw: &[u8], write: &Write) -> Result<Bytes, EngineError> {
        match (&write.short_value, write.kind()) {
            (_, WriteKind::Delete | WriteKind::Lock | WriteKind::Rollback) => Ok(Bytes::new()),
            (Some(value), WriteKind::Put) => Ok(value.clone()),
            (None, WriteKind::Put) => self.long_value(raw, write.start_ts),
        }
    }

    /// The value a lock is about to give.
    pub(crate) fn value_of_lock(&self, raw: &[u8], lock: &Lock) -> Result<Bytes, EngineError> {
        self.value_of(raw, &lock.committed())
    }

    fn long_value(&self, raw: &[u8], start_ts: u64) -> Result<Bytes, EngineError> {
        self.snapshot
            .get(&self.trees.default, key::versioned(raw, start_ts))?
            .map(Bytes::from)
            .ok_or_else(|| EngineError::Corrupt {
                what: "value",
                key: hex::encode(raw),
                problem: format!("the value written by {start_ts} is missing"),
            })
    }

    /// What became of the transaction of `start_ts` on a key.
    pub(crate) fn txn_record(&self, raw: &[u8], start_ts: u64) -> Result<TxnRecord, EngineError> {
        let mut overlapped = None;
        // Newest first, down to the start-ts: a commit stands above it, a rollback at it.
        for found in self.writes(raw, u64::MAX) {
            let (ts, write) = found?;
            if ts < start_ts {
                break;
            }
            if write.start_ts == start_ts {
                return Ok(match write.kind() {
                    WriteKind::Rollback => TxnRecord::RolledBack,
                    _ => TxnRecord::Committed(ts, write),
                });
            }
            if ts == start_ts {
                if write.overlapped_rollback {
                    return Ok(TxnRecord::RolledBack);
                }
                overlapped = Some(write);
            }
        }
        Ok(TxnRecord::None(overlapped))
    }

    /// Keys of a column family within a range of its stored keys, in order.
    pub(crate) fn stored_keys(
        &self,
        cf: super::Cf,
        start: &[u8],
        end: &[u8],
    ) -> impl Iterator<Item = Result<Bytes, EngineError>> + use<> {
        let tree = match cf {
            super::Cf::Lock => &self.trees.lock,
            super::Cf::Write => &self.trees.write,
            super::Cf::Default => &self.trees.default,
            super::Cf::Meta => &self.trees.meta,
        };
        self.snapshot
            .range::<&[u8], _>(tree, bounds(start, end))
            .map(|guard| Ok(Bytes::from(guard.key()?)))
    }
}

fn bounds<'a>(start: &'a [u8], end: &'a [u8]) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    let upper = if end.is_empty() {
        Bound::Unbounded
    } else {
        Bound::Excluded(end.max(start))
    };
    (Bound::Included(start), upper)
}

fn record(guard: Guard) -> Result<(Bytes, u64, Write), EngineError> {
    let (stored, value) = guard.into_inner()?;
    let Some((raw, ts)) = key::split_versioned(&stored) else {
        return Err(EngineError::Corrupt {
            what: "write",
            key: hex::encode(&stored),
            problem: "the key carries no version".to_owned(),
        });
    };
    let write = decode("write", &raw, value)?;
    Ok((raw.into(), ts, write))
}

/// Values within the record stay where they are: they are not copied.
fn decode<M: prost::Message + Default>(
    what: &'static str,
    raw: &[u8],
    value: Slice,
) -> Result<M, EngineError> {
    M::decode(Bytes::from(value)).map_err(|error| EngineError::Corrupt {
        what,
        key: hex::encode(raw),
        problem: error.to_string(),
    })
}

//! Reading versions at a point in time.

use std::cell::RefCell;
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;
use fjall::{Guard, Readable as _, Slice, Snapshot};

use super::{EngineError, Lock, Trees, Write, WriteKind};
use crate::tikv::key::{self, Range};

/// A consistent view of what was on disk when it was made.
pub(crate) struct Reader {
    trees: Trees,
    snapshot: Snapshot,
    pass: RefCell<Option<Pass>>,
}

/// Locks of a range, in key order.
type Locks = Box<dyn Iterator<Item = Result<(Bytes, Lock), EngineError>> + Send>;

/// A pass over locks.
struct Pass {
    locks: Peekable<Locks>,
    /// From the key that was asked for last to the end of the pass.
    rest: Range,
}

/// It is quicker to look so many locks up than to begin a pass.
const FEW: usize = 16;
/// Locks between two keys that are read over; from there on it is quicker to look the second one up.
const READ_OVER: usize = 64;

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
            pass: RefCell::default(),
        }
    }

    /// The locks that are asked for next are those of many `keys`, which have them, in order: they are read in one pass, each
    /// block once.
    pub(crate) fn in_order<'a>(&self, keys: impl ExactSizeIterator<Item = &'a Bytes> + Clone) {
        if keys.len() > FEW
            && let (Some(first), Some(last)) = (keys.clone().min(), keys.max())
        {
            let all = Range {
                start: first.clone(),
                end: key::after(last),
            };
            self.pass.replace(Some(self.pass_over(all)));
        }
    }

    /// The lock of a key.
    pub(crate) fn lock(&self, raw: &[u8]) -> Result<Option<Lock>, EngineError> {
        match self.pass.borrow_mut().as_mut() {
            Some(pass) => self.lock_in(pass, raw),
            None => self.look_up_lock(raw),
        }
    }

    fn lock_in(&self, pass: &mut Pass, raw: &[u8]) -> Result<Option<Lock>, EngineError> {
        if *raw < *pass.rest.start {
            // Not in order.
            return self.look_up_lock(raw);
        }
        pass.rest.start = Bytes::copy_from_slice(raw);
        for _ in 0..READ_OVER {
            match pass.locks.peek() {
                Some(Ok((key, _))) if **key < *raw => {}
                Some(Ok((key, lock))) => return Ok((**key == *raw).then(|| lock.clone())),
                Some(Err(error)) => return Err(error.clone()),
                None if pass.rest.contains(raw) => return Ok(None),
                None => return self.look_up_lock(raw),
            }
            pass.locks.next();
        }
        *pass = self.pass_over(pass.rest.clone());
        self.look_up_lock(raw)
    }

    fn pass_over(&self, rest: Range) -> Pass {
        let locks: Locks = Box::new(self.locks(&rest));
        Pass {
            locks: locks.peekable(),
            rest,
        }
    }

    fn look_up_lock(&self, raw: &[u8]) -> Result<Option<Lock>, EngineError> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::{Changes, Engine, Publish};
    use super::*;

    struct Unheard;

    impl Publish for Unheard {
        fn publish(&mut self, _: &mut Changes) {}
    }

    fn key(n: u16) -> Bytes {
        Bytes::copy_from_slice(&n.to_be_bytes())
    }

    async fn compare(held: BTreeSet<u16>, asked: Vec<u16>) -> Result<(), TestCaseError> {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(dir.path(), Box::new(Unheard)).unwrap();
        let mut changes = Changes::default();
        for n in held {
            let lock = Lock {
                start_ts: n.into(),
                ..Default::default()
            };
            changes.prewrite(&key(n), &lock, Bytes::new(), None);
        }
        engine.apply(changes).await.unwrap();
        let (in_order, looked_up) = (engine.reader(), engine.reader());
        let keys: Vec<Bytes> = asked.iter().map(|n| key(*n)).collect();
        in_order.in_order(keys.iter());
        for n in asked {
            let (got, expected) = (in_order.lock(&key(n)), looked_up.lock(&key(n)));
            prop_assert_eq!(got.unwrap(), expected.unwrap(), "key {}", n);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// Also of keys that are not in order, and where there are many locks between two of them.
        #[test]
        fn a_pass_over_locks_finds_what_is_looked_up(
            held in prop::collection::btree_set(0..400u16, 0..300),
            mut asked in prop::collection::vec(0..400u16, 1..60),
            sorted in any::<bool>(),
        ) {
            if sorted {
                asked.sort_unstable();
            }
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(compare(held, asked))?;
        }
    }
}

//! Reading values at a timestamp.

use std::iter::Peekable;

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::{Stop, refuse};
use crate::tikv::engine::{EngineError, Lock, Reader, Write, WriteKind};
use crate::tikv::key::Range;

/// At which timestamp a client reads, and whose locks it knows to be no obstacle.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) ts: u64,
    ignores_locks: bool,
    /// Transactions that did not commit below `ts`.
    bypass: Vec<u64>,
    /// Transactions that did: their locked values count.
    access: Vec<u64>,
}

/// What a lock means to a reader.
enum Obstacle {
    None,
    /// Its value is to be taken for committed.
    Committed,
    Locked,
}

impl View {
    pub(crate) fn new(context: Option<&kv::Context>, ts: u64) -> Self {
        let (isolation, bypass, access) = context.map_or_else(Default::default, |context| {
            (
                context.isolation_level(),
                context.resolved_locks.clone(),
                context.committed_locks.clone(),
            )
        });
        Self {
            ts,
            ignores_locks: isolation == kv::IsolationLevel::Rc,
            bypass,
            access,
        }
    }

    fn obstacle(&self, key: &[u8], lock: &Lock) -> Obstacle {
        if self.ignores_locks
            || !lock.is_change()
            || lock.start_ts > self.ts
            || lock.min_commit_ts > self.ts
            || self.bypass.contains(&lock.start_ts)
        {
            return Obstacle::None;
        }
        if self.access.contains(&lock.start_ts) {
            return Obstacle::Committed;
        }
        // "The newest" of a primary that is not committed yet is what is committed.
        if self.ts == u64::MAX && lock.primary == key && !lock.use_async_commit {
            return Obstacle::None;
        }
        Obstacle::Locked
    }
}

/// The value of a key.
pub(crate) fn get(reader: &Reader, view: &View, key: &Bytes) -> Result<Option<Bytes>, Stop> {
    if let Some(lock) = reader.lock(key)? {
        match view.obstacle(key, &lock) {
            Obstacle::None => {}
            Obstacle::Committed => return Ok(locked_value(reader, key, &lock)?),
            Obstacle::Locked => return Err(refuse::locked(key, &lock).into()),
        }
    }
    Ok(reader.get(key, view.ts)?)
}

fn locked_value(reader: &Reader, key: &[u8], lock: &Lock) -> Result<Option<Bytes>, EngineError> {
    let write = lock.committed();
    match write.kind() {
        WriteKind::Put => reader.value_of(key, &write).map(Some),
        _ => Ok(None),
    }
}

/// What a scan asks for.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) range: Range,
    pub(crate) limit: usize,
    pub(crate) key_only: bool,
    pub(crate) reverse: bool,
    /// Every how many-th pair is given; 0 and 1 are all.
    pub(crate) sample_step: usize,
}

/// Pairs of a range in key order (or against it); a locked key gives its error in its place.
pub(crate) fn scan(
    reader: &Reader,
    view: &View,
    scan: &Scan,
) -> Result<Vec<kv::KvPair>, EngineError> {
    let mut pairs = Vec::new();
    let step = scan.sample_step.max(1);
    let mut seen = 0;
    let mut keys = Versions::new(reader, view, scan);
    while pairs.len() < scan.limit {
        let Some(found) = keys.next_key()? else { break };
        let pair = match found
            .lock
            .map(|lock| (view.obstacle(&found.key, &lock), lock))
        {
            Some((Obstacle::Locked, lock)) => {
                let error = Some(refuse::locked(&found.key, &lock));
                Some(kv::KvPair {
                    error,
                    key: found.key,
                    value: Bytes::new(),
                })
            }
            Some((Obstacle::Committed, lock)) => pair(scan, found.key.clone(), || {
                locked_value(reader, &found.key, &lock)
            })?,
            Some((Obstacle::None, _)) | None => match &found.version {
                Some(write) if write.kind() == WriteKind::Put => {
                    pair(scan, found.key.clone(), || {
                        reader.value_of(&found.key, write).map(Some)
                    })?
                }
                _ => None,
            },
        };
        if let Some(pair) = pair {
            if seen % step == 0 {
                pairs.push(pair);
            }
            seen += 1;
        }
    }
    Ok(pairs)
}

fn pair(
    scan: &Scan,
    key: Bytes,
    value: impl FnOnce() -> Result<Option<Bytes>, EngineError>,
) -> Result<Option<kv::KvPair>, EngineError> {
    let value = if scan.key_only {
        Some(Bytes::new())
    } else {
        value()?
    };
    Ok(value.map(|value| kv::KvPair {
        error: None,
        key,
        value,
    }))
}

/// A key with what a reader has to know of it.
struct Found {
    key: Bytes,
    lock: Option<Lock>,
    /// The newest version up to the view's timestamp.
    version: Option<Write>,
}

type Locks<'a> = Box<dyn Iterator<Item = Result<(Bytes, Lock), EngineError>> + 'a>;
type Writes<'a> = Box<dyn Iterator<Item = Result<(Bytes, u64, Write), EngineError>> + 'a>;

/// Keys that have a lock or versions, in the scan's order.
struct Versions<'a> {
    ts: u64,
    reverse: bool,
    locks: Peekable<Locks<'a>>,
    writes: Peekable<Writes<'a>>,
}

impl<'a> Versions<'a> {
    fn new(reader: &'a Reader, view: &View, scan: &Scan) -> Self {
        let (locks, writes): (Locks<'a>, Writes<'a>) = if scan.reverse {
            (
                Box::new(reader.locks(&scan.range).rev()),
                Box::new(reader.all_writes(&scan.range).rev()),
            )
        } else {
            (
                Box::new(reader.locks(&scan.range)),
                Box::new(reader.all_writes(&scan.range)),
            )
        };
        Self {
            ts: view.ts,
            reverse: scan.reverse,
            locks: locks.peekable(),
            writes: writes.peekable(),
        }
    }

    fn next_key(&mut self) -> Result<Option<Found>, EngineError> {
        let of_lock = match self.locks.peek() {
            Some(Ok((key, _))) => Some(key.clone()),
            Some(Err(error)) => return Err(error.clone()),
            None => None,
        };
        let of_write = match self.writes.peek() {
            Some(Ok((key, ..))) => Some(key.clone()),
            Some(Err(error)) => return Err(error.clone()),
            None => None,
        };
        let key = match (of_lock, of_write) {
            (None, None) => return Ok(None),
            (Some(key), None) | (None, Some(key)) => key,
            (Some(a), Some(b)) if self.reverse => a.max(b),
            (Some(a), Some(b)) => a.min(b),
        };
        let lock = match self
            .locks
            .next_if(|next| matches!(next, Ok((k, _)) if *k == key))
        {
            Some(found) => Some(found?.1),
            None => None,
        };
        let mut version = None;
        while let Some(next) = self
            .writes
            .next_if(|next| matches!(next, Ok((k, ..)) if *k == key))
        {
            let (_, ts, write) = next?;
            // Backwards the oldest comes first: the last one that fits is the newest.
            if ts <= self.ts && write.is_version() && (self.reverse || version.is_none()) {
                version = Some(write);
            }
        }
        Ok(Some(Found { key, lock, version }))
    }
}

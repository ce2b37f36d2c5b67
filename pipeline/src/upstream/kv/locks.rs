//! Locks that transactions left behind: what became of the transaction, and cleaning up after it.
//!
//! The primary lock decides a transaction. Where it is gone, committed or past its time to live, the other locks follow;
//! where it lives, a reader pushes the transaction's commit-ts above its own timestamp or waits.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use proto::kvrpcpb::{self, Action, LockInfo, Op};

use super::{Kv, key_error, next_region};
use crate::{
    model::{Span, Ts, physical_ms},
    upstream::{Error, keys},
};

/// Locks asked for in one request.
const PAGE: u32 = 1024;
/// The same where the first one tells enough.
const FEW: u32 = 64;
/// From this many keys on a transaction's locks are resolved by region and not one by one.
const MANY: usize = 16;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed(Ts),
    RolledBack,
    /// It goes on; `pushed` if its commit-ts will be above the reader's timestamp.
    Alive {
        ttl_left: Duration,
        pushed: bool,
    },
}

/// What is left of locks after resolving them.
#[derive(Debug, Default)]
pub(super) struct Unresolved {
    /// Start-ts of transactions that live but cannot commit at or below the reader's timestamp.
    pub(super) passable: Vec<Ts>,
    /// Start-ts of one that bars the way, and after which time it may be looked at again.
    pub(super) waiting: Option<(Ts, Duration)>,
}

impl Kv {
    /// Resolves the locks up to `max_ts` in `span` (memcomparable-encoded) whose transactions are over. Answers how many
    /// there were that hold a resolved-ts back, living ones included. Beside a bound that is no key of a transaction the
    /// neighbours' locks are looked for as well.
    pub(crate) async fn resolve_locks_in(&self, span: &Span, max_ts: Ts) -> Result<usize, Error> {
        let (mut rest, mut found) = (Some(raw(span)), 0);
        while let Some(range) = rest {
            let locks;
            (locks, rest) = self.locks(range, max_ts, PAGE).await?;
            found += locks.len();
            self.resolve(&locks, 0).await?;
        }
        Ok(found)
    }

    /// The same of the first few locks only, and with them of all that their transactions have in the same regions if they
    /// are many. Answers whether there were any.
    pub(crate) async fn resolve_first_locks_in(
        &self,
        span: &Span,
        max_ts: Ts,
    ) -> Result<bool, Error> {
        let mut rest = Some(raw(span));
        while let Some(range) = rest {
            let locks;
            (locks, rest) = self.locks(range, max_ts, FEW).await?;
            if !locks.is_empty() {
                self.resolve(&locks, 0).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of the first `limit` locks up to `max_ts` in a range of raw keys that hold a resolved-ts back, and the range
    /// after them.
    async fn locks(
        &self,
        range: Span,
        max_ts: Ts,
        limit: u32,
    ) -> Result<(Vec<LockInfo>, Option<Span>), Error> {
        let Span { start, end } = range;
        let (reply, region) = self
            .call(&start, |_| kvrpcpb::ScanLockRequest {
                context: None,
                max_version: max_ts,
                start_key: start.clone(),
                limit,
                end_key: end.clone(),
            })
            .await?;
        if let Some(error) = reply.error {
            return Err(key_error("scan for locks", &start, &error));
        }
        let mut locks = reply.locks;
        let next = match locks.last() {
            Some(last) if locks.len() as u32 >= limit => Some(after(&last.key)),
            _ => next_region(&region)?,
        };
        locks.retain(|lock| lock.lock_type() != Op::PessimisticLock);
        let rest = next
            .filter(|next| end.is_empty() || *next < end)
            .map(|start| Span { start, end });
        Ok((locks, rest))
    }

    /// Resolves `locks` as far as their transactions are over, for a reader at `reader_ts` (0: none).
    pub(super) async fn resolve(
        &self,
        locks: &[LockInfo],
        reader_ts: Ts,
    ) -> Result<Unresolved, Error> {
        let mut by_txn: HashMap<Ts, Vec<&LockInfo>> = HashMap::new();
        for lock in locks {
            by_txn.entry(lock.lock_version).or_default().push(lock);
        }
        let mut left = Unresolved::default();
        for (start_ts, locks) in by_txn {
            let fate = self.fate(locks[0], reader_ts).await?;
            match fate {
                Fate::Committed(commit_ts) => self.finish(start_ts, commit_ts, &locks).await?,
                Fate::RolledBack => self.finish(start_ts, 0, &locks).await?,
                Fate::Alive { pushed: true, .. } => left.passable.push(start_ts),
                Fate::Alive { ttl_left, .. } => left.waiting = Some((start_ts, ttl_left)),
            }
        }
        Ok(left)
    }

    /// Asks the primary of `lock` what became of the transaction.
    async fn fate(&self, lock: &LockInfo, reader_ts: Ts) -> Result<Fate, Error> {
        let (mut rollback_if_not_exist, mut force_sync_commit) = (false, false);
        loop {
            let now = self.0.pd.tso().await?;
            let (reply, _) = self
                .call(&lock.primary_lock, |_| kvrpcpb::CheckTxnStatusRequest {
                    context: None,
                    primary_key: lock.primary_lock.clone(),
                    lock_ts: lock.lock_version,
                    caller_start_ts: reader_ts,
                    current_ts: now,
                    rollback_if_not_exist,
                    force_sync_commit,
                    resolving_pessimistic_lock: lock.lock_type() == Op::PessimisticLock,
                    verify_is_primary: false,
                })
                .await?;
            match reply.error {
                // The primary may still be on its way while the transaction is young.
                Some(kvrpcpb::KeyError {
                    txn_not_found: Some(_),
                    ..
                }) if !rollback_if_not_exist => {
                    let ttl_left = ttl_left(lock, now);
                    if !ttl_left.is_zero() {
                        return Ok(Fate::Alive {
                            ttl_left,
                            pushed: false,
                        });
                    }
                    rollback_if_not_exist = true;
                    continue;
                }
                Some(error) => {
                    return Err(key_error("check a transaction", &lock.primary_lock, &error));
                }
                None => {}
            }
            if reply.commit_version > 0 {
                return Ok(Fate::Committed(reply.commit_version));
            }
            let pushed = reply.action() == Action::MinCommitTsPushed;
            match reply.lock_info {
                Some(primary) if primary.use_async_commit && !force_sync_commit => {
                    let ttl_left = ttl_left(&primary, now);
                    if !ttl_left.is_zero() {
                        return Ok(Fate::Alive { ttl_left, pushed });
                    }
                    match self.async_commit_fate(&primary).await? {
                        Some(fate) => return Ok(fate),
                        None => force_sync_commit = true,
                    }
                }
                _ if reply.lock_ttl > 0 => {
                    let ttl_left = ttl_left(
                        &LockInfo {
                            lock_ttl: reply.lock_ttl,
                            ..lock.clone()
                        },
                        now,
                    );
                    return Ok(Fate::Alive {
                        ttl_left: ttl_left.max(Duration::from_millis(1)),
                        pushed,
                    });
                }
                _ => return Ok(Fate::RolledBack),
            }
        }
    }

    /// An async commit is committed once all its locks are there; the primary lists them. Nothing if one of them has
    /// fallen back to the ordinary protocol, so that the primary alone decides.
    async fn async_commit_fate(&self, primary: &LockInfo) -> Result<Option<Fate>, Error> {
        let mut commit_ts = primary.min_commit_ts;
        let mut rest: Vec<Bytes> = primary.secondaries.clone();
        rest.sort();
        while let Some(first) = rest.first().cloned() {
            let (reply, region) = self
                .call(&first, |region| {
                    let span = region.span();
                    kvrpcpb::CheckSecondaryLocksRequest {
                        context: None,
                        keys: rest
                            .iter()
                            .filter(|key| keys::encoded_span_contains(&span, key))
                            .cloned()
                            .collect(),
                        start_version: primary.lock_version,
                    }
                })
                .await?;
            if let Some(error) = reply.error {
                return Err(key_error("check secondary locks", &first, &error));
            }
            let span = region.span();
            let before = rest.len();
            rest.retain(|key| !keys::encoded_span_contains(&span, key));
            if reply.locks.len() < before - rest.len() {
                let fate = if reply.commit_ts > 0 {
                    Fate::Committed(reply.commit_ts)
                } else {
                    Fate::RolledBack
                };
                return Ok(Some(fate));
            }
            if reply.locks.iter().any(|lock| !lock.use_async_commit) {
                return Ok(None);
            }
            commit_ts = reply
                .locks
                .iter()
                .map(|lock| lock.min_commit_ts)
                .fold(commit_ts, Ts::max);
        }
        // The secondaries first: while the primary is locked the transaction can still be found undecided and decided alike.
        for key in &primary.secondaries {
            self.resolve_key(primary.lock_version, commit_ts, key)
                .await?;
        }
        self.resolve_key(primary.lock_version, commit_ts, &primary.key)
            .await?;
        Ok(Some(Fate::Committed(commit_ts)))
    }

    /// Commits at `commit_ts`, or rolls back where that is 0, the locks of one transaction.
    async fn finish(&self, start_ts: Ts, commit_ts: Ts, locks: &[&LockInfo]) -> Result<(), Error> {
        let many = locks.len() >= MANY || locks[0].txn_size >= MANY as u64;
        let mut done = HashSet::new();
        for lock in locks {
            if !many {
                self.resolve_key(start_ts, commit_ts, &lock.key).await?;
                continue;
            }
            let encoded = keys::encode(&lock.key);
            let known = self.0.regions.locate(&encoded).await?;
            if done.contains(&known.meta.id) {
                continue;
            }
            done.insert(
                self.resolve_in_region(start_ts, commit_ts, &lock.key, Vec::new())
                    .await?,
            );
        }
        Ok(())
    }

    async fn resolve_key(&self, start_ts: Ts, commit_ts: Ts, key: &Bytes) -> Result<(), Error> {
        self.resolve_in_region(start_ts, commit_ts, key, vec![key.clone()])
            .await
            .map(drop)
    }

    /// Resolves `keys`, or all locks of the transaction where there are none, in the region of `key`; answers its id.
    async fn resolve_in_region(
        &self,
        start_ts: Ts,
        commit_ts: Ts,
        key: &Bytes,
        keys: Vec<Bytes>,
    ) -> Result<u64, Error> {
        let (reply, region) = self
            .call(key, |_| kvrpcpb::ResolveLockRequest {
                context: None,
                start_version: start_ts,
                commit_version: commit_ts,
                txn_infos: Vec::new(),
                keys: keys.clone(),
            })
            .await?;
        match reply.error {
            Some(error) => Err(key_error("resolve a lock", key, &error)),
            None => Ok(region.meta.id),
        }
    }
}

/// The raw keys of a memcomparable-encoded span.
fn raw(span: &Span) -> Span {
    let bound = |key: &Bytes| keys::decode(key).unwrap_or_default();
    Span {
        start: bound(&span.start),
        end: bound(&span.end),
    }
}

/// What is left of a lock's time to live at `now`.
fn ttl_left(lock: &LockInfo, now: Ts) -> Duration {
    let end = physical_ms(lock.lock_version).saturating_add(lock.lock_ttl);
    Duration::from_millis(end.saturating_sub(physical_ms(now)))
}

/// The least key above `key`.
pub(super) fn after(key: &[u8]) -> Bytes {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next.into()
}

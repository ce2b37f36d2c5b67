//! Locks in the way of a read or a write.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::keys::after;
use super::request::Attempt;
use super::retry::Backoff;
use super::{Client, ClientError, Ts};

/// Locks asked for at once.
const LOCK_PAGE: u32 = 1024;

/// How a transaction that left a lock ended.
enum Fate {
    Committed(Ts),
    RolledBack,
    /// Its owner may still be at work.
    Open(String),
}

impl Client {
    /// Deals with what a store said about a key: a lock is resolved, or waited for while its owner is alive; anything
    /// else is an error.
    pub(super) async fn clear_way(
        &self,
        error: kv::KeyError,
        caller_start_ts: Ts,
        backoff: &mut Backoff,
    ) -> Result<(), ClientError> {
        let Some(lock) = error.locked else {
            return Err(ClientError::Refused {
                what: backoff.what(),
                why: describe(&error),
            });
        };
        let now = self.inner.pd.tso(self.backoff("get a timestamp")).await?;
        match self.resolve(&lock, caller_start_ts, now, backoff).await? {
            Some(alive) => backoff.pause(alive).await,
            None => Ok(()),
        }
    }

    /// Ends every transaction that has left locks and whose primary key is `ours`, be its owner alive or not; how many they
    /// were. Only for keys that nobody but the caller has as primaries.
    pub async fn end_transactions(
        &self,
        ours: impl Fn(&[u8]) -> bool,
    ) -> Result<usize, ClientError> {
        let mut left: BTreeMap<(Ts, Bytes), Vec<Bytes>> = BTreeMap::new();
        for lock in self.locks(self.tso().await?).await? {
            if ours(&lock.primary_lock) {
                let txn = (lock.lock_version, lock.primary_lock);
                left.entry(txn).or_default().push(lock.key);
            }
        }
        for ((start_ts, primary), keys) in &left {
            match self.settle(*start_ts, primary).await? {
                Some(commit_ts) => {
                    self.commit_rest(*start_ts, commit_ts, keys.iter().cloned())
                        .await?;
                }
                None => self.roll_back(*start_ts, keys.iter().cloned()).await?,
            }
        }
        Ok(left.len())
    }

    /// All locks of transactions that began at or before `max_ts`, as they are now.
    pub async fn locks(&self, max_ts: Ts) -> Result<Vec<kv::LockInfo>, ClientError> {
        let mut backoff = self.backoff("scan for locks");
        let mut out = Vec::new();
        let mut from = Some(Bytes::new());
        while let Some(start) = from.take() {
            let region = self.region_of(&start, &mut backoff).await?;
            let request = kv::ScanLockRequest {
                max_version: max_ts,
                start_key: start.clone(),
                limit: LOCK_PAGE,
                ..Default::default()
            };
            let reply = match self.attempt(&region, &request, &mut backoff).await? {
                Attempt::Done(reply) => reply,
                Attempt::Moved(cause) => {
                    backoff.pause(cause).await?;
                    from = Some(start);
                    continue;
                }
            };
            if let Some(error) = reply.error {
                return Err(ClientError::Refused {
                    what: backoff.what(),
                    why: describe(&error),
                });
            }
            from = match reply.locks.last() {
                Some(last) if reply.locks.len() >= LOCK_PAGE as usize => Some(after(&last.key)),
                _ => region.next_key()?,
            };
            out.extend(reply.locks);
        }
        Ok(out)
    }

    /// Ends the transaction that began at `start_ts` and has `primary` as its primary key, be its owner alive or not:
    /// when it was committed, or none if it was not, and then it never will be.
    pub async fn settle(&self, start_ts: Ts, primary: &[u8]) -> Result<Option<Ts>, ClientError> {
        let mut backoff = self.backoff("settle a transaction");
        let primary = Bytes::copy_from_slice(primary);
        let lock = kv::LockInfo {
            primary_lock: primary.clone(),
            key: primary,
            lock_version: start_ts,
            ..Default::default()
        };
        loop {
            match self.fate(&lock, 0, Ts::MAX, &mut backoff).await? {
                Fate::Committed(ts) => return Ok(Some(ts)),
                Fate::RolledBack => return Ok(None),
                Fate::Open(who) => backoff.pause(who).await?,
            }
        }
    }

    /// Resolves a lock whose transaction has ended or expired by `now`; else says who holds it.
    async fn resolve(
        &self,
        lock: &kv::LockInfo,
        caller_start_ts: Ts,
        now: Ts,
        backoff: &mut Backoff,
    ) -> Result<Option<String>, ClientError> {
        if lock.use_async_commit {
            return Err(ClientError::Refused {
                what: backoff.what(),
                why: format!(
                    "key {} is locked by the async-commit transaction {}, which only its own client can finish here",
                    hex::encode(&lock.key),
                    lock.lock_version
                ),
            });
        }
        let commit_version = match self.fate(lock, caller_start_ts, now, backoff).await? {
            Fate::Open(who) => return Ok(Some(who)),
            Fate::Committed(ts) => ts,
            Fate::RolledBack => 0,
        };
        let request = kv::ResolveLockRequest {
            start_version: lock.lock_version,
            commit_version,
            keys: vec![lock.key.clone()],
            ..Default::default()
        };
        let (_, reply) = self.send_to_key(&lock.key, &request, backoff).await?;
        match reply.error {
            None => Ok(None),
            Some(error) => Err(ClientError::Refused {
                what: "resolve a lock",
                why: describe(&error),
            }),
        }
    }

    async fn fate(
        &self,
        lock: &kv::LockInfo,
        caller_start_ts: Ts,
        now: Ts,
        backoff: &mut Backoff,
    ) -> Result<Fate, ClientError> {
        let request = kv::CheckTxnStatusRequest {
            primary_key: lock.primary_lock.clone(),
            lock_ts: lock.lock_version,
            caller_start_ts,
            current_ts: now,
            rollback_if_not_exist: true,
            ..Default::default()
        };
        let (_, reply) = self
            .send_to_key(&lock.primary_lock, &request, backoff)
            .await?;
        if let Some(error) = reply.error {
            return Err(ClientError::Refused {
                what: "check the status of a transaction",
                why: describe(&error),
            });
        }
        Ok(if reply.lock_ttl > 0 {
            Fate::Open(format!(
                "key {} is locked by transaction {}, which may live {} ms",
                hex::encode(&lock.key),
                lock.lock_version,
                reply.lock_ttl
            ))
        } else if reply.commit_version > 0 {
            Fate::Committed(reply.commit_version)
        } else {
            Fate::RolledBack
        })
    }
}

/// What a store holds against a key, in words.
pub(super) fn describe(error: &kv::KeyError) -> String {
    if !error.abort.is_empty() {
        error.abort.clone()
    } else if !error.retryable.is_empty() {
        error.retryable.clone()
    } else if let Some(lock) = &error.locked {
        format!(
            "key {} is locked by {}",
            hex::encode(&lock.key),
            lock.lock_version
        )
    } else if let Some(conflict) = &error.conflict {
        format!(
            "key {} was written at {}, after {}",
            hex::encode(&conflict.key),
            conflict.conflict_commit_ts,
            conflict.start_ts
        )
    } else {
        format!("{error:?}")
    }
}

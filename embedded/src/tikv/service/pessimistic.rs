//! Locking keys before they are written, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::kvrpcpb as kv;
use tokio::time::Instant;
use tonic::Status;

use super::TikvService;
use crate::tikv::store::{Failure, Store, detached};
use crate::tikv::txn::pessimistic::{Found, lock, unlock};
use crate::tikv::waits::Wait;

/// How long a lock is waited for at most, however long the client would (TiKV's `pessimistic-txn.wait-for-lock-timeout`):
/// then the client looks whether the lock's owner still lives, and asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What a try came to.
enum Tried {
    Locked(Vec<Found>),
    /// A lock of another is in the way, and may be waited for.
    Blocked(Box<kv::KeyError>, Wait),
}

/// How long a request may wait, if it may.
fn patience(request: &kv::PessimisticLockRequest) -> Option<Duration> {
    match request.wait_timeout {
        0 => Some(LONGEST_WAIT),
        ms => u64::try_from(ms)
            .ok()
            .map(|ms| Duration::from_millis(ms).min(LONGEST_WAIT)),
    }
}

impl TikvService {
    pub(super) async fn pessimistic_lock(
        &self,
        request: kv::PessimisticLockRequest,
    ) -> Result<kv::PessimisticLockResponse, Status> {
        let outcome = self.lock_keys(Arc::new(request)).await;
        self.reply(outcome)
    }

    async fn lock_keys(
        &self,
        request: Arc<kv::PessimisticLockRequest>,
    ) -> Result<kv::PessimisticLockResponse, Failure> {
        let deadline = patience(&request).map(|patience| Instant::now() + patience);
        loop {
            let keys: Vec<Bytes> = request.mutations.iter().map(|m| m.key.clone()).collect();
            self.region(request.context.as_ref(), &keys)?;
            self.store.concurrency.observe(request.for_update_ts)?;
            let trying = attempt(
                self.store.clone(),
                request.clone(),
                keys,
                deadline.is_some(),
            );
            match detached(trying).await? {
                Tried::Locked(found) => return Ok(reply(&request, found)),
                Tried::Blocked(error, wait) => {
                    let until = deadline.unwrap_or_else(Instant::now);
                    if tokio::time::timeout_at(until, wait.woken()).await.is_err() {
                        return Err(Failure::Key(error));
                    }
                }
            }
        }
    }

    pub(super) async fn pessimistic_rollback(
        &self,
        request: kv::PessimisticRollbackRequest,
    ) -> Result<kv::PessimisticRollbackResponse, Status> {
        let outcome = async {
            self.region(request.context.as_ref(), &request.keys)?;
            let (start_ts, for_update_ts) = (request.start_version, request.for_update_ts);
            let keys = request.keys.clone();
            self.store
                .write(request.keys, move |reader, changes| {
                    keys.iter()
                        .try_for_each(|key| unlock(reader, changes, key, start_ts, for_update_ts))
                })
                .await?;
            Ok(kv::PessimisticRollbackResponse::default())
        };
        self.reply(outcome.await)
    }
}

/// Locks all keys or none.
async fn attempt(
    store: Arc<Store>,
    request: Arc<kv::PessimisticLockRequest>,
    keys: Vec<Bytes>,
    may_wait: bool,
) -> Result<Tried, Failure> {
    let _held = store.latch(&keys).await;
    let asked = request.clone();
    let outcome: Result<Vec<Found>, Failure> = store
        .step(keys.len(), move |reader, changes| {
            asked
                .mutations
                .iter()
                .map(|mutation| lock(reader, changes, &asked, mutation).map_err(Failure::from))
                .collect()
        })
        .await;
    match outcome {
        Ok(found) => Ok(Tried::Locked(found)),
        Err(Failure::Key(error)) if may_wait => {
            let Some(lock) = &error.locked else {
                return Err(Failure::Key(error));
            };
            let waiting = store
                .waits
                .wait(request.start_version, lock.lock_version, &lock.key);
            match waiting {
                Ok(wait) => Ok(Tried::Blocked(error, wait)),
                Err(deadlock) => Err(kv::KeyError {
                    deadlock: Some(deadlock),
                    ..Default::default()
                }
                .into()),
            }
        }
        Err(other) => Err(other),
    }
}

fn reply(request: &kv::PessimisticLockRequest, found: Vec<Found>) -> kv::PessimisticLockResponse {
    let mut reply = kv::PessimisticLockResponse::default();
    if request.wake_up_mode() == kv::PessimisticLockWakeUpMode::WakeUpModeForceLock {
        reply.results = found
            .into_iter()
            .map(|found| {
                let kind = match found.conflict_ts {
                    0 => kv::PessimisticLockKeyResultType::LockResultNormal,
                    _ => kv::PessimisticLockKeyResultType::LockResultLockedWithConflict,
                };
                kv::PessimisticLockKeyResult {
                    r#type: kind.into(),
                    value: found.value.unwrap_or_default(),
                    existence: found.exists,
                    locked_with_conflict_ts: found.conflict_ts,
                    ..Default::default()
                }
            })
            .collect();
        return reply;
    }
    if request.return_values || request.check_existence {
        reply.not_founds = found.iter().map(|found| !found.exists).collect();
    }
    if request.return_values {
        reply.values = found
            .into_iter()
            .map(|found| found.value.unwrap_or_default())
            .collect();
    }
    reply
}

//! How transactions stand: what others ask about them, and how their owners keep them alive.

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::{Stop, end, refuse};
use crate::tikv::engine::{Changes, Lock, Reader, TxnRecord};
use crate::tikv::key::physical;

/// Whether a lock's time to live is over.
pub(crate) fn expired(lock: &Lock, current_ts: u64) -> bool {
    physical(lock.start_ts).saturating_add(lock.ttl) < physical(current_ts)
}

/// How a transaction stands, asked at its primary. What has expired is rolled back.
pub(crate) fn check_txn(
    reader: &Reader,
    changes: &mut Changes,
    request: &kv::CheckTxnStatusRequest,
) -> Result<kv::CheckTxnStatusResponse, Stop> {
    let (key, start_ts) = (&request.primary_key, request.lock_ts);
    let mut reply = kv::CheckTxnStatusResponse::default();
    match reader.lock(key)? {
        Some(lock) if lock.start_ts == start_ts => {
            if request.verify_is_primary && lock.primary != *key {
                return Err(kv::KeyError {
                    primary_mismatch: Some(kv::PrimaryMismatch {
                        lock_info: Some(lock.info(key)),
                    }),
                    ..Default::default()
                }
                .into());
            }
            check_lock(reader, changes, request, lock, &mut reply)?;
        }
        _ => match reader.txn_record(key, start_ts)? {
            TxnRecord::Committed(ts, _) => reply.commit_version = ts,
            TxnRecord::RolledBack => {}
            TxnRecord::None(_) if request.resolving_pessimistic_lock => {
                reply.set_action(kv::Action::LockNotExistDoNothing);
            }
            TxnRecord::None(_) if request.rollback_if_not_exist => {
                end::roll_back(reader, changes, key, start_ts, true)?;
                reply.set_action(kv::Action::LockNotExistRollback);
            }
            TxnRecord::None(_) => return Err(refuse::txn_not_found(key, start_ts).into()),
        },
    }
    Ok(reply)
}

fn check_lock(
    reader: &Reader,
    changes: &mut Changes,
    request: &kv::CheckTxnStatusRequest,
    mut lock: Lock,
    reply: &mut kv::CheckTxnStatusResponse,
) -> Result<(), Stop> {
    let key = &request.primary_key;
    let alive = lock.use_async_commit && !request.force_sync_commit;
    if !alive && expired(&lock, request.current_ts) {
        if lock.is_pessimistic() && request.resolving_pessimistic_lock {
            changes.unlock(key);
            reply.set_action(kv::Action::TtlExpirePessimisticRollback);
        } else {
            end::roll_back_lock(reader, changes, key, &lock)?;
            reply.set_action(kv::Action::TtlExpireRollback);
        }
        return Ok(());
    }
    let caller = request.caller_start_ts;
    // Without a lowest commit-ts the transaction does not know that it can be pushed.
    if !alive && lock.min_commit_ts > 0 && caller != u64::MAX && caller >= lock.min_commit_ts {
        lock.min_commit_ts = (caller + 1).max(request.current_ts);
        rewrite(reader, changes, key, &lock)?;
    }
    let pushed = caller == u64::MAX || (caller > 0 && lock.min_commit_ts > caller);
    if !lock.use_async_commit && pushed {
        reply.set_action(kv::Action::MinCommitTsPushed);
    }
    reply.lock_ttl = lock.ttl;
    reply.lock_info = Some(lock.info(key));
    Ok(())
}

/// Writes a changed lock; the feed tells of it again (golden/tikv-feed, 05).
fn rewrite(reader: &Reader, changes: &mut Changes, key: &Bytes, lock: &Lock) -> Result<(), Stop> {
    let value = reader.value_of_lock(key, lock)?;
    let old = if lock.is_change() {
        reader.get(key, lock.start_ts.max(lock.for_update_ts))?
    } else {
        None
    };
    changes.prewrite(key, lock, value, old);
    Ok(())
}

/// Lets a transaction live longer; tells how long.
pub(crate) fn heart_beat(
    reader: &Reader,
    changes: &mut Changes,
    request: &kv::TxnHeartBeatRequest,
) -> Result<u64, Stop> {
    let key = &request.primary_lock;
    let Some(mut lock) = reader
        .lock(key)?
        .filter(|lock| lock.start_ts == request.start_version)
    else {
        return Err(refuse::txn_not_found(key, request.start_version).into());
    };
    let longer = lock.ttl < request.advise_lock_ttl;
    let higher = !lock.use_async_commit && lock.min_commit_ts < request.min_commit_ts;
    if longer {
        lock.ttl = request.advise_lock_ttl;
    }
    if higher {
        lock.min_commit_ts = request.min_commit_ts;
    }
    if longer || higher {
        rewrite(reader, changes, key, &lock)?;
    }
    Ok(lock.ttl)
}

/// How an async-commit transaction stands on its secondary keys: all their locks, or the commit-ts, or, with neither,
/// that it is rolled back.
pub(crate) fn check_secondaries(
    reader: &Reader,
    changes: &mut Changes,
    request: &kv::CheckSecondaryLocksRequest,
) -> Result<kv::CheckSecondaryLocksResponse, Stop> {
    let start_ts = request.start_version;
    let mut locks = Vec::new();
    for key in &request.keys {
        let gone = match reader.lock(key)? {
            Some(lock) if lock.start_ts == start_ts && !lock.is_pessimistic() => {
                locks.push(lock.info(key));
                continue;
            }
            Some(lock) if lock.start_ts == start_ts => {
                end::roll_back_lock(reader, changes, key, &lock)?;
                0
            }
            _ => match reader.txn_record(key, start_ts)? {
                TxnRecord::Committed(ts, _) => ts,
                TxnRecord::RolledBack => 0,
                TxnRecord::None(_) => {
                    end::roll_back(reader, changes, key, start_ts, true)?;
                    0
                }
            },
        };
        return Ok(kv::CheckSecondaryLocksResponse {
            commit_ts: gone,
            ..Default::default()
        });
    }
    Ok(kv::CheckSecondaryLocksResponse {
        locks,
        ..Default::default()
    })
}

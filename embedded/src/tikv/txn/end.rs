//! Committing and rolling back.

use std::collections::HashMap;

use bytes::Bytes;

use super::{Stop, refuse};
use crate::tikv::engine::{Cf, Changes, Lock, Reader, TxnRecord, Write, WriteKind};
use crate::tikv::key;

/// Commits keys. A second time changes nothing.
pub(crate) fn commit_all(
    reader: &Reader,
    changes: &mut Changes,
    keys: &[Bytes],
    start_ts: u64,
    commit_ts: u64,
) -> Result<(), Stop> {
    // Until the primary is met.
    changes.unsynced = true;
    reader.in_order(keys.iter());
    keys.iter()
        .try_for_each(|key| commit(reader, changes, key, start_ts, commit_ts))
}

/// Commits a key. A second time changes nothing.
pub(crate) fn commit(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    commit_ts: u64,
) -> Result<(), Stop> {
    match reader.lock(key)? {
        Some(lock) if lock.start_ts == start_ts => {
            if commit_ts < lock.min_commit_ts {
                return Err(refuse::commit_ts_expired(key, &lock, commit_ts).into());
            }
            commit_lock(reader, changes, key, &lock, commit_ts)
        }
        // Mostly somebody has resolved it, at this very timestamp: that is quicker to look up.
        _ if is_committed_at(reader, key, start_ts, commit_ts)? => Ok(()),
        _ => match reader.txn_record(key, start_ts)? {
            TxnRecord::Committed(..) => Ok(()),
            TxnRecord::RolledBack | TxnRecord::None(_) => {
                Err(refuse::lock_not_found(key, start_ts, commit_ts).into())
            }
        },
    }
}

fn is_committed_at(reader: &Reader, key: &Bytes, start_ts: u64, ts: u64) -> Result<bool, Stop> {
    let write = reader.write_at(key, ts)?;
    Ok(
        write
            .is_some_and(|write| write.start_ts == start_ts && write.kind() != WriteKind::Rollback),
    )
}

fn commit_lock(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    lock: &Lock,
    commit_ts: u64,
) -> Result<(), Stop> {
    // A rollback may stand at this very timestamp: it must be remembered in the record that replaces it.
    let replaced = reader.write_at(key, commit_ts)?;
    let write = Write {
        overlapped_rollback: replaced.is_some_and(|old| old.kind() == WriteKind::Rollback),
        ..lock.committed()
    };
    changes.unsynced &= *key != lock.primary && !lock.use_async_commit;
    changes.unlock(key);
    changes.commit(key, commit_ts, &write);
    Ok(())
}

/// Rolls a transaction back on a key, be it locked or not. `protected`: the record must outlive later rollbacks.
///
/// # Errors
/// When it was committed.
pub(crate) fn roll_back(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    protected: bool,
) -> Result<(), Stop> {
    match reader.lock(key)? {
        Some(lock) if lock.start_ts == start_ts => roll_back_lock(reader, changes, key, &lock),
        _ => match reader.txn_record(key, start_ts)? {
            TxnRecord::Committed(ts, _) => Err(refuse::committed(start_ts, ts, key).into()),
            TxnRecord::RolledBack => Ok(()),
            TxnRecord::None(overlapped) => {
                mark(reader, changes, key, start_ts, protected, overlapped)
            }
        },
    }
}

/// Rolls a lock back. The record on the primary is what decides about the transaction: it is protected.
pub(crate) fn roll_back_lock(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    lock: &Lock,
) -> Result<(), Stop> {
    let overlapped = match reader.txn_record(key, lock.start_ts)? {
        TxnRecord::None(overlapped) => overlapped,
        TxnRecord::Committed(..) | TxnRecord::RolledBack => None,
    };
    if lock.kind() == crate::tikv::engine::LockKind::Put && lock.short_value.is_none() {
        changes.remove(Cf::Default, key::versioned(key, lock.start_ts));
    }
    changes.unlock(key);
    let protected = *key == lock.primary;
    mark(reader, changes, key, lock.start_ts, protected, overlapped)
}

/// Leaves the record of a rollback, and removes an unprotected older one that is next to it.
fn mark(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    protected: bool,
    overlapped: Option<Write>,
) -> Result<(), Stop> {
    if let Some(commit) = overlapped {
        // An unprotected one leaves no trace then (golden/tikv-feed, 18).
        if protected {
            let commit = Write {
                overlapped_rollback: true,
                ..commit
            };
            changes.write(key, start_ts, &commit);
            changes.rolled_back(key, start_ts, false);
        }
        return Ok(());
    }
    if let Some((ts, previous)) = reader.seek_write(key, start_ts.saturating_sub(1))?
        && previous.kind() == WriteKind::Rollback
        && !previous.protected
    {
        changes.remove(Cf::Write, key::versioned(key, ts));
    }
    changes.write(key, start_ts, &Write::rollback(start_ts, protected));
    changes.rolled_back(key, start_ts, protected);
    Ok(())
}

/// Ends transactions on keys where their locks are expected; `ends` has the commit-ts of each, 0 for a rollback.
pub(crate) fn resolve_all(
    reader: &Reader,
    changes: &mut Changes,
    locks: &[(Bytes, u64)],
    ends: &HashMap<u64, u64>,
) -> Result<(), Stop> {
    let commit_ts = |start_ts| ends.get(start_ts).copied().unwrap_or_default();
    // As with commits, and a rollback is synced.
    changes.unsynced = locks.iter().all(|(_, start_ts)| commit_ts(start_ts) > 0);
    reader.in_order(locks.iter().map(|(key, _)| key));
    locks.iter().try_for_each(|(key, start_ts)| {
        resolve(reader, changes, key, *start_ts, commit_ts(start_ts))
    })
}

/// Ends a transaction on a key whose lock is expected there: commits at `commit_ts`, or rolls back if that is 0.
fn resolve(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    commit_ts: u64,
) -> Result<(), Stop> {
    if commit_ts > 0 {
        return commit(reader, changes, key, start_ts, commit_ts);
    }
    match reader.lock(key)? {
        // It was never more than wanted: nothing is to be remembered.
        Some(lock) if lock.start_ts == start_ts && lock.is_pessimistic() => {
            changes.unlock(key);
            Ok(())
        }
        _ => roll_back(reader, changes, key, start_ts, false),
    }
}

/// Rolls a transaction back on its primary; tells the commit-ts if it is committed. `current_ts` 0 forces it, otherwise
/// only an expired lock is rolled back.
pub(crate) fn clean_up(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    current_ts: u64,
) -> Result<u64, Stop> {
    if let Some(lock) = reader.lock(key)?
        && lock.start_ts == start_ts
        && current_ts > 0
        && !super::status::expired(&lock, current_ts)
    {
        return Err(refuse::locked(key, &lock).into());
    }
    if let TxnRecord::Committed(ts, _) = reader.txn_record(key, start_ts)? {
        return Ok(ts);
    }
    roll_back(reader, changes, key, start_ts, true)?;
    Ok(0)
}

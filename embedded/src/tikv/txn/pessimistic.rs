//! Locking keys before they are written.

use bytes::Bytes;
use proto::kvrpcpb as kv;
use proto::kvrpcpb::write_conflict::Reason;

use super::{Stop, refuse};
use crate::tikv::engine::{Changes, Lock, LockKind, Reader, TxnRecord, WriteKind};

/// What was there, as the client asked to know it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) value: Option<Bytes>,
    pub(crate) exists: bool,
    /// For [`kv::PessimisticLockWakeUpMode::WakeUpModeForceLock`]: the commit-ts of the newer version that was locked
    /// nevertheless.
    pub(crate) conflict_ts: u64,
}

/// Locks one key.
pub(crate) fn lock(
    reader: &Reader,
    changes: &mut Changes,
    request: &kv::PessimisticLockRequest,
    mutation: &kv::Mutation,
) -> Result<Found, Stop> {
    let (key, start_ts) = (&mutation.key, request.start_version);
    let wants = Wants {
        value: request.return_values,
        existence: request.return_values || request.check_existence || request.lock_only_if_exists,
    };
    if request.lock_only_if_exists && !request.return_values {
        return Err(refuse::abort(format!(
            "lock key {}: lock_only_if_exists is set without return_values",
            hex::encode(key)
        ))
        .into());
    }
    let mut for_update_ts = request.for_update_ts;
    let held = match reader.lock(key)? {
        Some(lock) if lock.start_ts != start_ts => return Err(refuse::locked(key, &lock).into()),
        Some(lock) if !lock.is_pessimistic() => {
            return Err(refuse::abort(format!(
                "lock key {}: transaction {start_ts} has prewritten it already",
                hex::encode(key)
            ))
            .into());
        }
        held => held,
    };
    let mut conflict_ts = 0;
    if held.is_none()
        && let Some((commit_ts, write)) = reader.seek_write(key, u64::MAX)?
    {
        let rolled_back = matches!(reader.txn_record(key, start_ts)?, TxnRecord::RolledBack);
        if commit_ts >= start_ts && rolled_back {
            let own = (start_ts, start_ts);
            return Err(conflict(request, key, own, Reason::SelfRolledBack));
        }
        if commit_ts > for_update_ts {
            let force =
                request.wake_up_mode() == kv::PessimisticLockWakeUpMode::WakeUpModeForceLock;
            if !force {
                let others = (write.start_ts, commit_ts);
                return Err(conflict(request, key, others, Reason::PessimisticRetry));
            }
            conflict_ts = commit_ts;
            for_update_ts = commit_ts;
        }
    }
    let mut found = find(reader, key, for_update_ts, &wants, mutation)?;
    found.conflict_ts = conflict_ts;
    if request.lock_only_if_exists && !found.exists {
        return Ok(found);
    }
    let stronger = held
        .as_ref()
        .is_none_or(|lock| lock.for_update_ts < for_update_ts);
    if stronger {
        let held = held.unwrap_or_default();
        changes.lock(
            key,
            &Lock {
                kind: LockKind::Pessimistic.into(),
                primary: request.primary_lock.clone(),
                start_ts,
                ttl: request.lock_ttl.max(held.ttl),
                for_update_ts,
                min_commit_ts: request.min_commit_ts.max(held.min_commit_ts),
                ..Lock::default()
            },
        );
    }
    Ok(found)
}

struct Wants {
    value: bool,
    existence: bool,
}

fn find(
    reader: &Reader,
    key: &Bytes,
    as_of: u64,
    wants: &Wants,
    mutation: &kv::Mutation,
) -> Result<Found, Stop> {
    let should_not_exist =
        mutation.op() == kv::Op::Insert || mutation.assertion() == kv::Assertion::NotExist;
    if !wants.existence && !should_not_exist {
        return Ok(Found::default());
    }
    let version = reader.seek_version(key, as_of)?;
    let put = version.filter(|(_, write)| write.kind() == WriteKind::Put);
    let Some((_, write)) = put else {
        return Ok(Found::default());
    };
    if should_not_exist {
        return Err(refuse::already_exists(key).into());
    }
    Ok(Found {
        value: match wants.value {
            true => Some(reader.value_of(key, &write)?),
            false => None,
        },
        exists: true,
        conflict_ts: 0,
    })
}

fn conflict(
    request: &kv::PessimisticLockRequest,
    key: &Bytes,
    others: (u64, u64),
    reason: Reason,
) -> Stop {
    refuse::conflict(
        key,
        &request.primary_lock,
        request.start_version,
        others,
        reason,
    )
    .into()
}

/// Takes a pessimistic lock away, without leaving a record. A lock taken at a later for-update-ts stays.
pub(crate) fn unlock(
    reader: &Reader,
    changes: &mut Changes,
    key: &Bytes,
    start_ts: u64,
    for_update_ts: u64,
) -> Result<(), Stop> {
    if let Some(lock) = reader.lock(key)?
        && lock.is_pessimistic()
        && lock.start_ts == start_ts
        && lock.for_update_ts <= for_update_ts
    {
        changes.unlock(key);
    }
    Ok(())
}

//! The first phase of a commit, and the only one of 1PC.

use std::sync::Arc;

use bytes::Bytes;
use proto::kvrpcpb as kv;
use proto::kvrpcpb::prewrite_request::PessimisticAction;
use proto::kvrpcpb::write_conflict::Reason;

use super::{Stop, refuse};
use crate::tikv::concurrency::{Concurrency, Guard};
use crate::tikv::engine::{Changes, Lock, LockKind, Reader, TxnRecord, Write, WriteKind};

/// What a prewrite came to.
#[derive(Debug, Default)]
pub(crate) struct Prewritten {
    /// For async commit and 1PC: the transaction may not commit below.
    pub(crate) min_commit_ts: u64,
    /// The commit-ts of 1PC; 0 if the transaction has to commit in two phases.
    pub(crate) one_pc_commit_ts: u64,
    /// To be held until everything is on disk.
    pub(crate) guard: Option<Guard>,
}

/// A key that will be locked.
struct Planned {
    key: Bytes,
    kind: LockKind,
    value: Bytes,
    old: Option<Bytes>,
    /// The transaction's own pessimistic lock.
    held: Option<Lock>,
}

/// What stands in the way of one key, or what to do with it.
enum Verdict {
    Plan(Box<Planned>),
    /// Prewritten before; with its lowest commit-ts if the store chose it.
    Done(u64),
    /// Committed before, at this timestamp.
    Committed(u64),
    Nothing,
}

/// Prewrites the keys of a request. Locks of others are told for all keys together, anything else at once.
pub(crate) fn prewrite(
    reader: &Reader,
    changes: &mut Changes,
    concurrency: &Arc<Concurrency>,
    request: &kv::PrewriteRequest,
) -> Result<Prewritten, PrewriteError> {
    let chosen_by_store = request.use_async_commit || request.try_one_pc;
    let mut plan = Vec::with_capacity(request.mutations.len());
    let mut locked = Vec::new();
    let mut outcome = Prewritten::default();
    let (mut done, mut committed) = (0, 0);
    for (at, mutation) in request.mutations.iter().enumerate() {
        match examine(reader, request, at, mutation) {
            Ok(Verdict::Plan(planned)) => plan.push(*planned),
            Ok(Verdict::Done(min_commit_ts)) => {
                done += 1;
                outcome.min_commit_ts = outcome.min_commit_ts.max(min_commit_ts);
            }
            Ok(Verdict::Committed(ts)) => committed = ts,
            Ok(Verdict::Nothing) => {}
            Err(Stop::Refused(error)) if error.locked.is_some() => locked.push(*error),
            Err(other) => return Err(other.into()),
        }
    }
    if !locked.is_empty() {
        return Err(PrewriteError::Locked(locked));
    }
    if committed > 0 && chosen_by_store {
        outcome.min_commit_ts = committed;
        outcome.one_pc_commit_ts = if request.try_one_pc { committed } else { 0 };
        return Ok(outcome);
    }
    if plan.is_empty() {
        return Ok(outcome);
    }
    let mut in_two_phases = !chosen_by_store;
    if chosen_by_store {
        let keys = plan.iter().map(|planned| planned.key.clone()).collect();
        let floor = request
            .min_commit_ts
            .max(request.for_update_ts + 1)
            .max(outcome.min_commit_ts);
        let guard = concurrency.choose(keys, request.start_version, floor);
        // Above the client's limit, its schema may have changed: it has to ask PD for a commit-ts.
        if request.max_commit_ts > 0 && guard.min_commit_ts > request.max_commit_ts {
            in_two_phases = true;
            outcome.min_commit_ts = 0;
        } else {
            outcome.min_commit_ts = guard.min_commit_ts;
            outcome.guard = Some(guard);
        }
    }
    let at_once = request.try_one_pc && !in_two_phases && done == 0;
    if at_once {
        outcome.one_pc_commit_ts = outcome.min_commit_ts;
    }
    let async_commit = request.use_async_commit && !in_two_phases;
    changes.unsynced = !async_commit && !at_once;
    for planned in plan {
        let lock = lock_of(
            &planned,
            request,
            async_commit,
            outcome.min_commit_ts,
            changes,
        );
        if at_once {
            let write: Write = lock.committed();
            if planned.held.is_some() {
                changes.unlock(&planned.key);
            }
            let (key, commit_ts) = (&planned.key, outcome.one_pc_commit_ts);
            changes.commit_at_once(key, commit_ts, &write, planned.value, planned.old);
        } else {
            changes.prewrite(&planned.key, &lock, planned.value, planned.old);
        }
    }
    Ok(outcome)
}

/// Why nothing was prewritten.
#[derive(Debug)]
pub(crate) enum PrewriteError {
    /// By locks of others, one error a key.
    Locked(Vec<kv::KeyError>),
    Stop(Stop),
}

impl From<Stop> for PrewriteError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn lock_of(
    planned: &Planned,
    request: &kv::PrewriteRequest,
    async_commit: bool,
    min_commit_ts: u64,
    changes: &mut Changes,
) -> Lock {
    let held = planned.held.clone().unwrap_or_default();
    let is_primary = planned.key == request.primary_lock;
    let short_value = match planned.kind {
        LockKind::Put => changes.value(&planned.key, request.start_version, &planned.value),
        LockKind::Delete | LockKind::Lock | LockKind::Pessimistic => None,
    };
    Lock {
        kind: planned.kind.into(),
        primary: request.primary_lock.clone(),
        start_ts: request.start_version,
        ttl: request.lock_ttl.max(held.ttl),
        short_value,
        for_update_ts: request.for_update_ts,
        txn_size: request.txn_size,
        min_commit_ts: match async_commit {
            true => min_commit_ts,
            false => request.min_commit_ts.max(held.min_commit_ts),
        },
        use_async_commit: async_commit,
        secondaries: match async_commit && is_primary {
            true => request.secondaries.clone(),
            false => Vec::new(),
        },
        txn_source: request.context.as_ref().map_or(0, |c| c.txn_source),
    }
}

fn examine(
    reader: &Reader,
    request: &kv::PrewriteRequest,
    at: usize,
    mutation: &kv::Mutation,
) -> Result<Verdict, Stop> {
    let (key, start_ts) = (&mutation.key, request.start_version);
    let action = request
        .pessimistic_actions
        .get(at)
        .and_then(|&action| PessimisticAction::try_from(action).ok())
        .unwrap_or_default();
    let pessimistic = request.for_update_ts > 0;
    let mut held = None;
    match reader.lock(key)? {
        Some(lock) if lock.start_ts != start_ts => {
            if action == PessimisticAction::DoPessimisticCheck {
                // Whoever came after a commit whose answer was lost may hold it.
                let newest = reader.seek_write(key, u64::MAX)?;
                return match own_commit(reader, request, key, newest.map_or(0, |(ts, _)| ts))? {
                    Some(verdict) => Ok(verdict),
                    None => Err(refuse::pessimistic_lock_not_found(key, start_ts).into()),
                };
            }
            let mut error = refuse::locked(key, &lock);
            // A pessimistic transaction has the locks it needs: whoever holds this one cannot commit, and 0 tells the client
            // to resolve it at once.
            if pessimistic && let Some(lock) = &mut error.locked {
                lock.lock_ttl = 0;
            }
            return Err(error.into());
        }
        Some(lock) if lock.is_pessimistic() => {
            check_for_update_ts(request, at, key, &lock)?;
            held = Some(lock);
        }
        Some(lock) => {
            let chosen = if lock.use_async_commit {
                lock.min_commit_ts
            } else {
                0
            };
            return Ok(Verdict::Done(chosen));
        }
        None => {}
    }
    let newest = reader.seek_write(key, u64::MAX)?;
    let lost = held.is_none() && action == PessimisticAction::DoPessimisticCheck;
    let check = if pessimistic {
        action == PessimisticAction::DoConstraintCheck
    } else {
        !request.skip_constraint_check
    };
    if (lost || check)
        && let Some((commit_ts, write)) = &newest
    {
        if let Some(verdict) = own_commit(reader, request, key, *commit_ts)? {
            return Ok(verdict);
        }
        if lost && *commit_ts >= start_ts {
            // The key was written since: the lock cannot be taken again in its stead.
            return Err(refuse::pessimistic_lock_not_found(key, start_ts).into());
        }
        let others = (write.start_ts, *commit_ts);
        if *commit_ts > start_ts {
            let reason = match pessimistic {
                true => Reason::LazyUniquenessCheck,
                false => Reason::Optimistic,
            };
            return Err(conflict(request, key, others, reason));
        }
        let rolled_back = write.kind() == WriteKind::Rollback || write.overlapped_rollback;
        if *commit_ts == start_ts && rolled_back {
            return Err(conflict(
                request,
                key,
                (start_ts, start_ts),
                Reason::SelfRolledBack,
            ));
        }
    }
    let as_of = start_ts.max(request.for_update_ts);
    let version = match newest {
        Some((ts, write)) if write.is_version() && ts <= as_of => Some((ts, write)),
        Some(_) => reader.seek_version(key, as_of)?,
        None => None,
    };
    let existing = version.filter(|(_, write)| write.kind() == WriteKind::Put);
    check_assertion(request, mutation, existing.as_ref())?;
    let kind = match mutation.op() {
        kv::Op::Put => LockKind::Put,
        kv::Op::Del => LockKind::Delete,
        kv::Op::Lock => LockKind::Lock,
        kv::Op::Insert | kv::Op::CheckNotExists if existing.is_some() => {
            return Err(refuse::already_exists(key).into());
        }
        kv::Op::Insert => LockKind::Put,
        kv::Op::CheckNotExists => return Ok(Verdict::Nothing),
        kv::Op::Rollback | kv::Op::PessimisticLock => {
            return Err(refuse::abort(format!(
                "prewrite key {}: {:?} is no mutation",
                hex::encode(key),
                mutation.op()
            ))
            .into());
        }
    };
    let old = match existing {
        Some((_, write)) if kind != LockKind::Lock => Some(reader.value_of(key, &write)?),
        _ => None,
    };
    Ok(Verdict::Plan(Box::new(Planned {
        key: key.clone(),
        kind,
        value: match kind {
            LockKind::Put => mutation.value.clone(),
            LockKind::Delete | LockKind::Lock | LockKind::Pessimistic => Bytes::new(),
        },
        old,
        held,
    })))
}

fn conflict(
    request: &kv::PrewriteRequest,
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

/// A request that came twice: what it wrote may have been committed by someone else in between.
fn own_commit(
    reader: &Reader,
    request: &kv::PrewriteRequest,
    key: &Bytes,
    newest: u64,
) -> Result<Option<Verdict>, Stop> {
    if newest <= request.start_version || !(request.use_async_commit || request.try_one_pc) {
        return Ok(None);
    }
    Ok(match reader.txn_record(key, request.start_version)? {
        TxnRecord::Committed(ts, _) => Some(Verdict::Committed(ts)),
        TxnRecord::RolledBack | TxnRecord::None(_) => None,
    })
}

fn check_for_update_ts(
    request: &kv::PrewriteRequest,
    at: usize,
    key: &Bytes,
    lock: &Lock,
) -> Result<(), Stop> {
    let expected = request
        .for_update_ts_constraints
        .iter()
        .find(|constraint| usize::try_from(constraint.index) == Ok(at));
    match expected {
        Some(constraint) if constraint.expected_for_update_ts != lock.for_update_ts => {
            Err(refuse::pessimistic_lock_not_found(key, request.start_version).into())
        }
        _ => Ok(()),
    }
}

fn check_assertion(
    request: &kv::PrewriteRequest,
    mutation: &kv::Mutation,
    existing: Option<&(u64, Write)>,
) -> Result<(), Stop> {
    if request.assertion_level() == kv::AssertionLevel::Off {
        return Ok(());
    }
    let holds = match mutation.assertion() {
        kv::Assertion::None => true,
        kv::Assertion::Exist => existing.is_some(),
        kv::Assertion::NotExist => existing.is_none(),
    };
    if holds {
        return Ok(());
    }
    Err(kv::KeyError {
        assertion_failed: Some(kv::AssertionFailed {
            start_ts: request.start_version,
            key: mutation.key.clone(),
            assertion: mutation.assertion,
            existing_start_ts: existing.map_or(0, |(_, write)| write.start_ts),
            existing_commit_ts: existing.map_or(0, |(ts, _)| *ts),
        }),
        ..Default::default()
    }
    .into())
}

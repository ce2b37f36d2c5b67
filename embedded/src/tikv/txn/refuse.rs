//! What clients are told when a step is refused, in TiKV's words and fields.

use bytes::Bytes;
use proto::kvrpcpb as kv;

use crate::tikv::engine::Lock;

/// TiKV wraps what it tells clients to retry in the layers it came through.
fn layered(text: &str) -> String {
    format!("Error(Txn(Error(Mvcc(Error({text})))))")
}

pub(crate) fn locked(key: &[u8], lock: &Lock) -> kv::KeyError {
    kv::KeyError {
        locked: Some(lock.info(key)),
        ..Default::default()
    }
}

pub(crate) fn conflict(
    key: &Bytes,
    primary: &Bytes,
    start_ts: u64,
    (conflict_ts, conflict_commit_ts): (u64, u64),
    reason: kv::write_conflict::Reason,
) -> kv::KeyError {
    kv::KeyError {
        retryable: layered(&format!(
            "WriteConflict {{ start_ts: TimeStamp({start_ts}), conflict_start_ts: TimeStamp({conflict_ts}), \
             conflict_commit_ts: TimeStamp({conflict_commit_ts}), key: {:?}, primary: {:?}, reason: {reason:?} }}",
            key.to_vec(),
            primary.to_vec()
        )),
        conflict: Some(kv::WriteConflict {
            start_ts,
            conflict_ts,
            key: key.clone(),
            primary: primary.clone(),
            conflict_commit_ts,
            reason: reason.into(),
        }),
        ..Default::default()
    }
}

pub(crate) fn already_exists(key: &Bytes) -> kv::KeyError {
    kv::KeyError {
        already_exist: Some(kv::AlreadyExist { key: key.clone() }),
        ..Default::default()
    }
}

pub(crate) fn lock_not_found(key: &Bytes, start_ts: u64, commit_ts: u64) -> kv::KeyError {
    kv::KeyError {
        retryable: layered(&format!(
            "TxnLockNotFound {{ start_ts: TimeStamp({start_ts}), commit_ts: TimeStamp({commit_ts}), key: {:?} }}",
            key.to_vec()
        )),
        txn_lock_not_found: Some(kv::TxnLockNotFound { key: key.clone() }),
        ..Default::default()
    }
}

pub(crate) fn txn_not_found(primary: &Bytes, start_ts: u64) -> kv::KeyError {
    kv::KeyError {
        txn_not_found: Some(kv::TxnNotFound {
            start_ts,
            primary_key: primary.clone(),
        }),
        ..Default::default()
    }
}

pub(crate) fn commit_ts_expired(key: &Bytes, lock: &Lock, attempted: u64) -> kv::KeyError {
    kv::KeyError {
        commit_ts_expired: Some(kv::CommitTsExpired {
            start_ts: lock.start_ts,
            attempted_commit_ts: attempted,
            key: key.clone(),
            min_commit_ts: lock.min_commit_ts,
        }),
        ..Default::default()
    }
}

/// The pessimistic lock that a prewrite builds on has gone.
pub(crate) fn pessimistic_lock_not_found(key: &Bytes, start_ts: u64) -> kv::KeyError {
    kv::KeyError {
        abort: layered(&format!(
            "PessimisticLockNotFound {{ start_ts: TimeStamp({start_ts}), key: {:?} }}",
            key.to_vec()
        )),
        ..Default::default()
    }
}

/// Something that no retry helps with.
pub(crate) fn abort(text: String) -> kv::KeyError {
    kv::KeyError {
        abort: text,
        ..Default::default()
    }
}

/// A transaction that is committed cannot be rolled back.
pub(crate) fn committed(start_ts: u64, commit_ts: u64, key: &Bytes) -> kv::KeyError {
    abort(layered(&format!(
        "Committed {{ start_ts: TimeStamp({start_ts}), commit_ts: TimeStamp({commit_ts}), key: {:?} }}",
        key.to_vec()
    )))
}

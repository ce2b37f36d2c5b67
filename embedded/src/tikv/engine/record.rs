//! What stands in the lock and write column families.

use bytes::Bytes;
use proto::kvrpcpb as kv;

/// Why a key is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum LockKind {
    /// To get a value.
    Put = 0,
    /// To be deleted.
    Delete = 1,
    /// To stay as it is.
    Lock = 2,
    /// By a pessimistic transaction that has not prewritten it.
    Pessimistic = 3,
}

/// The lock of a key.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Lock {
    #[prost(enumeration = "LockKind", tag = "1")]
    pub(crate) kind: i32,
    /// Raw.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) primary: Bytes,
    #[prost(uint64, tag = "3")]
    pub(crate) start_ts: u64,
    /// Milliseconds from `start_ts` on.
    #[prost(uint64, tag = "4")]
    pub(crate) ttl: u64,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) short_value: Option<Bytes>,
    #[prost(uint64, tag = "6")]
    pub(crate) for_update_ts: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) txn_size: u64,
    /// The transaction may not commit below.
    #[prost(uint64, tag = "8")]
    pub(crate) min_commit_ts: u64,
    #[prost(bool, tag = "9")]
    pub(crate) use_async_commit: bool,
    #[prost(bytes = "bytes", repeated, tag = "10")]
    pub(crate) secondaries: Vec<Bytes>,
    #[prost(uint64, tag = "11")]
    pub(crate) txn_source: u64,
}

impl Lock {
    /// Whether the feed tells of it, and the resolved-ts waits for it.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self.kind(), LockKind::Put | LockKind::Delete)
    }

    pub(crate) fn is_pessimistic(&self) -> bool {
        self.kind() == LockKind::Pessimistic
    }

    /// As TiKV tells clients of it.
    pub(crate) fn info(&self, key: &[u8]) -> kv::LockInfo {
        let lock_type = match self.kind() {
            LockKind::Put => kv::Op::Put,
            LockKind::Delete => kv::Op::Del,
            LockKind::Lock => kv::Op::Lock,
            LockKind::Pessimistic => kv::Op::PessimisticLock,
        };
        kv::LockInfo {
            primary_lock: self.primary.clone(),
            lock_version: self.start_ts,
            key: Bytes::copy_from_slice(key),
            lock_ttl: self.ttl,
            txn_size: self.txn_size,
            lock_type: lock_type.into(),
            lock_for_update_ts: self.for_update_ts,
            use_async_commit: self.use_async_commit,
            min_commit_ts: self.min_commit_ts,
            secondaries: self.secondaries.clone(),
        }
    }

    /// The write record that commits it.
    pub(crate) fn committed(&self) -> Write {
        let kind = match self.kind() {
            LockKind::Put => WriteKind::Put,
            LockKind::Delete => WriteKind::Delete,
            LockKind::Lock | LockKind::Pessimistic => WriteKind::Lock,
        };
        Write {
            kind: kind.into(),
            start_ts: self.start_ts,
            short_value: self.short_value.clone().filter(|_| kind == WriteKind::Put),
            txn_source: self.txn_source,
            ..Write::default()
        }
    }
}

/// What a transaction did to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum WriteKind {
    /// Gave it a value.
    Put = 0,
    /// Deleted it.
    Delete = 1,
    /// Locked it only.
    Lock = 2,
    /// Was rolled back; stands at its start-ts.
    Rollback = 3,
}

/// The record of a transaction that ended.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Write {
    #[prost(enumeration = "WriteKind", tag = "1")]
    pub(crate) kind: i32,
    #[prost(uint64, tag = "2")]
    pub(crate) start_ts: u64,
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) short_value: Option<Bytes>,
    /// Another transaction, whose start-ts is this commit-ts, was rolled back.
    #[prost(bool, tag = "4")]
    pub(crate) overlapped_rollback: bool,
    /// A rollback that later ones may not remove.
    #[prost(bool, tag = "5")]
    pub(crate) protected: bool,
    #[prost(uint64, tag = "6")]
    pub(crate) txn_source: u64,
}

impl Write {
    pub(crate) fn rollback(start_ts: u64, protected: bool) -> Self {
        Self {
            kind: WriteKind::Rollback.into(),
            start_ts,
            protected,
            ..Self::default()
        }
    }

    /// Whether it is a version of the key's value.
    pub(crate) fn is_version(&self) -> bool {
        matches!(self.kind(), WriteKind::Put | WriteKind::Delete)
    }
}

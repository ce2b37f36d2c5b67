//! What flows between the stages: timestamps, key spans, committed rows.

use std::fmt;

use bytes::Bytes;

/// A timestamp of PD: milliseconds since 1970 UTC in the upper 46 bits, a logical counter in the lower 18.
pub type Ts = u64;

/// Bits of a [`Ts`] that hold the logical counter.
pub const LOGICAL_BITS: u32 = 18;

/// The wall clock part of `ts`, milliseconds since 1970 UTC.
#[must_use]
pub const fn physical_ms(ts: Ts) -> u64 {
    ts >> LOGICAL_BITS
}

/// The first timestamp of a millisecond since 1970 UTC.
#[must_use]
pub const fn compose_ts(physical_ms: u64, logical: u64) -> Ts {
    (physical_ms << LOGICAL_BITS) + logical
}

/// A half-open range of raw (not memcomparable-encoded) keys; an empty `end` is +inf.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First key of the range.
    pub start: Bytes,
    /// First key behind the range, empty for +inf.
    pub end: Bytes,
}

impl Span {
    /// The range from `start` up to, not including, `end`.
    #[must_use]
    pub fn new(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self {
            start: start.into(),
            end: end.into(),
        }
    }

    /// Whether `key` lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && (self.end.is_empty() || key < &self.end[..])
    }

    /// Whether the range holds no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, ", hex::encode(&self.start))?;
        match self.end.is_empty() {
            true => f.write_str("+inf)"),
            false => write!(f, "{})", hex::encode(&self.end)),
        }
    }
}

/// What a committed version of a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The key has a value from `commit_ts` on.
    Put,
    /// The key has no value from `commit_ts` on.
    Delete,
    /// The insert out of an update that went out as a delete and an insert, to come later than the delete. What is decided
    /// about changes was decided about the update.
    Rest,
}

/// One committed version of a key, as TiKV's change feed tells it.
///
/// `key`, `value` and `old_value` are TiDB's raw bytes. A value is empty on delete, an old value where there was none;
/// TiDB never stores an empty value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawKv {
    /// Put or delete.
    pub op: Op,
    /// Raw key (decoded from memcomparable form, without timestamp).
    pub key: Bytes,
    /// The new value, empty on delete.
    pub value: Bytes,
    /// The value just before, empty if there was none.
    pub old_value: Bytes,
    /// When the transaction began.
    pub start_ts: Ts,
    /// When it committed; always above `start_ts`.
    pub commit_ts: Ts,
}

/// How a change looks to a reader of the table (`spec/tikv-cdc-protocol.md §5`). The order is the one in which changes
/// of one transaction leave the sorter (`§7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// The row was there and is gone.
    Delete,
    /// The row was there and has other values.
    Update,
    /// The row is new.
    Insert,
}

impl RawKv {
    /// The kind of change. A put without old value is an insert; a delete is a delete, whether or not there was a value.
    #[must_use]
    pub fn kind(&self) -> ChangeKind {
        match self.op {
            Op::Delete => ChangeKind::Delete,
            Op::Rest => ChangeKind::Insert,
            Op::Put if self.old_value.is_empty() => ChangeKind::Insert,
            Op::Put => ChangeKind::Update,
        }
    }

    /// Bytes of memory held by this change, for quotas.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.value.len() + self.old_value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(op: Op, value: &'static str, old: &'static str) -> RawKv {
        RawKv {
            op,
            key: Bytes::from_static(b"k"),
            value: value.into(),
            old_value: old.into(),
            start_ts: 1,
            commit_ts: 2,
        }
    }

    #[test]
    fn kinds_follow_op_and_old_value() {
        assert_eq!(change(Op::Put, "a", "").kind(), ChangeKind::Insert);
        assert_eq!(change(Op::Put, "a", "b").kind(), ChangeKind::Update);
        assert_eq!(change(Op::Delete, "", "b").kind(), ChangeKind::Delete);
        assert!(ChangeKind::Delete < ChangeKind::Update && ChangeKind::Update < ChangeKind::Insert);
    }

    #[test]
    fn an_empty_end_is_without_bound() {
        let all = Span::new("", "");
        assert!(all.contains(b"") && all.contains(b"\xff\xff") && !all.is_empty());
        let some = Span::new("b", "d");
        assert!(
            some.contains(b"b")
                && some.contains(b"c\xff")
                && !some.contains(b"d")
                && !some.contains(b"a")
        );
        assert!(Span::new("d", "d").is_empty());
        assert_eq!(some.to_string(), "[62, 64)");
    }

    #[test]
    fn timestamps_split_at_18_bits() {
        let ts = compose_ts(1_700_000_000_123, 5);
        assert_eq!((physical_ms(ts), ts & 0x3ffff), (1_700_000_000_123, 5));
    }
}

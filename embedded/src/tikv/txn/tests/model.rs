//! What transactions come to, said as simply as it can be: per key, a lock and what happened at each timestamp.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// A key.
pub(super) type Key = u8;
/// None is a deleted one.
pub(super) type Value = Option<Bytes>;

/// What a transaction does to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    Put(Bytes),
    Delete,
    Lock,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) start_ts: u64,
    /// None: wanted only (pessimistic).
    pub(super) op: Option<Op>,
    pub(super) min_commit_ts: u64,
    pub(super) async_commit: bool,
}

/// What happened to a key at a timestamp; a commit and the rollback of another transaction can share one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Happened {
    /// By the transaction that started at.
    pub(super) commit: Option<(u64, Op)>,
    pub(super) rollback: bool,
    /// The mark of the rollback outlives later ones.
    pub(super) protected: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct OneKey {
    pub(super) lock: Option<Held>,
    pub(super) at: BTreeMap<u64, Happened>,
}

/// What became of a transaction on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed(u64),
    RolledBack,
    Unknown,
}

/// All keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) keys: BTreeMap<Key, OneKey>,
    /// Every version there ever was: key, commit-ts, start-ts, value.
    pub(super) history: BTreeSet<(Key, u64, u64, Value)>,
}

impl Model {
    pub(super) fn key(&self, key: Key) -> OneKey {
        self.keys.get(&key).cloned().unwrap_or_default()
    }

    fn key_mut(&mut self, key: Key) -> &mut OneKey {
        self.keys.entry(key).or_default()
    }

    pub(super) fn lock(&self, key: Key) -> Option<Held> {
        self.key(key).lock
    }

    /// The lock of this transaction on a key.
    pub(super) fn own_lock(&self, key: Key, start_ts: u64) -> Option<Held> {
        self.lock(key).filter(|lock| lock.start_ts == start_ts)
    }

    /// The value at a timestamp, locks left aside.
    pub(super) fn value(&self, key: Key, ts: u64) -> Value {
        let of_key = self.key(key);
        let versions = of_key.at.range(..=ts).rev();
        let mut versions = versions.filter_map(|(_, happened)| match &happened.commit {
            Some((_, Op::Put(value))) => Some(Some(value.clone())),
            Some((_, Op::Delete)) => Some(None),
            Some((_, Op::Lock)) | None => None,
        });
        versions.next().flatten()
    }

    pub(super) fn fate(&self, key: Key, start_ts: u64) -> Fate {
        let of_key = self.key(key);
        let committed = of_key
            .at
            .iter()
            .find(|(_, happened)| matches!(happened.commit, Some((start, _)) if start == start_ts));
        match (committed, of_key.at.get(&start_ts)) {
            (Some((ts, _)), _) => Fate::Committed(*ts),
            (None, Some(happened)) if happened.rollback => Fate::RolledBack,
            _ => Fate::Unknown,
        }
    }

    /// The last timestamp at which anything happened.
    pub(super) fn newest(&self, key: Key) -> u64 {
        self.key(key).at.last_key_value().map_or(0, |(ts, _)| *ts)
    }

    pub(super) fn take_lock(&mut self, key: Key, held: Held) {
        self.key_mut(key).lock = Some(held);
    }

    pub(super) fn unlock(&mut self, key: Key) {
        self.key_mut(key).lock = None;
    }

    pub(super) fn commit(&mut self, key: Key, start_ts: u64, commit_ts: u64, op: Op) {
        let value = match &op {
            Op::Put(value) => Some(Some(value.clone())),
            Op::Delete => Some(None),
            Op::Lock => None,
        };
        if let Some(value) = value {
            self.history.insert((key, commit_ts, start_ts, value));
        }
        let of_key = self.key_mut(key);
        of_key.at.entry(commit_ts).or_default().commit = Some((start_ts, op));
        if of_key
            .lock
            .as_ref()
            .is_some_and(|lock| lock.start_ts == start_ts)
        {
            of_key.lock = None;
        }
    }

    /// Leaves the mark of a rollback. An unprotected one beside another's commit leaves none, and one that stands right
    /// below the new one goes, as in TiKV (`collapse_prev_rollback`): clients know the fate from the primary.
    pub(super) fn roll_back(&mut self, key: Key, start_ts: u64, protected: bool) {
        let of_key = self.key_mut(key);
        if of_key
            .lock
            .as_ref()
            .is_some_and(|lock| lock.start_ts == start_ts)
        {
            of_key.lock = None;
        }
        let happened = of_key.at.entry(start_ts).or_default();
        let marked = protected || happened.commit.is_none();
        let beside_a_commit = happened.commit.is_some();
        if marked {
            happened.rollback = true;
            happened.protected = protected;
        }
        let below = of_key.at.range(..start_ts).next_back();
        if !beside_a_commit
            && let Some((ts, below)) = below
            && below.commit.is_none()
            && !below.protected
        {
            let ts = *ts;
            of_key.at.remove(&ts);
        }
    }

    /// Forgets what no reader at or above `safe_point` can see.
    pub(super) fn collect(&mut self, safe_point: u64) {
        for of_key in self.keys.values_mut() {
            let visible = of_key.at.range(..=safe_point).rev().find(|(_, happened)| {
                matches!(happened.commit, Some((_, Op::Put(_) | Op::Delete)))
            });
            let kept = visible.and_then(|(ts, happened)| match happened.commit {
                Some((_, Op::Put(_))) => Some(*ts),
                _ => None,
            });
            of_key
                .at
                .retain(|ts, _| *ts > safe_point || Some(*ts) == kept);
        }
    }

    /// The versions there are: key, commit-ts, start-ts, value.
    pub(super) fn versions(&self) -> BTreeSet<(Key, u64, u64, Value)> {
        let mut all = BTreeSet::new();
        for (key, of_key) in &self.keys {
            for (ts, happened) in &of_key.at {
                match &happened.commit {
                    Some((start, Op::Put(value))) => {
                        all.insert((*key, *ts, *start, Some(value.clone())));
                    }
                    Some((start, Op::Delete)) => {
                        all.insert((*key, *ts, *start, None));
                    }
                    Some((_, Op::Lock)) | None => {}
                }
            }
        }
        all
    }
}

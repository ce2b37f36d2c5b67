//! The locks that hold resolved-ts back.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::tikv::key::Range;

/// Start-ts of every lock for a change, by key.
#[derive(Debug, Default)]
pub(super) struct Locks {
    by_key: BTreeMap<Bytes, u64>,
    /// How many there are of each start-ts.
    counts: BTreeMap<u64, usize>,
}

impl Locks {
    pub(super) fn insert(&mut self, key: Bytes, start_ts: u64) {
        *self.counts.entry(start_ts).or_default() += 1;
        if let Some(before) = self.by_key.insert(key, start_ts) {
            self.uncount(before);
        }
    }

    pub(super) fn remove(&mut self, key: &Bytes) {
        if let Some(start_ts) = self.by_key.remove(key) {
            self.uncount(start_ts);
        }
    }

    fn uncount(&mut self, start_ts: u64) {
        if let Some(count) = self.counts.get_mut(&start_ts) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&start_ts);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The least start-ts of the locks in a range. Asked for at every tick: a transaction of millions of keys is mostly the
    /// oldest of all, and then its first key tells.
    pub(super) fn least(&self, range: &Range) -> Option<u64> {
        let (oldest, _) = self.counts.first_key_value()?;
        let mut least = None;
        let from = self.by_key.range(range.start.clone()..);
        for (_, start_ts) in from.take_while(|(key, _)| range.contains(key)) {
            least = Some(least.map_or(*start_ts, |least: u64| least.min(*start_ts)));
            if start_ts == oldest {
                break;
            }
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> Bytes {
        Bytes::copy_from_slice(&[n])
    }

    proptest! {
        #[test]
        fn the_least_is_that_of_all(
            moves in proptest::collection::vec((0..20_u8, proptest::option::of(1..6_u64)), 0..60),
            bounds in (0..20_u8, 0..20_u8),
        ) {
            let mut locks = Locks::default();
            let mut plain = BTreeMap::new();
            for (at, start_ts) in moves {
                match start_ts {
                    Some(start_ts) => {
                        locks.insert(key(at), start_ts);
                        plain.insert(at, start_ts);
                    }
                    None => {
                        locks.remove(&key(at));
                        plain.remove(&at);
                    }
                }
            }
            let (start, end) = (bounds.0.min(bounds.1), bounds.0.max(bounds.1));
            let expected = plain.range(start..end).map(|(_, start_ts)| *start_ts).min();
            let range = Range { start: key(start), end: key(end) };
            prop_assert_eq!(locks.least(&range), if start == end { None } else { expected });
            prop_assert_eq!(locks.len(), plain.len());
            prop_assert_eq!(locks.counts.values().sum::<usize>(), plain.len());
        }
    }
}

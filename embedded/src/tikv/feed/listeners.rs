//! The subscriptions of a region, by the keys they listen to.

use bytes::Bytes;

use super::subscription::{Id, Subscription};

/// The subscriptions of a region. There may be thousands: one for each table of each changefeed.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    /// In the order of their ranges, if `sorted`.
    all: Vec<Subscription>,
    /// The end up to which any of these and those before them listen; empty is +inf.
    reach: Vec<Bytes>,
    sorted: bool,
}

impl Listeners {
    pub(super) fn add(&mut self, subscription: Subscription) {
        self.all.push(subscription);
        self.sorted = false;
    }

    pub(super) fn remove(&mut self, id: Id) -> Option<Subscription> {
        let at = self.all.iter().position(|s| s.id == id)?;
        self.sorted = false;
        Some(self.all.swap_remove(at))
    }

    pub(super) fn find(&mut self, id: Id) -> Option<&mut Subscription> {
        self.all.iter_mut().find(|s| s.id == id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.all.iter()
    }

    /// All of them, those of the same range together.
    pub(super) fn by_range(&mut self) -> impl Iterator<Item = &mut Subscription> {
        self.sort();
        self.all.iter_mut()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Subscription> {
        self.all.get(place)
    }

    /// The places of those whose range holds a key, until the next is added or removed.
    pub(super) fn places_of(&mut self, key: &[u8]) -> impl Iterator<Item = usize> {
        self.sort();
        let behind = self.all.partition_point(|s| *s.range.start <= *key);
        (0..behind)
            .rev()
            .take_while(|place| self.reach[*place].is_empty() || *self.reach[*place] > *key)
            .filter(|place| self.all[*place].range.contains(key))
    }

    fn sort(&mut self) {
        if self.sorted {
            return;
        }
        self.all.sort_by(|a, b| {
            let (a, b) = (&a.range, &b.range);
            (&a.start, &a.end).cmp(&(&b.start, &b.end))
        });
        self.reach.clear();
        for subscription in &self.all {
            let end = &subscription.range.end;
            let reach = match self.reach.last() {
                Some(before) if before.is_empty() || !end.is_empty() && before > end => before,
                _ => end,
            };
            self.reach.push(reach.clone());
        }
        self.sorted = true;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::link::Link;
    use super::super::subscription::Stage;
    use super::*;
    use crate::tikv::key::Range;

    fn key(n: u8) -> Bytes {
        Bytes::copy_from_slice(&[n])
    }

    /// Of the keys from `start` to `end`; to the last if that is none.
    fn subscription(request: u64, start: u8, end: Option<u8>) -> Subscription {
        let range = Range {
            start: key(start),
            end: end.map(key).unwrap_or_default(),
        };
        Subscription {
            id: Id {
                link: 1,
                region: 2,
                request,
            },
            serial: request,
            link: Link::new(1, true).0,
            asked: range.clone(),
            range,
            filter_loop: false,
            stage: Stage::Initialized,
            resolved_ts: 0,
        }
    }

    proptest! {
        #[test]
        fn a_key_is_told_to_all_who_listen_to_it(
            ranges in proptest::collection::vec((0..12_u8, proptest::option::of(0..12_u8)), 0..20),
            gone in proptest::collection::btree_set(0..20_u64, 0..6),
            asked in 0..13_u8,
        ) {
            let mut listeners = Listeners::default();
            for (request, (start, end)) in (0..).zip(&ranges) {
                listeners.add(subscription(request, *start, *end));
            }
            for request in gone {
                let removed = listeners.remove(subscription(request, 0, None).id);
                prop_assert_eq!(removed.is_some(), request < ranges.len() as u64);
            }
            let asked = key(asked);
            let expected: BTreeSet<_> = listeners
                .iter()
                .filter(|s| s.range.contains(&asked))
                .map(|s| s.id)
                .collect();
            let places: Vec<_> = listeners.places_of(&asked).collect();
            let found: Vec<_> = places.iter().filter_map(|at| listeners.get(*at)).collect();
            prop_assert_eq!(found.len(), expected.len());
            prop_assert_eq!(found.iter().map(|s| s.id).collect::<BTreeSet<_>>(), expected);
        }
    }
}

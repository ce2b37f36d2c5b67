//! Which capture has which tables: a pure function of the tables, the captures, and who had them before.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The logical tables of every capture that takes part; one without tables is there too.
///
/// Tables are placed as a whole, with all their partitions: a row that moves from one partition to another keeps its key,
/// and two captures would not keep the order of its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Placement(BTreeMap<String, BTreeSet<i64>>);

/// Logical tables with the number of their physical ones: a table is one, a partitioned table as many as it has.
pub type Weights = BTreeMap<i64, usize>;

impl Placement {
    /// Places `tables` on `captures`, which must not be empty: a table stays where it was `before` if that capture is
    /// still there, others go to whichever has least. If a capture has come, tables move to it until all have about the
    /// same; otherwise none moves.
    #[must_use]
    pub fn next(tables: &Weights, captures: &BTreeSet<String>, before: &Placement) -> Self {
        let mut next = Self(
            captures
                .iter()
                .map(|capture| (capture.clone(), BTreeSet::new()))
                .collect(),
        );
        let mut homeless = Vec::new();
        for (table, weight) in tables {
            let kept = before.capture_of(*table);
            match kept.and_then(|capture| next.0.get_mut(capture)) {
                Some(own) => {
                    own.insert(*table);
                }
                None => homeless.push((std::cmp::Reverse(*weight), *table)),
            }
        }
        homeless.sort_unstable();
        let mut loads = next.loads(tables);
        for (std::cmp::Reverse(weight), table) in homeless {
            let least = loads.iter_mut().min_by_key(|(_, load)| **load);
            if let Some((capture, load)) = least {
                *load += weight;
                if let Some(own) = next.0.get_mut(capture) {
                    own.insert(table);
                }
            }
        }
        if captures
            .iter()
            .any(|capture| !before.0.contains_key(capture))
        {
            next.balance(tables);
        }
        next
    }

    /// Moves tables from whichever capture has most to whichever has least as long as that brings the two closer.
    pub fn balance(&mut self, tables: &Weights) {
        let mut loads = self.loads(tables);
        let weigh = |own: &BTreeSet<i64>| -> BTreeSet<(usize, i64)> {
            let weight = |table: &i64| tables.get(table).copied().unwrap_or_default();
            own.iter().map(|table| (weight(table), *table)).collect()
        };
        let mut weighed: BTreeMap<String, BTreeSet<(usize, i64)>> = self
            .0
            .iter()
            .map(|(capture, own)| (capture.clone(), weigh(own)))
            .collect();
        loop {
            // of equals the first, so that the same always comes out
            let least = loads.iter().min_by_key(|(_, load)| **load);
            let most = loads.iter().rev().max_by_key(|(_, load)| **load);
            let (Some((to, low)), Some((from, high))) = (least, most) else {
                return;
            };
            let (from, to, apart) = (from.clone(), to.clone(), high - low);
            let half = apart / 2;
            let own = weighed.entry(from.clone()).or_default();
            let below = own
                .range((1, i64::MIN)..=(half.max(1), i64::MAX))
                .next_back();
            let above = own.range((half + 1, i64::MIN)..(apart.max(half + 1), i64::MIN));
            let nearest = below
                .into_iter()
                .chain(above.take(1))
                .filter(|(weight, _)| *weight < apart)
                .min_by_key(|(weight, table)| (apart.abs_diff(2 * weight), *table))
                .copied();
            let Some((weight, table)) = nearest else {
                return;
            };
            own.remove(&(weight, table));
            weighed
                .entry(to.clone())
                .or_default()
                .insert((weight, table));
            loads.entry(from).and_modify(|load| *load -= weight);
            loads.entry(to.clone()).and_modify(|load| *load += weight);
            self.move_table(table, &to);
        }
    }

    /// Gives a table to a capture that takes part; whether it does.
    pub fn move_table(&mut self, table: i64, capture: &str) -> bool {
        if !self.0.contains_key(capture) {
            return false;
        }
        for (of, own) in &mut self.0 {
            match of == capture {
                true => own.insert(table),
                false => own.remove(&table),
            };
        }
        true
    }

    /// The captures that take part.
    pub fn captures(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Whether a capture takes part.
    #[must_use]
    pub fn includes(&self, capture: &str) -> bool {
        self.0.contains_key(capture)
    }

    /// The tables of a capture.
    pub fn of(&self, capture: &str) -> impl Iterator<Item = &i64> {
        self.0.get(capture).into_iter().flatten()
    }

    /// Whether a capture has a table.
    #[must_use]
    pub fn has(&self, capture: &str, table: i64) -> bool {
        self.0.get(capture).is_some_and(|own| own.contains(&table))
    }

    /// The capture that has a table.
    #[must_use]
    pub fn capture_of(&self, table: i64) -> Option<&str> {
        let mut all = self.0.iter();
        all.find_map(|(capture, own)| own.contains(&table).then_some(capture.as_str()))
    }

    fn loads(&self, tables: &Weights) -> BTreeMap<String, usize> {
        let weight = |table: &i64| tables.get(table).copied().unwrap_or_default();
        self.0
            .iter()
            .map(|(capture, own)| (capture.clone(), own.iter().map(weight).sum()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captures(names: &[u8]) -> BTreeSet<String> {
        names.iter().map(|name| format!("c{name}")).collect()
    }

    fn loads(placement: &Placement, tables: &Weights) -> Vec<usize> {
        placement.loads(tables).into_values().collect()
    }

    /// Of tables of weight 1, how many have to move so that no capture has two more than another.
    fn least_moves(loads: &[usize]) -> usize {
        let mut sorted = loads.to_vec();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let all: usize = sorted.iter().sum();
        let (even, more) = (all / sorted.len(), all % sorted.len());
        let target = |n: usize| even + usize::from(n < more);
        let moved = |(n, load): (usize, &usize)| load.saturating_sub(target(n));
        sorted.iter().enumerate().map(moved).sum()
    }

    #[test]
    fn a_capture_comes_and_goes() {
        let tables: Weights = (1..=6).map(|table| (table, 1)).collect();
        let alone = Placement::next(&tables, &captures(&[1]), &Placement::default());
        assert_eq!(loads(&alone, &tables), [6]);
        let two = Placement::next(&tables, &captures(&[1, 2]), &alone);
        assert_eq!(loads(&two, &tables), [3, 3]);
        // nobody has come: a table that was moved by hand stays
        let mut moved = two.clone();
        assert!(moved.move_table(1, "c1"));
        assert!(moved.move_table(2, "c1"));
        assert!(!moved.move_table(2, "c9"));
        assert_eq!(Placement::next(&tables, &captures(&[1, 2]), &moved), moved);
        let left = Placement::next(&tables, &captures(&[2]), &moved);
        assert_eq!(loads(&left, &tables), [6]);
    }

    #[test]
    fn a_large_table_does_not_go_back_and_forth() {
        let tables = Weights::from([(1, 10), (2, 1), (3, 1)]);
        let placed = Placement::next(&tables, &captures(&[1, 2]), &Placement::default());
        assert_eq!(loads(&placed, &tables), [10, 2]);
    }

    #[test]
    fn as_it_is_written() {
        let placed: Placement = serde_json::from_str(r#"{"a":[1,2],"b":[]}"#).unwrap();
        assert_eq!(placed.capture_of(2), Some("a"));
        assert!(placed.includes("b"));
        assert_eq!(
            serde_json::to_string(&placed).unwrap(),
            r#"{"a":[1,2],"b":[]}"#
        );
    }

    proptest! {
        #[test]
        fn every_table_is_on_one_capture(
            tables in proptest::collection::btree_map(0..60_i64, 1..5_usize, 0..40),
            before in proptest::collection::btree_map(0..60_i64, 0..5_u8, 0..60),
            had in proptest::collection::btree_set(0..5_u8, 0..5),
            now in proptest::collection::btree_set(0..5_u8, 1..5),
            moves in proptest::collection::vec((0..60_i64, 0..6_u8), 0..5),
        ) {
            let mut old = Placement::next(
                &Weights::new(),
                &captures(&had.iter().copied().collect::<Vec<_>>()),
                &Placement::default(),
            );
            for (table, capture) in before {
                old.move_table(table, &format!("c{capture}"));
            }
            let members = captures(&now.iter().copied().collect::<Vec<_>>());
            let mut next = Placement::next(&tables, &members, &old);
            prop_assert_eq!(&next, &Placement::next(&tables, &members, &old));
            let joined = members.iter().any(|capture| !old.includes(capture));
            if !joined {
                for table in tables.keys() {
                    if let Some(capture) = old.capture_of(*table).filter(|c| members.contains(*c)) {
                        prop_assert_eq!(next.capture_of(*table), Some(capture));
                    }
                }
            } else {
                let loads = loads(&next, &tables);
                let apart = loads.iter().max().unwrap() - loads.iter().min().unwrap();
                let largest = tables.values().max().copied().unwrap_or_default();
                prop_assert!(apart <= largest.max(1), "{:?}", loads);
            }
            for (table, capture) in moves {
                if tables.contains_key(&table) {
                    next.move_table(table, &format!("c{capture}"));
                }
            }
            let all: Vec<i64> = next.0.values().flatten().copied().collect();
            let distinct: BTreeSet<i64> = all.iter().copied().collect();
            prop_assert_eq!(all.len(), distinct.len());
            prop_assert!(distinct.iter().eq(tables.keys()));
            prop_assert!(next.captures().eq(members.iter()));
        }

        #[test]
        fn balancing_moves_as_few_as_it_can(
            homes in proptest::collection::vec(0..4_u8, 0..60),
        ) {
            let tables: Weights = (0..).zip(&homes).map(|(table, _)| (table, 1)).collect();
            let mut placed = Placement::next(&Weights::new(), &captures(&[0, 1, 2, 3]), &Placement::default());
            for (table, home) in (0..).zip(&homes) {
                placed.move_table(table, &format!("c{home}"));
            }
            let before = placed.clone();
            placed.balance(&tables);
            let moved = tables.keys().filter(|t| before.capture_of(**t) != placed.capture_of(**t)).count();
            prop_assert_eq!(moved, least_moves(&loads(&before, &tables)));
            let loads = loads(&placed, &tables);
            prop_assert!(loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1);
        }
    }
}

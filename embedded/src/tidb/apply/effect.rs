//! What a transaction does to each key in the end.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::client::Change;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::auto_ids::{Counter, Used};
use crate::tidb::codec::index::Entry;

/// The changes of a transaction, the last one of each key, and whether the key was there before it.
#[derive(Debug, Default)]
pub struct NetEffect {
    keys: BTreeMap<Bytes, Fate>,
    counted: BTreeMap<(i64, Counter), Used>,
}

#[derive(Debug)]
struct Fate {
    existed: bool,
    now: Option<Bytes>,
}

impl NetEffect {
    /// A row appears.
    pub fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.note(key, false, Some(value.into()));
    }

    /// A row changes under its key.
    pub fn update(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.note(key, true, Some(value.into()));
    }

    /// A row, or an entry of an index, goes.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.note(key, true, None);
    }

    /// A value of a table's counter is used.
    pub fn count(&mut self, table_id: i64, counter: Counter, value: i64) {
        let before = self.counted.get(&(table_id, counter)).copied();
        self.counted
            .insert((table_id, counter), Used::with(before, value));
    }

    /// The values of counters that are used.
    pub fn counted(&self) -> impl Iterator<Item = (i64, Counter, Used)> {
        self.counted
            .iter()
            .map(|((table_id, counter), used)| (*table_id, *counter, *used))
    }

    /// An entry of an index appears.
    ///
    /// TiDB takes one that is not distinct for one that may have been there: it deletes it also if it came within the
    /// transaction.
    pub fn put_entry(&mut self, entry: Entry) {
        self.note(entry.key, !entry.distinct, Some(entry.value.into()));
    }

    /// `existed` counts for the first change of a key only: later ones see what this transaction made.
    fn note(&mut self, key: Vec<u8>, existed: bool, now: Option<Bytes>) {
        self.keys
            .entry(key.into())
            .and_modify(|fate| fate.now = now.clone())
            .or_insert(Fate { existed, now });
    }

    /// The changes to make. A key that came and went within the transaction is left out; 4.0 deletes it.
    pub fn into_changes(self, version: TidbVersion) -> BTreeMap<Bytes, Change> {
        let old = version < TidbVersion::V8_5;
        self.keys
            .into_iter()
            .filter_map(|(key, fate)| match (fate.now, fate.existed || old) {
                (Some(value), _) => Some((key, Change::Put(value))),
                (None, true) => Some((key, Change::Delete)),
                (None, false) => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u8) -> Vec<u8> {
        vec![n]
    }

    #[test]
    fn a_changed_key_is_a_delete_and_a_put() {
        let mut effect = NetEffect::default();
        effect.delete(key(1));
        effect.insert(key(2), vec![7]);
        let changes = effect.into_changes(TidbVersion::V8_5);
        assert_eq!(changes[&key(1)[..]], Change::Delete);
        assert_eq!(changes[&key(2)[..]], Change::Put(vec![7].into()));
    }

    #[test]
    fn what_comes_and_goes_leaves_nothing() {
        let mut effect = NetEffect::default();
        effect.insert(key(1), vec![1]);
        effect.update(key(1), vec![2]);
        effect.delete(key(1));
        assert!(effect.into_changes(TidbVersion::V8_5).is_empty());
    }

    #[test]
    fn in_4_0_what_comes_and_goes_is_deleted() {
        let mut effect = NetEffect::default();
        effect.insert(key(1), vec![1]);
        effect.delete(key(1));
        let changes = effect.into_changes(TidbVersion::V4_0);
        assert_eq!(changes[&key(1)[..]], Change::Delete);
    }

    #[test]
    fn an_entry_that_goes_and_comes_back_is_put() {
        let entry = |distinct| Entry {
            key: key(1),
            value: vec![3],
            distinct,
        };
        for distinct in [true, false] {
            let mut effect = NetEffect::default();
            effect.delete(key(1));
            effect.put_entry(entry(distinct));
            assert_eq!(
                effect.into_changes(TidbVersion::V8_5)[&key(1)[..]],
                Change::Put(vec![3].into())
            );
            let mut effect = NetEffect::default();
            effect.put_entry(entry(distinct));
            effect.delete(key(1));
            assert_eq!(effect.into_changes(TidbVersion::V8_5).is_empty(), distinct);
        }
    }

    proptest! {
        /// Whatever is done to rows one by one, the net effect does at once.
        #[test]
        fn the_net_effect_equals_the_steps(
            present in proptest::collection::btree_set(0..6_u8, 0..6),
            steps in proptest::collection::vec((0..3_u8, 0..6_u8, 0..6_u8, any::<u8>()), 0..40),
        ) {
            let before: BTreeMap<u8, u8> = present.iter().map(|k| (*k, 0)).collect();
            let mut rows = before.clone();
            let mut effect = NetEffect::default();
            for (kind, a, b, value) in steps {
                match kind {
                    0 if !rows.contains_key(&a) => {
                        rows.insert(a, value);
                        effect.insert(key(a), vec![value]);
                    }
                    1 if rows.contains_key(&a) && (a == b || !rows.contains_key(&b)) => {
                        rows.remove(&a);
                        rows.insert(b, value);
                        if a == b {
                            effect.update(key(a), vec![value]);
                        } else {
                            effect.delete(key(a));
                            effect.insert(key(b), vec![value]);
                        }
                    }
                    2 if rows.remove(&a).is_some() => effect.delete(key(a)),
                    _ => {}
                }
            }
            let mut applied = before;
            for (key, change) in effect.into_changes(TidbVersion::V8_5) {
                match change {
                    Change::Put(value) => {
                        applied.insert(key[0], value[0]);
                    }
                    Change::Delete => prop_assert!(applied.remove(&key[0]).is_some()),
                }
            }
            prop_assert_eq!(applied, rows);
        }
    }
}

//! The tables of a changefeed, logical and physical.

use std::collections::{BTreeMap, BTreeSet};

use super::placement::Weights;
use crate::sort::TableId;

/// The tables that there are to place.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Physical ids by logical.
    pub(super) all: BTreeMap<i64, BTreeSet<TableId>>,
    pub(super) of: BTreeMap<TableId, i64>,
}

impl Tables {
    /// Makes a physical table one of a logical table's, or of none; a logical table that is gone with it.
    pub fn set(&mut self, id: TableId, logical: Option<i64>) -> Option<i64> {
        let before = match logical {
            Some(logical) => self.of.insert(id, logical),
            None => self.of.remove(&id),
        };
        let mut gone = None;
        if let Some(before) = before.filter(|before| Some(*before) != logical)
            && let Some(physical) = self.all.get_mut(&before)
        {
            physical.remove(&id);
            if physical.is_empty() {
                self.all.remove(&before);
                gone = Some(before);
            }
        }
        if let Some(logical) = logical {
            self.all.entry(logical).or_default().insert(id);
        }
        gone
    }

    /// Whether there is such a logical table.
    #[must_use]
    pub fn includes(&self, logical: i64) -> bool {
        self.all.contains_key(&logical)
    }

    /// Physical ids of all.
    #[must_use]
    pub fn physical(&self) -> Vec<TableId> {
        self.of.keys().copied().collect()
    }

    pub(super) fn weights(&self) -> Weights {
        let weight = |(logical, physical): (&i64, &BTreeSet<TableId>)| (*logical, physical.len());
        self.all.iter().map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_by_what_is_kept_of_them() {
        let mut tables = Tables::default();
        for (id, logical) in [(11, 10), (12, 10), (20, 20)] {
            assert_eq!(tables.set(id, Some(logical)), None);
        }
        assert_eq!(tables.weights(), Weights::from([(10, 2), (20, 1)]));
        // EXCHANGE PARTITION: each takes the other's place
        assert_eq!(tables.set(12, Some(20)), None);
        assert_eq!(tables.set(20, Some(10)), None);
        assert_eq!(tables.weights(), Weights::from([(10, 2), (20, 1)]));
        assert_eq!(tables.set(12, None), Some(20));
        assert!(!tables.includes(20));
        assert_eq!(tables.set(12, None), None);
        assert_eq!(tables.physical(), [11, 20]);
    }
}

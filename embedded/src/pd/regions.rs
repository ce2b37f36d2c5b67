//! The regions as stores have reported them, by key and by id.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;
use proto::metapb;

/// A region and what its leader said of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RegionInfo {
    /// Range, epoch, peers.
    pub meta: metapb::Region,
    /// The leading peer.
    pub leader: metapb::Peer,
    /// Size in MiB, by the store's estimate.
    pub approximate_size: u64,
    /// Number of keys, by the store's estimate.
    pub approximate_keys: u64,
}

impl RegionInfo {
    /// The region's epoch; zero if the store sent none.
    pub fn epoch(&self) -> metapb::RegionEpoch {
        self.meta.region_epoch.unwrap_or_default()
    }
}

/// What a report changed.
#[derive(Debug, PartialEq)]
pub enum Update {
    /// Older than what is known: ignored.
    Stale,
    /// Nothing that has to be stored.
    Same,
    /// The region is new or changed; these ids were replaced by it.
    Changed(Vec<u64>),
}

/// All regions. Their ranges never overlap.
#[derive(Debug, Default)]
pub struct Regions {
    by_start: BTreeMap<Bytes, u64>,
    by_id: HashMap<u64, RegionInfo>,
}

impl Regions {
    /// Takes a report in, unless it is older than what is known.
    pub fn put(&mut self, info: RegionInfo) -> Update {
        let epoch = info.epoch();
        let known = self.by_id.get(&info.meta.id);
        let older = known.is_some_and(|known| {
            let known = known.epoch();
            epoch.version < known.version || epoch.conf_ver < known.conf_ver
        });
        let overlapping = self.overlapping(&info.meta);
        if older
            || overlapping
                .iter()
                .any(|other| other.meta.id != info.meta.id && other.epoch().version > epoch.version)
        {
            return Update::Stale;
        }
        let same = known.is_some_and(|known| known.meta == info.meta);
        let replaced: Vec<u64> = overlapping
            .iter()
            .map(|other| other.meta.id)
            .filter(|&id| id != info.meta.id)
            .collect();
        for id in replaced.iter().copied().chain([info.meta.id]) {
            if let Some(old) = self.by_id.remove(&id) {
                self.by_start.remove(&old.meta.start_key);
            }
        }
        self.by_start
            .insert(info.meta.start_key.clone(), info.meta.id);
        self.by_id.insert(info.meta.id, info);
        if same {
            Update::Same
        } else {
            Update::Changed(replaced)
        }
    }

    fn overlapping(&self, range: &metapb::Region) -> Vec<&RegionInfo> {
        let first = self.by_key(&range.start_key).into_iter();
        let others = self
            .by_start
            .range::<[u8], _>((Bound::Excluded(range.start_key.as_ref()), Bound::Unbounded))
            .take_while(|(start, _)| range.end_key.is_empty() || *start < &range.end_key)
            .filter_map(|(_, id)| self.by_id.get(id));
        first.chain(others).collect()
    }

    /// The region that holds an (encoded) key.
    pub fn by_key(&self, key: &[u8]) -> Option<&RegionInfo> {
        let (_, id) = self
            .by_start
            .range::<[u8], _>((Bound::Unbounded, Bound::Included(key)))
            .next_back()?;
        let info = self.by_id.get(id)?;
        (info.meta.end_key.is_empty() || key < info.meta.end_key.as_ref()).then_some(info)
    }

    /// The region that ends where the one that holds `key` begins.
    pub fn before(&self, key: &[u8]) -> Option<&RegionInfo> {
        let start = &self.by_key(key)?.meta.start_key;
        let (_, id) = self
            .by_start
            .range::<[u8], _>((Bound::Unbounded, Bound::Excluded(start.as_ref())))
            .next_back()?;
        self.by_id.get(id).filter(|info| info.meta.end_key == start)
    }

    /// A region by its id.
    pub fn by_id(&self, id: u64) -> Option<&RegionInfo> {
        self.by_id.get(&id)
    }

    /// Regions that overlap `[start, end)` in key order; an empty end is +inf, a limit of 0 or less is none.
    pub fn scan(&self, start: &[u8], end: &[u8], limit: i32) -> Vec<&RegionInfo> {
        let limit = usize::try_from(limit)
            .ok()
            .filter(|&limit| limit > 0)
            .unwrap_or(usize::MAX);
        let range = metapb::Region {
            start_key: Bytes::copy_from_slice(start),
            end_key: Bytes::copy_from_slice(end),
            ..Default::default()
        };
        let mut found = self.overlapping(&range);
        found.truncate(limit);
        found
    }

    /// All regions in key order.
    pub fn iter(&self) -> impl Iterator<Item = &RegionInfo> {
        self.by_start.values().filter_map(|id| self.by_id.get(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: u64, start: &'static str, end: &'static str, version: u64) -> RegionInfo {
        RegionInfo {
            meta: metapb::Region {
                id,
                start_key: Bytes::from_static(start.as_bytes()),
                end_key: Bytes::from_static(end.as_bytes()),
                region_epoch: Some(metapb::RegionEpoch {
                    conf_ver: 1,
                    version,
                }),
                peers: vec![],
            },
            ..Default::default()
        }
    }

    fn ids(regions: &[&RegionInfo]) -> Vec<u64> {
        regions.iter().map(|info| info.meta.id).collect()
    }

    #[test]
    fn a_split_replaces_the_parent_in_any_order_of_reports() {
        for right_first in [false, true] {
            let mut regions = Regions::default();
            assert_eq!(regions.put(region(1, "", "", 1)), Update::Changed(vec![]));
            let (left, right) = (region(2, "", "m", 2), region(1, "m", "", 2));
            if right_first {
                assert_eq!(regions.put(right), Update::Changed(vec![]));
                assert_eq!(regions.put(left), Update::Changed(vec![]));
            } else {
                assert_eq!(regions.put(left), Update::Changed(vec![1]));
                assert_eq!(regions.put(right), Update::Changed(vec![]));
            }
            assert_eq!(ids(&regions.scan(b"", b"", 0)), [2, 1]);
            assert_eq!(regions.put(region(1, "", "", 1)), Update::Stale);
            assert_eq!(regions.put(region(2, "", "m", 2)), Update::Same);
        }
    }

    #[test]
    fn lookups_respect_bounds_and_holes() {
        let mut regions = Regions::default();
        for info in [
            region(1, "", "b", 1),
            region(2, "b", "d", 1),
            region(3, "f", "", 1),
        ] {
            regions.put(info);
        }
        let id = |key: &[u8]| regions.by_key(key).map(|info| info.meta.id);
        assert_eq!(
            [id(b""), id(b"b"), id(b"c"), id(b"e"), id(b"z")],
            [Some(1), Some(2), Some(2), None, Some(3)]
        );
        assert_eq!(regions.before(b"c").map(|info| info.meta.id), Some(1));
        assert_eq!(regions.before(b"z"), None);
        assert_eq!(ids(&regions.scan(b"a", b"b", 0)), [1]);
        assert_eq!(ids(&regions.scan(b"a", b"", 2)), [1, 2]);
        assert_eq!(ids(&regions.scan(b"e", b"", 0)), [3]);
    }
}

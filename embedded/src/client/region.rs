//! Regions by key range, as last heard of.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::{kvrpcpb, metapb};

use super::{ClientError, keys};

/// A region and who leads it.
#[derive(Debug, Clone)]
pub(super) struct Region {
    pub(super) id: u64,
    /// Wrapped.
    pub(super) start: Bytes,
    /// Wrapped; empty is +inf.
    pub(super) end: Bytes,
    epoch: metapb::RegionEpoch,
    pub(super) leader: metapb::Peer,
}

impl Region {
    /// From PD's words. Without a known leader the first peer is tried: it names the leader if it is not itself.
    pub(super) fn new(region: metapb::Region, leader: Option<metapb::Peer>) -> Option<Self> {
        let leader = leader
            .filter(|p| p.id != 0)
            .or_else(|| region.peers.first().copied())?;
        Some(Self {
            id: region.id,
            start: region.start_key,
            end: region.end_key,
            epoch: region.region_epoch.unwrap_or_default(),
            leader,
        })
    }

    /// Whether a wrapped key lies within.
    pub(super) fn contains(&self, wrapped: &[u8]) -> bool {
        self.start <= wrapped && (self.end.is_empty() || wrapped < &*self.end)
    }

    /// The raw key that the next region begins with; none behind the last one.
    pub(super) fn next_key(&self) -> Result<Option<Bytes>, ClientError> {
        if self.end.is_empty() {
            return Ok(None);
        }
        match keys::decode(&self.end) {
            Some(next) => Ok(Some(next.into())),
            None => Err(ClientError::Malformed {
                what: "scan a range",
                why: format!("region {} ends at no wrapped key", self.id),
            }),
        }
    }

    /// The context that a request to this region carries.
    pub(super) fn context(&self) -> kvrpcpb::Context {
        kvrpcpb::Context {
            region_id: self.id,
            region_epoch: Some(self.epoch),
            peer: Some(self.leader),
            ..Default::default()
        }
    }
}

/// The regions heard of.
#[derive(Debug, Default)]
pub(super) struct RegionCache {
    by_start: Mutex<BTreeMap<Bytes, Region>>,
}

impl RegionCache {
    /// The cached region of a wrapped key.
    pub(super) fn find(&self, wrapped: &[u8]) -> Option<Region> {
        let key = Bytes::copy_from_slice(wrapped);
        let map = self.locked();
        let (_, region) = map.range(..=key).next_back()?;
        region.contains(wrapped).then(|| region.clone())
    }

    /// Takes a region in; what overlaps it is older and goes.
    pub(super) fn put(&self, region: Region) {
        let mut map = self.locked();
        map.retain(|_, old| {
            let before = !old.end.is_empty() && old.end <= region.start;
            let after = !region.end.is_empty() && region.end <= old.start;
            before || after
        });
        map.insert(region.start.clone(), region);
    }

    /// Forgets a region.
    pub(super) fn forget(&self, id: u64) {
        self.locked().retain(|_, r| r.id != id);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Bytes, Region>> {
        self.by_start.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(id: u64, start: &str, end: &str) -> Region {
        let peer = metapb::Peer {
            id: id + 100,
            store_id: 1,
            ..Default::default()
        };
        Region::new(
            metapb::Region {
                id,
                start_key: Bytes::copy_from_slice(start.as_bytes()),
                end_key: Bytes::copy_from_slice(end.as_bytes()),
                region_epoch: None,
                peers: vec![peer],
            },
            None,
        )
        .unwrap()
    }

    #[test]
    fn a_new_region_replaces_what_it_overlaps() {
        let cache = RegionCache::default();
        cache.put(region(1, "", ""));
        assert_eq!(cache.find(b"x").unwrap().id, 1);
        cache.put(region(2, "", "m"));
        assert!(cache.find(b"x").is_none());
        cache.put(region(3, "m", ""));
        assert_eq!(cache.find(b"a").unwrap().id, 2);
        assert_eq!(cache.find(b"m").unwrap().id, 3);
        cache.put(region(4, "c", "z"));
        assert!(cache.find(b"a").is_none());
        assert!(cache.find(b"zz").is_none());
        assert_eq!(cache.find(b"c").unwrap().id, 4);
        cache.forget(4);
        assert!(cache.find(b"c").is_none());
    }
}

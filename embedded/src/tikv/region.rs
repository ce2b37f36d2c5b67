//! The regions of the store: which keys, which epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use proto::{errorpb, kvrpcpb, metapb};

use super::key::{self, Range};

/// A region of this store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    /// As PD knows it.
    pub(crate) meta: metapb::Region,
    /// Its range in raw keys.
    pub(crate) range: Range,
}

impl Region {
    /// From its metadata; none if a boundary is no wrapped key.
    pub(crate) fn new(meta: metapb::Region) -> Option<Self> {
        let raw = |boundary: &Bytes| match boundary.is_empty() {
            true => Some(Bytes::new()),
            false => key::unwrap(boundary).map(Bytes::from),
        };
        let range = Range {
            start: raw(&meta.start_key)?,
            end: raw(&meta.end_key)?,
        };
        Some(Self { meta, range })
    }

    pub(crate) fn id(&self) -> u64 {
        self.meta.id
    }

    /// How often it was split or merged.
    pub(crate) fn version(&self) -> u64 {
        self.meta.region_epoch.map_or(0, |epoch| epoch.version)
    }

    /// The one peer it has.
    pub(crate) fn peer(&self) -> metapb::Peer {
        self.meta.peers.first().copied().unwrap_or_default()
    }

    /// Cuts the region at raw keys within it, in order. The last part keeps the id (`right-derive-when-split`); the others
    /// take an id and a peer id each.
    pub(crate) fn cut(&self, keys: &[Bytes], ids: &[(u64, u64)]) -> Vec<Self> {
        let epoch = metapb::RegionEpoch {
            conf_ver: self.meta.region_epoch.map_or(1, |epoch| epoch.conf_ver),
            version: self.version() + keys.len() as u64,
        };
        let mut parts = Vec::with_capacity(keys.len() + 1);
        let mut start = self.range.start.clone();
        let wrapped = |raw: &Bytes| {
            if raw.is_empty() {
                Bytes::new()
            } else {
                key::wrap(raw).into()
            }
        };
        let own = (self.id(), self.peer().id);
        let ends = keys.iter().cloned().chain([self.range.end.clone()]);
        for (end, (id, peer)) in ends.zip(ids.iter().copied().chain([own])) {
            parts.push(Self {
                meta: metapb::Region {
                    id,
                    start_key: wrapped(&start),
                    end_key: wrapped(&end),
                    region_epoch: Some(epoch),
                    peers: vec![metapb::Peer {
                        id: peer,
                        ..self.peer()
                    }],
                },
                range: Range {
                    start: start.clone(),
                    end: end.clone(),
                },
            });
            start = end;
        }
        parts
    }
}

/// All regions of the store; their ranges never overlap.
#[derive(Debug)]
pub(crate) struct Regions {
    store_id: u64,
    by_start: RwLock<BTreeMap<Bytes, Arc<Region>>>,
}

impl Regions {
    pub(crate) fn new(store_id: u64, regions: Vec<Region>) -> Self {
        let by_start = regions
            .into_iter()
            .map(|region| (region.range.start.clone(), Arc::new(region)))
            .collect();
        Self {
            store_id,
            by_start: RwLock::new(by_start),
        }
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<Bytes, Arc<Region>>) -> T) -> T {
        look(&self.by_start.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All, in key order.
    pub(crate) fn all(&self) -> Vec<Arc<Region>> {
        self.read(|map| map.values().cloned().collect())
    }

    /// By its id.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Region>> {
        self.read(|map| map.values().find(|region| region.id() == id).cloned())
    }

    /// Puts the parts of a split in the place of their parent.
    pub(crate) fn replace(&self, parts: Vec<Region>) {
        let mut map = self
            .by_start
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        map.extend(
            parts
                .into_iter()
                .map(|region| (region.range.start.clone(), Arc::new(region))),
        );
    }

    /// What a request with this epoch has to be told, if the region has moved on. Of the configuration's version nothing
    /// depends, as in TiKV. A request that is behind learns the left neighbours too: parts of what it meant.
    pub(crate) fn check_epoch(
        &self,
        region: &Region,
        epoch: Option<&metapb::RegionEpoch>,
    ) -> Result<(), errorpb::EpochNotMatch> {
        let asked = epoch.map_or(0, |epoch| epoch.version);
        let current = region.version();
        if asked == current {
            return Ok(());
        }
        let mut current_regions = vec![region.meta.clone()];
        let mut newest = current;
        let mut wanted = current.saturating_sub(asked);
        self.read(|map| {
            let left = map.range(..region.range.start.clone()).rev();
            for (_, sibling) in left {
                if wanted == 0 {
                    break;
                }
                // A sibling that was split again stands for several.
                if sibling.version() > newest {
                    wanted += sibling.version() - newest;
                    newest = sibling.version();
                }
                wanted -= 1;
                current_regions.push(sibling.meta.clone());
            }
        });
        Err(errorpb::EpochNotMatch { current_regions })
    }

    /// The region a request means, if it may be served.
    pub(crate) fn check(
        &self,
        context: Option<&kvrpcpb::Context>,
    ) -> Result<Arc<Region>, Box<errorpb::Error>> {
        let asked = context.cloned().unwrap_or_default();
        if let Some(peer) = asked.peer
            && peer.store_id != 0
            && peer.store_id != self.store_id
        {
            return Err(Box::new(errorpb::Error {
                message: format!(
                    "store is not match, request store id is {}, actual store id is {}",
                    peer.store_id, self.store_id
                ),
                store_not_match: Some(errorpb::StoreNotMatch {
                    request_store_id: peer.store_id,
                    actual_store_id: self.store_id,
                }),
                ..Default::default()
            }));
        }
        let Some(region) = self.get(asked.region_id) else {
            return Err(Box::new(errorpb::Error {
                message: format!("region {} is not found", asked.region_id),
                region_not_found: Some(errorpb::RegionNotFound {
                    region_id: asked.region_id,
                }),
                ..Default::default()
            }));
        };
        match self.check_epoch(&region, asked.region_epoch.as_ref()) {
            Ok(()) => Ok(region),
            Err(epoch_not_match) => Err(Box::new(errorpb::Error {
                message: format!(
                    "current epoch of region {} is {:?}, but you sent {:?}",
                    region.id(),
                    region.meta.region_epoch,
                    asked.region_epoch
                ),
                epoch_not_match: Some(epoch_not_match),
                ..Default::default()
            })),
        }
    }
}

/// Fails for a key outside of the region.
pub(crate) fn check_keys<'a>(
    region: &Region,
    keys: impl IntoIterator<Item = &'a Bytes>,
) -> Result<(), Box<errorpb::Error>> {
    match keys.into_iter().find(|key| !region.range.contains(key)) {
        None => Ok(()),
        Some(key) => Err(Box::new(errorpb::Error {
            message: format!("key {} is not in region {}", hex::encode(key), region.id()),
            key_not_in_region: Some(errorpb::KeyNotInRegion {
                key: key::wrap(key).into(),
                region_id: region.id(),
                start_key: region.meta.start_key.clone(),
                end_key: region.meta.end_key.clone(),
            }),
            ..Default::default()
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> Region {
        Region::new(metapb::Region {
            id: 2,
            region_epoch: Some(metapb::RegionEpoch {
                conf_ver: 1,
                version: 1,
            }),
            peers: vec![metapb::Peer {
                id: 3,
                store_id: 1,
                ..Default::default()
            }],
            ..Default::default()
        })
        .unwrap()
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn context(id: u64, version: u64, store_id: u64) -> kvrpcpb::Context {
        kvrpcpb::Context {
            region_id: id,
            region_epoch: Some(metapb::RegionEpoch {
                conf_ver: 1,
                version,
            }),
            peer: Some(metapb::Peer {
                store_id,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_split_keeps_the_right_and_tells_those_behind_of_the_left() {
        let regions = Regions::new(1, vec![first()]);
        let parts = first().cut(&[bytes("g"), bytes("p")], &[(10, 11), (12, 13)]);
        let shape: Vec<_> = parts
            .iter()
            .map(|part| {
                (
                    part.id(),
                    part.peer().id,
                    part.range.clone(),
                    part.version(),
                )
            })
            .collect();
        let range = |start, end| Range {
            start: bytes(start),
            end: bytes(end),
        };
        assert_eq!(
            shape,
            [
                (10, 11, range("", "g"), 3),
                (12, 13, range("g", "p"), 3),
                (2, 3, range("p", ""), 3)
            ]
        );
        regions.replace(parts);
        let told = |ctx: kvrpcpb::Context| {
            let error = regions.check(Some(&ctx)).unwrap_err();
            let current = error.epoch_not_match.map(|e| e.current_regions);
            current
                .unwrap_or_default()
                .iter()
                .map(|region| region.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(context(2, 1, 1)), [2, 12, 10]);
        assert_eq!(told(context(2, 2, 1)), [2, 12]);
        assert_eq!(told(context(2, 9, 1)), [2]);
        assert!(regions.check(Some(&context(12, 3, 1))).is_ok());
        assert!(
            regions
                .check(Some(&context(99, 3, 1)))
                .unwrap_err()
                .region_not_found
                .is_some()
        );
        assert!(
            regions
                .check(Some(&context(2, 3, 7)))
                .unwrap_err()
                .store_not_match
                .is_some()
        );
        assert!(regions.check(None).unwrap_err().region_not_found.is_some());
        let middle = regions.get(12).unwrap();
        assert!(check_keys(&middle, &[bytes("g"), bytes("o")]).is_ok());
        assert!(
            check_keys(&middle, &[bytes("p")])
                .unwrap_err()
                .key_not_in_region
                .is_some()
        );
    }
}

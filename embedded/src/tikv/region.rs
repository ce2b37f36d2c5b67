//! The regions of the store: which keys, which epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use proto::{errorpb, kvrpcpb, metapb};

use super::key::{self, Range};

/// Ids for a part of a region: its own and its peers'.
#[derive(Debug, Clone)]
pub(crate) struct NewRegion {
    pub(crate) id: u64,
    pub(crate) peers: Vec<u64>,
}

/// A region of this store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    /// As PD knows it.
    pub(crate) meta: metapb::Region,
    /// Its range in raw keys.
    pub(crate) range: Range,
    /// The store that leads it. Not written down: after a start the first peer's store leads.
    pub(crate) leader: u64,
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
        let leader = meta.peers.first().map_or(0, |peer| peer.store_id);
        Some(Self {
            meta,
            range,
            leader,
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.meta.id
    }

    /// How often it was split or merged.
    pub(crate) fn version(&self) -> u64 {
        self.meta.region_epoch.map_or(0, |epoch| epoch.version)
    }

    /// The peer on a store.
    pub(crate) fn peer_on(&self, store: u64) -> Option<metapb::Peer> {
        let mut peers = self.meta.peers.iter();
        peers.find(|peer| peer.store_id == store).copied()
    }

    /// The peer that leads.
    pub(crate) fn leader(&self) -> metapb::Peer {
        self.peer_on(self.leader).unwrap_or_default()
    }

    fn conf_ver(&self) -> u64 {
        self.meta.region_epoch.map_or(1, |epoch| epoch.conf_ver)
    }

    /// The region led by another of its stores; none if it has no peer there.
    pub(crate) fn led_by(&self, store: u64) -> Option<Self> {
        self.peer_on(store)?;
        Some(Self {
            leader: store,
            ..self.clone()
        })
    }

    /// The region with a peer on each of these stores; `ids` are for the new ones. The same region if it has them.
    pub(crate) fn on_stores(&self, stores: &[u64], ids: &mut impl Iterator<Item = u64>) -> Self {
        let peers: Vec<metapb::Peer> = stores
            .iter()
            .filter_map(|&store_id| {
                self.peer_on(store_id).or_else(|| {
                    Some(metapb::Peer {
                        id: ids.next()?,
                        store_id,
                        ..Default::default()
                    })
                })
            })
            .collect();
        if peers == self.meta.peers {
            return self.clone();
        }
        let mut changed = self.clone();
        changed.meta.region_epoch = Some(metapb::RegionEpoch {
            conf_ver: self.conf_ver() + 1,
            version: self.version(),
        });
        changed.leader = peers.first().map_or(0, |peer| peer.store_id);
        changed.meta.peers = peers;
        changed
    }

    /// This region grown by a neighbour that ends. The versions are those of TiKV's two steps: the source goes one up
    /// when the merge is prepared, the target above both when it is committed.
    pub(crate) fn merged_with(&self, source: &Self) -> Option<Self> {
        let mut merged = self.clone();
        if source.range.end == self.range.start && !self.range.start.is_empty() {
            merged.range.start = source.range.start.clone();
            merged.meta.start_key = source.meta.start_key.clone();
        } else if source.range.start == self.range.end && !self.range.end.is_empty() {
            merged.range.end = source.range.end.clone();
            merged.meta.end_key = source.meta.end_key.clone();
        } else {
            return None;
        }
        merged.meta.region_epoch = Some(metapb::RegionEpoch {
            conf_ver: self.conf_ver(),
            version: self.version().max(source.version() + 1) + 1,
        });
        Some(merged)
    }

    /// Cuts the region at raw keys within it, in order. The last part keeps the id (`right-derive-when-split`); the others
    /// take an id and the ids of their peers each.
    pub(crate) fn cut(&self, keys: &[Bytes], ids: &[NewRegion]) -> Vec<Self> {
        let epoch = metapb::RegionEpoch {
            conf_ver: self.conf_ver(),
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
        let own = NewRegion {
            id: self.id(),
            peers: self.meta.peers.iter().map(|peer| peer.id).collect(),
        };
        let ends = keys.iter().cloned().chain([self.range.end.clone()]);
        for (end, new) in ends.zip(ids.iter().chain([&own])) {
            let peers = self.meta.peers.iter().zip(&new.peers);
            parts.push(Self {
                meta: metapb::Region {
                    id: new.id,
                    start_key: wrapped(&start),
                    end_key: wrapped(&end),
                    region_epoch: Some(epoch),
                    peers: peers
                        .map(|(old, &id)| metapb::Peer { id, ..*old })
                        .collect(),
                },
                range: Range {
                    start: start.clone(),
                    end: end.clone(),
                },
                leader: self.leader,
            });
            start = end;
        }
        parts
    }
}

/// All regions; their ranges never overlap.
#[derive(Debug)]
pub(crate) struct Regions {
    by_start: RwLock<BTreeMap<Bytes, Arc<Region>>>,
}

impl Regions {
    pub(crate) fn new(regions: Vec<Region>) -> Self {
        let by_start = regions
            .into_iter()
            .map(|region| (region.range.start.clone(), Arc::new(region)))
            .collect();
        Self {
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

    /// The one that holds a raw key.
    pub(crate) fn at(&self, key: &Bytes) -> Option<Arc<Region>> {
        self.read(|map| {
            let (_, region) = map.range(..=key.clone()).next_back()?;
            region.range.contains(key).then(|| region.clone())
        })
    }

    /// Puts regions in the place of others that cover the same keys: the parts of a split, the whole of a merge.
    pub(crate) fn replace(&self, parts: Vec<Region>) {
        let mut map = self
            .by_start
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        map.retain(|_, old| {
            let covered = |new: &Region| new.range.contains(&old.range.start);
            !parts.iter().any(covered)
        });
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

    /// The region a request to this store means, if it may be served. In TiKV's order: store, region, leader, epoch.
    pub(crate) fn check(
        &self,
        store_id: u64,
        context: Option<&kvrpcpb::Context>,
    ) -> Result<Arc<Region>, Box<errorpb::Error>> {
        let asked = context.cloned().unwrap_or_default();
        if let Some(peer) = asked.peer
            && peer.store_id != 0
            && peer.store_id != store_id
        {
            return Err(Box::new(errorpb::Error {
                message: format!(
                    "store is not match, request store id is {}, actual store id is {}",
                    peer.store_id, store_id
                ),
                store_not_match: Some(errorpb::StoreNotMatch {
                    request_store_id: peer.store_id,
                    actual_store_id: store_id,
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
        if region.leader != store_id {
            let leader = region.leader();
            return Err(Box::new(errorpb::Error {
                message: format!(
                    "peer is not leader for region {}, leader may Some({leader:?})",
                    region.id()
                ),
                not_leader: Some(not_leader(&region)),
                ..Default::default()
            }));
        }
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

/// What a client is told that asks a store which does not lead.
pub(crate) fn not_leader(region: &Region) -> errorpb::NotLeader {
    errorpb::NotLeader {
        region_id: region.id(),
        leader: Some(region.leader()),
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
mod tests;

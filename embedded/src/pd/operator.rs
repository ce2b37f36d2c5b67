//! Orders to the stores: splitting, merging, handing regions over.
//!
//! The real PD keeps operators until heartbeats say that they are done. Here the stores carry an order out at once, so that
//! none is ever pending.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proto::pdpb;
use serde::Deserialize;

use super::Error;
use super::cluster::Cluster;
use super::regions::RegionInfo;

/// How long a split is waited for.
const SPLIT_WAIT: Duration = Duration::from_secs(10);
const SPLIT_POLL: Duration = Duration::from_millis(20);

/// What `POST /pd/api/v1/operators` asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Operator {
    /// A region ends in its neighbour.
    MergeRegion {
        /// The one that ends.
        source_region_id: u64,
        /// The one that grows.
        target_region_id: u64,
    },
    /// Another store leads a region.
    TransferLeader {
        /// The region.
        region_id: u64,
        /// The store.
        to_store_id: u64,
    },
    /// A region is cut.
    SplitRegion {
        /// The region.
        region_id: u64,
        /// Only `usekey` can be had.
        policy: String,
        /// Wrapped keys, in hex.
        #[serde(default)]
        keys: Vec<String>,
    },
}

fn region(cluster: &Cluster, id: u64) -> Result<RegionInfo, Error> {
    let found = cluster.read(|state| state.regions.by_id(id).cloned());
    found.ok_or_else(|| Error::Operator(format!("region {id} not found")))
}

async fn order(
    cluster: &Cluster,
    what: &'static str,
    info: &RegionInfo,
    order: pdpb::RegionHeartbeatResponse,
) -> Result<(), Error> {
    let store = info.leader.store_id;
    let order = pdpb::RegionHeartbeatResponse {
        header: Some(pdpb::ResponseHeader {
            cluster_id: cluster.id,
            error: None,
        }),
        region_id: info.meta.id,
        region_epoch: info.meta.region_epoch,
        target_peer: Some(info.leader),
        ..order
    };
    match cluster.order(store, order).await {
        true => Ok(()),
        false => Err(Error::StoreAway { what, store }),
    }
}

/// Orders what is asked for.
///
/// # Errors
/// When a region or store does not fit, or the leading store is not connected.
pub async fn create(cluster: &Cluster, asked: Operator) -> Result<(), Error> {
    match asked {
        Operator::MergeRegion {
            source_region_id,
            target_region_id,
        } => {
            let source = region(cluster, source_region_id)?;
            let target = region(cluster, target_region_id)?;
            let (a, b) = (&source.meta, &target.meta);
            let apart = |a: &Bytes, b: &Bytes| a.is_empty() || a != b;
            if apart(&a.end_key, &b.start_key) && apart(&b.end_key, &a.start_key) {
                let why = "not adjacent regions".to_owned();
                return Err(Error::Operator(why));
            }
            let merge = pdpb::RegionHeartbeatResponse {
                merge: Some(pdpb::Merge {
                    target: Some(target.meta),
                }),
                ..Default::default()
            };
            order(cluster, "merge", &source, merge).await
        }
        Operator::TransferLeader {
            region_id,
            to_store_id,
        } => {
            let info = region(cluster, region_id)?;
            let mut peers = info.meta.peers.iter();
            let peer = peers.find(|peer| peer.store_id == to_store_id).copied();
            let peer = peer.ok_or_else(|| {
                Error::Operator(format!(
                    "region {region_id} has no voter in store {to_store_id}"
                ))
            })?;
            let transfer = pdpb::RegionHeartbeatResponse {
                transfer_leader: Some(pdpb::TransferLeader { peer: Some(peer) }),
                ..Default::default()
            };
            order(cluster, "leader transfer", &info, transfer).await
        }
        Operator::SplitRegion {
            region_id,
            policy,
            keys,
        } => {
            if policy != "usekey" {
                let why = format!("split policy {policy} is not supported, use usekey");
                return Err(Error::Operator(why));
            }
            let decoded: Result<Vec<Bytes>, _> = keys
                .iter()
                .map(|key| hex::decode(key).map(Bytes::from))
                .collect();
            let keys = decoded.map_err(|error| Error::Operator(format!("split keys: {error}")))?;
            let info = region(cluster, region_id)?;
            order(cluster, "split", &info, cut(keys)).await
        }
    }
}

fn cut(keys: Vec<Bytes>) -> pdpb::RegionHeartbeatResponse {
    pdpb::RegionHeartbeatResponse {
        split_region: Some(pdpb::SplitRegion {
            policy: pdpb::CheckPolicy::Usekey.into(),
            keys,
        }),
        ..Default::default()
    }
}

/// Orders the stores to split at those keys, and waits until they have; how much of it is done in percent, and the regions
/// that start at the keys.
///
/// # Errors
/// When a leading store is not connected.
pub async fn split_at(cluster: &Cluster, keys: &[Bytes]) -> Result<(u64, Vec<u64>), Error> {
    let mut by_region: BTreeMap<u64, (RegionInfo, Vec<Bytes>)> = BTreeMap::new();
    cluster.read(|state| {
        for key in keys {
            let holds = state.regions.by_key(key);
            if let Some(info) = holds.filter(|info| info.meta.start_key != key) {
                let known = by_region.entry(info.meta.id);
                known
                    .or_insert_with(|| (info.clone(), Vec::new()))
                    .1
                    .push(key.clone());
            }
        }
    });
    for (info, keys) in by_region.into_values() {
        order(cluster, "split", &info, cut(keys)).await?;
    }
    let done = || {
        cluster.read(|state| {
            let starts = keys.iter().filter_map(|key| {
                let holds = state.regions.by_key(key);
                holds.filter(|info| info.meta.start_key == key)
            });
            starts.map(|info| info.meta.id).collect::<Vec<_>>()
        })
    };
    let deadline = tokio::time::Instant::now() + SPLIT_WAIT;
    let mut finished = done();
    while finished.len() < keys.len() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(SPLIT_POLL).await;
        finished = done();
    }
    let percentage = (finished.len() * 100)
        .checked_div(keys.len())
        .unwrap_or(100);
    Ok((u64::try_from(percentage).unwrap_or(100), finished))
}

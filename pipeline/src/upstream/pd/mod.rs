//! The placement driver: timestamps, where regions and stores are, GC safepoints.

mod link;
mod tso;

use std::time::Duration;

use bytes::Bytes;
use proto::{metapb, pdpb};
use tokio::sync::watch;

use self::link::Link;
pub(super) use self::link::describe;
use super::Error;
use crate::model::{Span, Ts};

/// How long an answer of PD may take, changes of leader included.
const LIMIT: Duration = Duration::from_secs(15);
/// How often the members are asked for while nothing fails: all that were known may be replaced one by one.
const MEMBERS_EVERY: Duration = Duration::from_secs(30);

/// A region and who leads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) meta: metapb::Region,
    /// Unknown for a moment after an election.
    pub(crate) leader: Option<metapb::Peer>,
}

impl Region {
    /// The region's keys, memcomparable-encoded.
    pub(crate) fn span(&self) -> Span {
        Span {
            start: self.meta.start_key.clone(),
            end: self.meta.end_key.clone(),
        }
    }

    fn new(meta: metapb::Region, leader: Option<metapb::Peer>) -> Self {
        // PD answers a peer without store while it knows no leader.
        Self {
            meta,
            leader: leader.filter(|peer| peer.store_id != 0),
        }
    }
}

/// A client of PD; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Pd {
    link: std::sync::Arc<Link>,
    tso: tso::Oracle,
}

impl Pd {
    /// Finds the members of PD by asking `endpoints` (`host:port` or `http://host:port`).
    pub(crate) async fn connect(endpoints: &[String]) -> Result<Self, Error> {
        let link = std::sync::Arc::new(Link::connect(endpoints, LIMIT).await?);
        let kept = std::sync::Arc::downgrade(&link);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(MEMBERS_EVERY).await;
                let Some(link) = kept.upgrade() else { return };
                if let Err(reason) = link.discover().await {
                    tracing::debug!(reason, "no member of PD names the others");
                }
            }
        });
        Ok(Self {
            tso: tso::Oracle::start(link.clone()),
            link,
        })
    }

    /// The id of the cluster, which every request names.
    pub(crate) fn cluster_id(&self) -> u64 {
        self.link.cluster_id()
    }

    /// The client addresses of all members known.
    pub(crate) fn members(&self) -> watch::Receiver<Vec<String>> {
        self.link.members()
    }

    /// A fresh timestamp; calls made together share one request.
    pub(crate) async fn tso(&self) -> Result<Ts, Error> {
        self.tso.get(LIMIT).await
    }

    /// The address of a store as `http://host:port`.
    pub(crate) async fn store_address(&self, store_id: u64) -> Result<String, Error> {
        let what = "the address of a store";
        let (reply, endpoint) = self
            .link
            .call(what, LIMIT, |mut pd, header| async move {
                pd.get_store(pdpb::GetStoreRequest {
                    header: Some(header),
                    store_id,
                })
                .await
            })
            .await?;
        let refused = |reason| Error::PdRefused {
            what,
            endpoint: endpoint.clone(),
            reason,
        };
        let store = reply
            .store
            .ok_or_else(|| refused(format!("it knows no store {store_id}")))?;
        if store.state() == metapb::StoreState::Tombstone {
            return Err(refused(format!(
                "store {store_id} ({}) is a tombstone",
                store.address
            )));
        }
        super::channel::normalize(&store.address).map_err(|reason| {
            refused(format!(
                "store {store_id} has the address {:?}: {reason}",
                store.address
            ))
        })
    }

    /// All stores that are not tombstones.
    pub(crate) async fn stores(&self) -> Result<Vec<metapb::Store>, Error> {
        let (reply, _) = self
            .link
            .call("the list of stores", LIMIT, |mut pd, header| async move {
                let header = Some(header);
                pd.get_all_stores(pdpb::GetAllStoresRequest {
                    header,
                    exclude_tombstone_stores: true,
                })
                .await
            })
            .await?;
        Ok(reply.stores)
    }

    /// The region that holds the memcomparable-encoded `key`, or nothing while PD knows none.
    pub(crate) async fn region(&self, key: &Bytes) -> Result<Option<Region>, Error> {
        let (reply, _) = self
            .link
            .call("the region of a key", LIMIT, |mut pd, header| {
                let region_key = key.clone();
                async move {
                    let header = Some(header);
                    pd.get_region(pdpb::GetRegionRequest {
                        header,
                        region_key,
                        need_buckets: false,
                    })
                    .await
                }
            })
            .await?;
        Ok(reply.region.map(|meta| Region::new(meta, reply.leader)))
    }

    /// A region by its id, or nothing if PD knows none of it.
    pub(crate) async fn region_by_id(&self, region_id: u64) -> Result<Option<Region>, Error> {
        let (reply, _) = self
            .link
            .call("a region", LIMIT, |mut pd, header| async move {
                pd.get_region_by_id(pdpb::GetRegionByIdRequest {
                    header: Some(header),
                    region_id,
                    need_buckets: false,
                })
                .await
            })
            .await?;
        Ok(reply.region.map(|meta| Region::new(meta, reply.leader)))
    }

    /// Up to `limit` regions from the one that holds `span.start` on, in key order, keys memcomparable-encoded. Right
    /// after a split or merge there may be gaps.
    pub(crate) async fn scan_regions(&self, span: &Span, limit: i32) -> Result<Vec<Region>, Error> {
        let (reply, _) = self
            .link
            .call("the regions of a span", LIMIT, |mut pd, header| {
                let Span { start, end } = span.clone();
                async move {
                    let header = Some(header);
                    pd.scan_regions(pdpb::ScanRegionsRequest {
                        header,
                        start_key: start,
                        limit,
                        end_key: end,
                    })
                    .await
                }
            })
            .await?;
        if reply.regions.is_empty() {
            // PD before 4.0 fills the older pair of lists only.
            let regions = reply.region_metas.into_iter().zip(reply.leaders);
            return Ok(regions
                .map(|(meta, leader)| Region::new(meta, Some(leader)))
                .collect());
        }
        Ok(reply
            .regions
            .into_iter()
            .filter_map(|r| Some(Region::new(r.region?, r.leader)))
            .collect())
    }

    /// Registers or, with `ttl_secs` 0, removes the service `id`'s safepoint; answers the minimum over all services.
    pub(crate) async fn update_service_safepoint(
        &self,
        id: &str,
        ttl_secs: i64,
        ts: Ts,
    ) -> Result<Ts, Error> {
        let service_id = Bytes::copy_from_slice(id.as_bytes());
        let (reply, _) = self
            .link
            .call("a service GC safepoint", LIMIT, |mut pd, header| {
                let service_id = service_id.clone();
                async move {
                    pd.update_service_gc_safe_point(pdpb::UpdateServiceGcSafePointRequest {
                        header: Some(header),
                        service_id,
                        ttl: ttl_secs,
                        safe_point: ts,
                    })
                    .await
                }
            })
            .await?;
        Ok(reply.min_safe_point)
    }
}

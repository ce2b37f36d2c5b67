//! The TiDB cluster as a source: PD, reads at a timestamp, TiKV's change feed.

mod channel;
mod error;
mod feed;
mod keys;
mod kv;
mod pd;
mod retry;
mod stores;

use tokio::sync::watch;

pub use self::{
    error::Error,
    feed::{Batch, FeedEvent, Subscription},
    kv::{Pairs, Scan, Snapshot},
};
use self::{
    feed::{Hub, Room},
    kv::Kv,
    pd::Pd,
    stores::Stores,
};
use crate::{
    meters::FeedMeters,
    model::{Span, Ts},
};

/// A TiDB cluster. Clones share connections, streams and what is known of regions; many changefeeds use one.
#[derive(Clone, Debug)]
pub struct Upstream {
    pd: Pd,
    kv: Kv,
    hub: Hub,
    meters: FeedMeters,
    open: Room,
}

/// A store of the cluster as PD lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// PD's id of it.
    pub id: u64,
    /// `host:port` of its gRPC service.
    pub address: String,
    /// The version it runs, without `v`: `8.5.3`.
    pub version: String,
}

impl Upstream {
    /// Finds the cluster by asking one of `pd_endpoints` (`host:port` or `http://host:port`) for all members of PD.
    pub async fn connect(pd_endpoints: &[String]) -> Result<Self, Error> {
        let pd = Pd::connect(pd_endpoints).await?;
        let stores = Stores::new(pd.clone());
        let kv = Kv::new(pd.clone(), stores.clone());
        let hub = Hub::new(pd.cluster_id(), stores);
        Ok(Self {
            pd,
            kv,
            hub,
            meters: FeedMeters::default(),
            open: Room::new(usize::MAX),
        })
    }

    /// The same cluster for one changefeed: what comes of it counts in `meters`, and rows of open transactions take about
    /// `open_bytes` of memory.
    #[must_use]
    pub fn of_changefeed(self, meters: FeedMeters, open_bytes: usize) -> Self {
        let open = Room::new(open_bytes);
        Self {
            meters,
            open,
            ..self
        }
    }

    /// Bytes of memory that rows of open transactions take.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.open.used()
    }

    /// The id that PD gave the cluster.
    #[must_use]
    pub fn cluster_id(&self) -> u64 {
        self.pd.cluster_id()
    }

    /// The client addresses of all members of PD known by now, as `http://host:port`.
    #[must_use]
    pub fn pd_endpoints(&self) -> Vec<String> {
        self.pd_members().borrow().clone()
    }

    /// The same, as members come and go; PD's etcd answers there too.
    #[must_use]
    pub fn pd_members(&self) -> watch::Receiver<Vec<String>> {
        self.pd.members()
    }

    /// A timestamp newer than that of every transaction committed before this call.
    pub async fn tso(&self) -> Result<Ts, Error> {
        self.pd.tso().await
    }

    /// The stores of the cluster, tombstones left out.
    pub async fn stores(&self) -> Result<Vec<Store>, Error> {
        let stores = self.pd.stores().await?;
        Ok(stores
            .into_iter()
            .map(|s| Store {
                id: s.id,
                address: s.address,
                version: s.version,
            })
            .collect())
    }

    /// Reads as of `ts`.
    #[must_use]
    pub fn snapshot(&self, ts: Ts) -> Snapshot {
        self.kv.snapshot(ts)
    }

    /// Resolves the locks up to `max_ts` in the keys of a region whose transactions are over. Answers how many there were that
    /// hold a resolved-ts back, living ones included.
    pub async fn resolve_locks(&self, region: u64, max_ts: Ts) -> Result<usize, Error> {
        let Some(region) = self.pd.region_by_id(region).await? else {
            return Err(Error::NoRegion { region });
        };
        self.kv.resolve_locks_in(&region.span(), max_ts).await
    }

    /// Keeps versions newer than `ts` from garbage collection for `ttl_secs` on behalf of the service `id`; 0 removes it.
    /// Answers the minimum over all services: `ts` was refused if that is above it (`spec/tikv-cdc-protocol.md §8`).
    pub async fn update_service_safepoint(
        &self,
        id: &str,
        ttl_secs: i64,
        ts: Ts,
    ) -> Result<Ts, Error> {
        self.pd.update_service_safepoint(id, ttl_secs, ts).await
    }

    /// Follows what is committed in `span` after `start_ts`. Dropping the subscription ends it.
    #[must_use]
    pub fn subscribe(&self, span: Span, start_ts: Ts) -> Subscription {
        self.subscribe_within(span, start_ts, feed::INBOX_BYTES)
    }

    /// As [`subscribe`](Self::subscribe), with about `bytes` that may wait to be read, 8 MiB at most; one message of a
    /// store may wait whatever its size.
    #[must_use]
    pub fn subscribe_within(&self, span: Span, start_ts: Ts, bytes: usize) -> Subscription {
        feed::subscribe(self.clone(), span, start_ts, bytes)
    }
}

//! A small client of PD and TiKV, as the SQL front needs it: timestamps, reads at a timestamp, transactions.
//!
//! It speaks the real wire protocols and holds to what a real cluster demands: regions are looked up at PD and cached by
//! key range, region errors invalidate the cache and are retried, locks in the way are resolved, a transaction is
//! prewritten and committed over as many regions as it touches.
//!
//! [`Client`] is cheap to clone. Every call retries for as long as the client's patience lasts and then says what kept it
//! from succeeding.

mod batch;
mod error;
pub(crate) mod keys;
mod lock;
mod pd;
mod read;
mod region;
mod request;
mod retry;
mod split;
mod store;
mod txn;

use std::sync::Arc;
use std::time::Duration;

pub use error::ClientError;
pub use read::{Pair, Snapshot};
pub use txn::{Change, Source, Synced};

use pd::Pd;
use region::RegionCache;
use retry::Backoff;
use store::Stores;

/// A timestamp of PD: physical milliseconds since 1970 UTC in the upper 46 bits, a counter in the lower 18.
pub type Ts = u64;

/// A connection to one cluster.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pd: Pd,
    regions: RegionCache,
    stores: Stores,
    patience: Duration,
}

impl Client {
    /// Connects to the cluster of one of the PD `endpoints` (`http://host:port`), within `patience`; later calls give up
    /// after `patience` too.
    pub async fn connect(endpoints: &[String], patience: Duration) -> Result<Self, ClientError> {
        Ok(Self {
            inner: Arc::new(Inner {
                pd: Pd::connect(endpoints, patience).await?,
                regions: RegionCache::default(),
                stores: Stores::default(),
                patience,
            }),
        })
    }

    /// The id of the cluster.
    pub fn cluster_id(&self) -> u64 {
        self.inner.pd.cluster_id()
    }

    /// A fresh timestamp.
    pub async fn tso(&self) -> Result<Ts, ClientError> {
        self.inner.pd.tso(self.backoff("get a timestamp")).await
    }

    /// The data as of `ts`.
    pub fn snapshot(&self, ts: Ts) -> Snapshot {
        Snapshot::new(self.clone(), ts)
    }

    fn backoff(&self, what: &'static str) -> Backoff {
        Backoff::new(what, self.inner.patience)
    }
}

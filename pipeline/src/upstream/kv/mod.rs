//! Reads of a store: which region and store serve a key, and asking them.

mod locks;
mod regions;
mod request;
mod snapshot;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use proto::{errorpb, kvrpcpb, metapb, tikvpb::tikv_client::TikvClient};

pub use self::snapshot::{Pairs, Scan, Snapshot};
use self::{regions::Regions, request::RegionRequest};
use super::{
    Error,
    channel::{Channels, MESSAGE_LIMIT},
    keys,
    pd::{Pd, Region, describe},
    retry::Backoff,
    stores::Stores,
};

/// How long a read or a lock resolution may take, elections and waiting for locks included.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a store may take for one answer.
const PER_TRY: Duration = Duration::from_secs(15);
/// Bytes of an answer that may be under way.
const STREAM_WINDOW: u32 = 4 << 20;

/// A client of the stores; clones share its connections and what it knows of regions.
#[derive(Clone, Debug)]
pub(crate) struct Kv(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pd: Pd,
    stores: Stores,
    regions: Regions,
    channels: Channels,
}

/// What a failed try says about the next one.
struct Retry {
    reason: String,
    at_least: Duration,
}

impl Retry {
    fn soon(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            at_least: Duration::ZERO,
        }
    }
}

impl Kv {
    /// A client of the cluster of `pd`.
    pub(crate) fn new(pd: Pd, stores: Stores) -> Self {
        let regions = Regions::new(pd.clone());
        Self(Arc::new(Inner {
            pd,
            stores,
            regions,
            channels: Channels::new(STREAM_WINDOW),
        }))
    }

    /// Reads as of `ts`.
    pub(crate) fn snapshot(&self, ts: crate::model::Ts) -> Snapshot {
        Snapshot::new(self.clone(), ts)
    }

    /// Sends what `build` makes for the region of the raw `key`, to its leader, until it answers without region error.
    async fn call<R: RegionRequest>(
        &self,
        key: &[u8],
        build: impl Fn(&Region) -> R,
    ) -> Result<(R::Reply, Arc<Region>), Error> {
        let key = keys::encode(key);
        let mut backoff = Backoff::within(LIMIT);
        loop {
            let region = self.0.regions.locate(&key).await?;
            let (store, retry) = match self.attempt(&region, build(&region), backoff.left()).await {
                Ok(reply) => return Ok((reply, region)),
                Err(failure) => failure,
            };
            tracing::debug!(
                what = R::WHAT,
                region = region.meta.id,
                store,
                reason = retry.reason,
                "trying again"
            );
            if !backoff.pause(retry.at_least).await {
                let (waited, region, last) = (backoff.waited(), region.meta.id, retry.reason);
                return Err(Error::Store {
                    what: R::WHAT,
                    store,
                    region,
                    waited,
                    last,
                });
            }
        }
    }

    /// One try; a failure comes with the store's address.
    async fn attempt<R: RegionRequest>(
        &self,
        region: &Region,
        mut request: R,
        limit: Duration,
    ) -> Result<R::Reply, (String, Retry)> {
        let inner = &self.0;
        let Some(leader) = region.leader else {
            inner.regions.forget(region);
            return Err((String::new(), Retry::soon("the region has no leader")));
        };
        let address = match inner.stores.address(leader.store_id).await {
            Ok(address) => address,
            Err(error) => {
                inner.regions.forget(region);
                return Err((String::new(), Retry::soon(error.to_string())));
            }
        };
        let lost = |reason: String| {
            inner.regions.forget(region);
            inner.stores.forget(leader.store_id);
            (address.clone(), Retry::soon(reason))
        };
        let client = match inner.channels.get(&address) {
            Ok(channel) => TikvClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT),
            Err(error) => return Err(lost(error.to_string())),
        };
        request
            .context()
            .get_or_insert_default()
            .region(region, leader);
        match tokio::time::timeout(limit.min(PER_TRY), request.send(client)).await {
            Err(_) => Err(lost("no answer in time".into())),
            Ok(Err(status)) => Err(lost(describe(&status))),
            Ok(Ok(mut reply)) => match R::region_error(&mut reply) {
                None => Ok(reply),
                Some(error) => Err((address.clone(), self.region_error(region, leader, error))),
            },
        }
    }

    /// Learns from a region error what it tells.
    fn region_error(&self, region: &Region, leader: metapb::Peer, error: errorpb::Error) -> Retry {
        let inner = &self.0;
        if let Some(busy) = error.server_is_busy {
            let at_least = Duration::from_millis(busy.backoff_ms.min(5000));
            return Retry {
                reason: format!("the store is busy: {}", busy.reason),
                at_least,
            };
        }
        let waits = error.stale_command.is_some()
            || error.max_timestamp_not_synced.is_some()
            || error.region_not_initialized.is_some();
        if waits {
            return Retry::soon(error.message);
        }
        match error.not_leader {
            Some(errorpb::NotLeader {
                leader: Some(new), ..
            }) if new.store_id != 0 => {
                inner.regions.set_leader(region, new);
                return Retry::soon("the leader has changed");
            }
            _ => inner.regions.forget(region),
        }
        if error.store_not_match.is_some() {
            inner.stores.forget(leader.store_id);
        }
        Retry::soon(if error.message.is_empty() {
            "the region has changed".into()
        } else {
            error.message
        })
    }
}

/// Fills in where a request goes.
trait Directed {
    /// Names `region`, as known, and its `leader`.
    fn region(&mut self, region: &Region, leader: metapb::Peer);
}

impl Directed for kvrpcpb::Context {
    fn region(&mut self, region: &Region, leader: metapb::Peer) {
        self.region_id = region.meta.id;
        self.region_epoch = region.meta.region_epoch;
        self.peer = Some(leader);
        self.request_source = "external_cdc".into();
    }
}

/// The failure that a store reports for `key`, other than a lock.
fn key_error(what: &'static str, key: &[u8], error: &kvrpcpb::KeyError) -> Error {
    let reason = match error {
        kvrpcpb::KeyError { abort, .. } if !abort.is_empty() => abort.clone(),
        kvrpcpb::KeyError { retryable, .. } if !retryable.is_empty() => retryable.clone(),
        other => format!("{other:?}"),
    };
    Error::Key {
        what,
        key: hex::encode(key),
        reason,
    }
}

/// The raw key at which the region after `region` begins; nothing after the last.
fn next_region(region: &Region) -> Result<Option<Bytes>, Error> {
    let end = &region.meta.end_key;
    if end.is_empty() {
        return Ok(None);
    }
    let boundary = || Error::Boundary {
        boundary: hex::encode(end),
        region: region.meta.id,
    };
    keys::decode(end).map(Some).ok_or_else(boundary)
}

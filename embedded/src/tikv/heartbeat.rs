//! Keeping PD informed, and carrying out what it orders.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::pdpb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::key;
use super::pd::PdLink;
use super::store::Store;

/// Between two reports of the store.
const STORE: Duration = Duration::from_secs(5);
/// Between two reports of all regions; changes are reported at once.
const REGIONS: Duration = Duration::from_secs(10);
/// Before a broken stream is opened again.
const RECONNECT: Duration = Duration::from_millis(200);
const MIB: u64 = 1 << 20;

/// Reports the store until `stop`.
pub(crate) async fn stores(store: Arc<Store>, pd: PdLink, stop: CancellationToken) {
    let start_time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| u32::try_from(now.as_secs()).unwrap_or(u32::MAX));
    let mut failing = false;
    loop {
        let used_size = store.engine.disk_space();
        for store_id in &store.ids {
            let stats = pdpb::StoreStats {
                store_id: *store_id,
                capacity: used_size + 100 * 1024 * MIB,
                available: 100 * 1024 * MIB,
                region_count: u32::try_from(store.regions.all().len()).unwrap_or(u32::MAX),
                start_time,
                used_size,
            };
            match pd.store_heartbeat(stats).await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!("failed to {error}");
                }
                Err(_) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(STORE) => {}
        }
    }
}

/// Reports the regions, and splits where PD says so, until `stop`.
pub(crate) async fn regions(store: Arc<Store>, pd: PdLink, stop: CancellationToken) {
    let mut failing = false;
    while !stop.is_cancelled() {
        let outcome = tokio::select! {
            () = stop.cancelled() => return,
            outcome = report(&store, &pd) => outcome,
        };
        let problem = match outcome {
            Ok(()) => "PD closed the stream".to_owned(),
            Err(status) => status.message().to_owned(),
        };
        if failing {
            tracing::debug!(problem, "region heartbeats are interrupted");
        } else {
            tracing::warn!(problem, "region heartbeats are interrupted");
        }
        failing = true;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECONNECT) => {}
        }
    }
}

async fn report(store: &Arc<Store>, pd: &PdLink) -> Result<(), tonic::Status> {
    let (requests, outgoing) = mpsc::channel(64);
    let reports = async {
        loop {
            for region in store.regions.all() {
                let size = store.sizes.of(region.id());
                let request = pdpb::RegionHeartbeatRequest {
                    header: pd.header(),
                    region: Some(region.meta.clone()),
                    leader: Some(region.leader()),
                    // In MiB; never 0, which means "not known".
                    approximate_size: (size.estimate() / MIB).max(1),
                    approximate_keys: size.keys,
                    term: 1,
                };
                if requests.send(request).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = store.splitter.changed.notified() => {}
                () = tokio::time::sleep(REGIONS) => {}
            }
        }
    };
    let mut client = pd.stream();
    let orders = async {
        let mut orders = client
            .region_heartbeat(ReceiverStream::new(outgoing))
            .await?
            .into_inner();
        while let Some(order) = orders.message().await? {
            obey(store, order).await;
        }
        Ok(())
    };
    tokio::select! {
        () = reports => Ok(()),
        outcome = orders => outcome,
    }
}

async fn obey(store: &Store, order: pdpb::RegionHeartbeatResponse) {
    let region = order.region_id;
    let changed = if let Some(merge) = order.merge {
        let target = merge.target.unwrap_or_default().id;
        store.splitter.merge(region, target).await
    } else if let Some(transfer) = order.transfer_leader {
        let to = transfer.peer.unwrap_or_default().store_id;
        store.splitter.transfer(region, to).await
    } else if let Some(split) = order.split_region {
        return cut(store, region, split).await;
    } else {
        tracing::warn!(?order, "an order of PD is not understood");
        return;
    };
    if let Err(error) = changed {
        tracing::warn!(region, "PD's order is not carried out: failed to {error}");
    }
}

async fn cut(store: &Store, region_id: u64, split: pdpb::SplitRegion) {
    let keys = split
        .keys
        .iter()
        .map(|wrapped| key::unwrap(wrapped).map(Bytes::from));
    let Some(keys) = keys.collect::<Option<Vec<_>>>() else {
        tracing::warn!(region = region_id, "PD orders a split at what is no key");
        return;
    };
    let Some(region) = store.regions.get(region_id) else {
        tracing::warn!(region = region_id, "PD orders a split of an unknown region");
        return;
    };
    match store.splitter.split(&region, &keys).await {
        Ok(Some(_)) => {}
        Ok(None) => tracing::warn!(region = region_id, "a region moved before it was split"),
        Err(error) => tracing::warn!(region = region_id, "failed to {error}"),
    }
}

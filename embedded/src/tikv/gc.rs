//! Collecting garbage by itself, as TiKV's GC worker does: below PD's GC safepoint, and never what a service still needs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::key::Range;
use super::pd::PdLink;
use super::store::{Failure, Store};
use super::txn::gc::collect;

/// Keys handled in one write.
const BATCH: usize = 256;

/// Collects whenever the safepoint has moved, asking PD at every `interval`, until `stop`.
pub(crate) async fn watch(
    store: Arc<Store>,
    pd: PdLink,
    interval: Duration,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        let outcome = round(&store, &pd).await;
        match outcome {
            Ok(()) => failing = false,
            Err(problem) if !failing => {
                failing = true;
                tracing::warn!("failed to {problem}");
            }
            Err(_) => {}
        }
    }
}

async fn round(store: &Arc<Store>, pd: &PdLink) -> Result<(), String> {
    let points = pd.safe_points().await;
    let (gc, needed) = points.map_err(|error| error.to_string())?;
    let safe_point = gc.min(needed);
    if safe_point <= store.collected.load(Ordering::Relaxed) {
        return Ok(());
    }
    let collected = in_range(store, Range::default(), safe_point).await;
    collected.map_err(|failure| format!("collect garbage below {safe_point}: {failure:?}"))?;
    tracing::info!(safe_point, "garbage was collected");
    store.collected.store(safe_point, Ordering::Relaxed);
    Ok(())
}

/// Removes what no reader at or above the safe point sees, in a range.
pub(crate) async fn in_range(
    store: &Arc<Store>,
    range: Range,
    safe_point: u64,
) -> Result<(), Failure> {
    let keys = store
        .look(move |reader| {
            let mut keys: Vec<Bytes> = Vec::new();
            for found in reader.all_writes(&range) {
                let (key, ..) = found?;
                if keys.last() != Some(&key) {
                    keys.push(key);
                }
            }
            Ok(keys)
        })
        .await?;
    for batch in keys.chunks(BATCH) {
        let keys = batch.to_vec();
        store
            .write(batch.to_vec(), move |reader, changes| {
                keys.iter()
                    .try_for_each(|key| collect(reader, changes, key, safe_point))
                    .map_err(Into::into)
            })
            .await?;
    }
    Ok(())
}

//! How large regions are, and cutting those that have grown too large (`--region-split-size`).
//!
//! Writes are added up as they come; a region that may be too large is measured, and cut so that each part holds about
//! the wanted size.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::engine::{EngineError, Reader};
use super::region::Region;
use super::store::{Failure, Store};

/// Between two looks at what has been written.
const LOOK: Duration = Duration::from_millis(500);
/// A region is measured again when so many parts of the wanted size have been written to it.
const PARTS: u64 = 8;

/// What is known of a region's size.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    /// When it was measured.
    pub(crate) bytes: u64,
    pub(crate) keys: u64,
    /// Written since.
    written: u64,
}

impl Size {
    /// About how many bytes it is now.
    pub(crate) fn estimate(&self) -> u64 {
        self.bytes + self.written
    }
}

/// The sizes of all regions.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    by_region: Mutex<HashMap<u64, Size>>,
}

impl Sizes {
    fn by_region(&self) -> MutexGuard<'_, HashMap<u64, Size>> {
        self.by_region
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// So many bytes are about to be written to a region.
    pub(crate) fn grow(&self, region: u64, bytes: usize) {
        self.by_region().entry(region).or_default().written += bytes as u64;
    }

    /// What is known of a region.
    pub(crate) fn of(&self, region: u64) -> Size {
        self.by_region().get(&region).copied().unwrap_or_default()
    }

    fn measured(&self, region: u64, bytes: u64, keys: u64) {
        let size = Size {
            bytes,
            keys,
            written: 0,
        };
        self.by_region().insert(region, size);
    }
}

/// Cuts regions that have grown too large, until `stop`.
pub(crate) async fn watch(store: Arc<Store>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let wanted = store.settings.split_size();
        if wanted == 0 {
            continue;
        }
        for region in store.regions.all() {
            let size = store.sizes.of(region.id());
            if size.written < wanted / PARTS || size.estimate() < wanted {
                continue;
            }
            if let Err(problem) = cut(&store, &region, wanted, &stop).await {
                tracing::warn!(region = region.id(), "failed to {problem}");
            }
        }
    }
}

/// Measures a region and cuts it if it is larger than half as much again as wanted.
async fn cut(
    store: &Arc<Store>,
    region: &Region,
    wanted: u64,
    stop: &CancellationToken,
) -> Result<(), String> {
    let (range, stop) = (region.range.clone(), stop.clone());
    let measure = move |reader: &Reader| Ok::<_, Failure>(measure(reader, &range, wanted, &stop)?);
    let measured = store.look(measure).await;
    let measured = measured.map_err(|failure| format!("measure a region: {failure:?}"))?;
    let Some(measured) = measured else {
        return Ok(());
    };
    store
        .sizes
        .measured(region.id(), measured.bytes, measured.keys);
    if measured.bytes < wanted + wanted / 2 {
        return Ok(());
    }
    let parts = store.splitter.split(region, &measured.cuts).await;
    for part in parts
        .map_err(|error| error.to_string())?
        .unwrap_or_default()
    {
        // Each is about as large as wanted; measured when it grows.
        let share = measured.bytes / (measured.cuts.len() as u64 + 1);
        let keys = measured.keys / (measured.cuts.len() as u64 + 1);
        store.sizes.measured(part.id(), share, keys);
    }
    Ok(())
}

struct Measured {
    bytes: u64,
    keys: u64,
    /// Where parts of the wanted size end.
    cuts: Vec<Bytes>,
}

/// None if the store stops meanwhile.
fn measure(
    reader: &Reader,
    range: &super::key::Range,
    wanted: u64,
    stop: &CancellationToken,
) -> Result<Option<Measured>, EngineError> {
    let mut measured = Measured {
        bytes: 0,
        keys: 0,
        cuts: Vec::new(),
    };
    let (mut part, mut last) = (0, None);
    for found in reader.all_writes(range) {
        if stop.is_cancelled() {
            return Ok(None);
        }
        let (key, _, write) = found?;
        let size = (key.len() + reader.value_of(&key, &write)?.len()) as u64;
        if last.as_ref() != Some(&key) {
            measured.keys += 1;
            // All versions of a key stay together.
            if part >= wanted {
                measured.cuts.push(key.clone());
                part = 0;
            }
            last = Some(key);
        }
        part += size;
        measured.bytes += size;
    }
    Ok(Some(measured))
}

//! Cutting regions.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, Notify};

use super::Error;
use super::engine::{Changes, Engine};
use super::feed::hub::Hub;
use super::identity::remember;
use super::pd::PdLink;
use super::region::{Region, Regions};

/// Splits regions, one at a time.
pub(crate) struct Splitter {
    pd: PdLink,
    engine: Engine,
    regions: Arc<Regions>,
    hub: Arc<Hub>,
    /// Told when the regions are others than before.
    pub(crate) changed: Arc<Notify>,
    turn: Mutex<()>,
}

impl Splitter {
    pub(crate) fn new(pd: PdLink, engine: Engine, regions: Arc<Regions>, hub: Arc<Hub>) -> Self {
        Self {
            pd,
            engine,
            regions,
            hub,
            changed: Arc::default(),
            turn: Mutex::new(()),
        }
    }

    /// Cuts a region at raw keys; gives its parts in order, or the region itself if no key lies within it. None: the
    /// region is not the one it was.
    pub(crate) async fn split(
        &self,
        region: &Region,
        keys: &[Bytes],
    ) -> Result<Option<Vec<Arc<Region>>>, Error> {
        let _turn = self.turn.lock().await;
        let current = self.regions.get(region.id());
        if current.as_deref() != Some(region) {
            return Ok(None);
        }
        let mut keys: Vec<Bytes> = keys
            .iter()
            .filter(|key| region.range.contains(key) && **key != region.range.start)
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Some(current.into_iter().collect()));
        }
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let ids = self.pd.ask_split(region.meta.clone(), count).await?;
        let parts = region.cut(&keys, &ids);
        let mut changes = Changes::default();
        remember(&mut changes, &parts);
        self.engine.apply(changes).await?;
        let (regions, hub, id) = (self.regions.clone(), self.hub.clone(), region.id());
        let taken = parts.clone();
        self.engine
            .between_writes(move |_| {
                regions.replace(taken.clone());
                hub.split(id, &taken);
            })
            .await?;
        tracing::info!(region = id, parts = parts.len(), "a region was split");
        let metas = parts.iter().map(|part| part.meta.clone()).collect();
        if let Err(error) = self.pd.report_split(metas).await {
            // The heartbeats of the parts tell PD too.
            tracing::warn!(%error, "a split was not reported at once");
        }
        self.changed.notify_one();
        Ok(Some(parts.into_iter().map(Arc::new).collect()))
    }
}

//! Changing regions: cutting, merging, handing over to another store.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, Notify};

use super::Error;
use super::engine::{Changes, Engine};
use super::feed::hub::Hub;
use super::identity::{forget, remember};
use super::pd::PdLink;
use super::region::{Region, Regions};

/// Changes regions, one at a time.
pub(crate) struct Splitter {
    pd: PdLink,
    engine: Engine,
    regions: Arc<Regions>,
    hub: Arc<Hub>,
    /// Told when the regions are others than before.
    pub(crate) changed: Arc<Notify>,
    turn: Mutex<()>,
}

/// Why a region was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// PD or the engine failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// No region of that id.
    #[error("change region {0}: there is none of that id (was it merged?)")]
    Unknown(u64),
    /// Regions that have no boundary in common.
    #[error("merge region {from} into region {into}: they are no neighbours")]
    Apart {
        /// The one that would end.
        from: u64,
        /// The one that would grow.
        into: u64,
    },
    /// A store that has no peer of the region.
    #[error(
        "let store {store} lead region {region}: it has no peer there (expected one of {stores:?})"
    )]
    NoPeer {
        /// The region.
        region: u64,
        /// The store.
        store: u64,
        /// Stores with a peer.
        stores: Vec<u64>,
    },
}

impl From<super::EngineError> for ChangeError {
    fn from(error: super::EngineError) -> Self {
        Self::Failed(error.into())
    }
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
        if current.as_ref().map(|current| &current.meta) != Some(&region.meta) {
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

    /// Lets a region end in its neighbour; gives what that has become. No data moves: the keys have another region.
    pub(crate) async fn merge(&self, source: u64, target: u64) -> Result<Region, ChangeError> {
        let _turn = self.turn.lock().await;
        let known = |id| self.regions.get(id).ok_or(ChangeError::Unknown(id));
        let (from, into) = (known(source)?, known(target)?);
        let merged = into.merged_with(&from).ok_or(ChangeError::Apart {
            from: source,
            into: target,
        })?;
        let mut changes = Changes::default();
        forget(&mut changes, source);
        remember(&mut changes, [&merged]);
        self.engine.apply(changes).await?;
        let (regions, hub, taken) = (self.regions.clone(), self.hub.clone(), merged.clone());
        self.engine
            .between_writes(move |_| {
                regions.replace(vec![taken]);
                hub.merged(source, target);
            })
            .await?;
        tracing::info!(source, target, "a region was merged");
        self.changed.notify_one();
        Ok(merged)
    }

    /// Lets another store lead a region; gives the region.
    pub(crate) async fn transfer(&self, region: u64, store: u64) -> Result<Region, ChangeError> {
        let _turn = self.turn.lock().await;
        let current = self.regions.get(region);
        let current = current.ok_or(ChangeError::Unknown(region))?;
        let moved = current.led_by(store).ok_or_else(|| ChangeError::NoPeer {
            region,
            store,
            stores: current
                .meta
                .peers
                .iter()
                .map(|peer| peer.store_id)
                .collect(),
        })?;
        if current.leader == store {
            return Ok(moved);
        }
        let (regions, hub, taken) = (self.regions.clone(), self.hub.clone(), moved.clone());
        self.engine
            .between_writes(move |_| {
                regions.replace(vec![taken.clone()]);
                hub.moved(&taken);
            })
            .await?;
        tracing::info!(region, store, "a region is led by another store");
        self.changed.notify_one();
        Ok(moved)
    }
}

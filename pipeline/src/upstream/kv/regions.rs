//! Which region holds a key, remembered until a store says otherwise.

use std::{
    collections::BTreeMap,
    ops::Bound::{Included, Unbounded},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use proto::metapb;

use crate::upstream::{
    Error, keys,
    pd::{Pd, Region},
    retry::Backoff,
};

/// How long PD may have no region for a key (bootstrap, or a moment of a split).
const LIMIT: Duration = Duration::from_secs(15);

/// Regions by their encoded start key.
#[derive(Debug)]
pub(super) struct Regions {
    pd: Pd,
    known: Mutex<BTreeMap<Bytes, Arc<Region>>>,
}

impl Regions {
    /// Knows nothing yet.
    pub(super) fn new(pd: Pd) -> Self {
        Self {
            pd,
            known: Mutex::default(),
        }
    }

    /// The region that holds the memcomparable-encoded `key`, with a leader.
    pub(super) async fn locate(&self, key: &Bytes) -> Result<Arc<Region>, Error> {
        if let Some(region) = self.lookup(key) {
            return Ok(region);
        }
        let mut backoff = Backoff::within(LIMIT);
        loop {
            let last = match self.pd.region(key).await? {
                Some(region) if region.leader.is_some() => return Ok(self.remember(region)),
                Some(region) => format!("region {} has no leader", region.meta.id),
                None => "PD knows no region of it".into(),
            };
            if !backoff.pause(Duration::ZERO).await {
                let raw = keys::decode(key).unwrap_or_else(|| key.clone());
                let reason = format!("{last} after {:.1?}", backoff.waited());
                return Err(Error::Key {
                    what: "find the region",
                    key: hex::encode(raw),
                    reason,
                });
            }
        }
    }

    /// Another peer leads `region`.
    pub(super) fn set_leader(&self, region: &Region, leader: metapb::Peer) {
        self.remember(Region {
            meta: region.meta.clone(),
            leader: Some(leader),
        });
    }

    /// What is known of `region` is not to be trusted.
    pub(super) fn forget(&self, region: &Region) {
        let mut known = self.known();
        if known
            .get(&region.meta.start_key)
            .is_some_and(|at| at.meta.id == region.meta.id)
        {
            known.remove(&region.meta.start_key);
        }
    }

    fn lookup(&self, key: &Bytes) -> Option<Arc<Region>> {
        let known = self.known();
        let (_, region) = known
            .range::<[u8], _>((Unbounded, Included(&key[..])))
            .next_back()?;
        let end = &region.meta.end_key;
        (end.is_empty() || key < end).then(|| region.clone())
    }

    fn remember(&self, region: Region) -> Arc<Region> {
        let region = Arc::new(region);
        self.known()
            .insert(region.meta.start_key.clone(), region.clone());
        region
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Bytes, Arc<Region>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

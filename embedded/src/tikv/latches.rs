//! One request at a time on a key.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};

const SLOTS: u64 = 4096;

/// Latches, several keys to each.
pub(crate) struct Latches {
    slots: Vec<Arc<Mutex<()>>>,
}

/// Holds the latches of one request.
pub(crate) type Held = Vec<OwnedMutexGuard<()>>;

impl Default for Latches {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Arc::default()).collect(),
        }
    }
}

impl Latches {
    /// Waits for the latches of all keys. They are taken in one order by everyone, so that nobody waits in a circle.
    pub(crate) async fn acquire(&self, keys: impl IntoIterator<Item = &Bytes>) -> Held {
        let wanted: BTreeSet<u64> = keys
            .into_iter()
            .map(|key| {
                let mut hasher = DefaultHasher::new();
                key.hash(&mut hasher);
                hasher.finish() % SLOTS
            })
            .collect();
        let mut held = Vec::with_capacity(wanted.len());
        for slot in wanted {
            if let Some(latch) = usize::try_from(slot).ok().and_then(|at| self.slots.get(at)) {
                held.push(latch.clone().lock_owned().await);
            }
        }
        held
    }
}

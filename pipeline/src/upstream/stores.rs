//! Where stores listen, remembered until a connection breaks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Error, pd::Pd};

/// Addresses by store id; clones share what is known.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pd: Pd,
    known: Arc<Mutex<HashMap<u64, String>>>,
}

impl Stores {
    /// Knows nothing yet.
    pub(crate) fn new(pd: Pd) -> Self {
        Self {
            pd,
            known: Arc::default(),
        }
    }

    /// The address of a store as `http://host:port`.
    pub(crate) async fn address(&self, store_id: u64) -> Result<String, Error> {
        if let Some(address) = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&store_id)
        {
            return Ok(address.clone());
        }
        let address = self.pd.store_address(store_id).await?;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(store_id, address.clone());
        Ok(address)
    }

    /// The store may have moved: asks PD next time.
    pub(crate) fn forget(&self, store_id: u64) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&store_id);
    }
}

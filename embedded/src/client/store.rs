//! Connections to stores.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use proto::tikvpb::tikv_client::TikvClient;
use tonic::transport::{Channel, Endpoint};

use super::batch::Calls;
use super::pd::Pd;
use super::retry::Backoff;
use super::{ClientError, Synced};

/// Largest message taken: a scan page or a row may pass the 4 MiB that gRPC clients accept by default.
const MAX_MESSAGE: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for one reply: a store that hangs is like one that is gone.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Opens a connection lazily: the first call makes it.
pub(super) fn channel(address: &str) -> Result<Channel, ClientError> {
    let url = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let endpoint = Endpoint::from_shared(url).map_err(|_| ClientError::Address {
        address: address.to_owned(),
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .tcp_nodelay(true)
        .connect_lazy())
}

/// A connection to a store, and the streams of calls on it.
#[derive(Debug, Clone)]
pub(super) struct Store {
    pub(super) client: TikvClient<Channel>,
    pub(super) calls: Calls,
    pub(super) unsynced: Calls,
}

/// Connections by store id.
#[derive(Debug, Default)]
pub(super) struct Stores {
    known: Mutex<HashMap<u64, Store>>,
}

impl Stores {
    /// A connection to a store.
    pub(super) async fn get(
        &self,
        pd: &Pd,
        store_id: u64,
        backoff: &mut Backoff,
    ) -> Result<Store, ClientError> {
        if let Some(store) = self.locked().get(&store_id) {
            return Ok(store.clone());
        }
        let address = pd.store_address(store_id, backoff).await?;
        let client = TikvClient::new(channel(&address)?)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let store = Store {
            calls: Calls::new(client.clone(), Synced::Now, CALL_TIMEOUT),
            unsynced: Calls::new(client.clone(), Synced::Later, CALL_TIMEOUT),
            client,
        };
        self.locked().insert(store_id, store.clone());
        Ok(store)
    }

    /// Forgets a store whose connection failed: its address may have changed.
    pub(super) fn forget(&self, store_id: u64) {
        self.locked().remove(&store_id);
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Store>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! Asking for a region of one's own.

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::{Client, ClientError, keys};

impl Client {
    /// Makes a raw `key` the first one of its region, if it is not so already.
    pub async fn split_at(&self, key: Bytes) -> Result<(), ClientError> {
        let mut backoff = self.backoff("split a region");
        let region = self.region_of(&key, &mut backoff).await?;
        if region.start == keys::encode(&key) {
            return Ok(());
        }
        let request = kv::SplitRegionRequest {
            split_keys: vec![key.clone()],
            ..Default::default()
        };
        let (region, _) = self.send_to_key(&key, &request, &mut backoff).await?;
        // Its parts are looked up when they are needed.
        self.inner.regions.forget(region.id);
        Ok(())
    }
}

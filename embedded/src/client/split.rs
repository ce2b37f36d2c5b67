//! Asking for regions of one's own.

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::{Client, ClientError, keys};

/// Keys in one request.
const BATCH: usize = 256;

impl Client {
    /// Makes each of these raw keys the first one of its region, if it is not so already. Keys that lie in one region are
    /// asked for together: a table may have thousands of partitions. Gives how many regions that made.
    pub async fn split_at(&self, mut keys: Vec<Bytes>) -> Result<usize, ClientError> {
        keys.sort_unstable();
        keys.dedup();
        let mut made = 0;
        let mut backoff = self.backoff("split regions");
        let mut rest = keys.as_slice();
        while let Some(first) = rest.first() {
            let region = self.region_of(first, &mut backoff).await?;
            let here = rest
                .iter()
                .take_while(|key| region.contains(&keys::encode(key)))
                .take(BATCH)
                .count()
                .max(1);
            let (batch, later) = rest.split_at(here);
            let split_keys: Vec<Bytes> = batch
                .iter()
                .filter(|key| region.start != keys::encode(key))
                .cloned()
                .collect();
            if !split_keys.is_empty() {
                made += split_keys.len();
                let request = kv::SplitRegionRequest {
                    split_keys,
                    ..Default::default()
                };
                let (region, _) = self.send_to_key(first, &request, &mut backoff).await?;
                // Its parts are looked up when they are needed.
                self.inner.regions.forget(region.id);
            }
            rest = later;
        }
        Ok(made)
    }
}

//! Reading at a timestamp.

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::keys::after;
use super::request::Attempt;
use super::{Client, ClientError, Ts};

/// Pairs asked for at once.
const SCAN_PAGE: u32 = 1024;

/// A raw key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Raw key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
}

/// The data as of one timestamp. Locks of transactions that may have committed before it are resolved or waited for.
#[derive(Debug, Clone)]
pub struct Snapshot {
    client: Client,
    ts: Ts,
}

impl Snapshot {
    pub(super) fn new(client: Client, ts: Ts) -> Self {
        Self { client, ts }
    }

    /// Its timestamp.
    pub fn ts(&self) -> Ts {
        self.ts
    }

    /// The value of a raw key.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ClientError> {
        let mut backoff = self.client.backoff("read a key");
        let request = kv::GetRequest {
            key: Bytes::copy_from_slice(key),
            version: self.ts,
            ..Default::default()
        };
        loop {
            let (_, reply) = self.client.send_to_key(key, &request, &mut backoff).await?;
            match reply.error {
                None => return Ok((!reply.not_found).then_some(reply.value)),
                Some(error) => self.client.clear_way(error, self.ts, &mut backoff).await?,
            }
        }
    }

    /// All pairs from `start` up to but not including `end` (empty: +inf), raw keys, in key order.
    pub async fn scan(&self, start: &[u8], end: &[u8]) -> Result<Vec<Pair>, ClientError> {
        let mut out = Vec::new();
        let mut from = Some(Bytes::copy_from_slice(start));
        while let Some(start) = from {
            let (pairs, next) = self.page(&start, end).await?;
            out.extend(pairs);
            from = next;
        }
        Ok(out)
    }

    /// The first pairs from `start` up to but not including `end` (empty: +inf), at most 1024, and where to go on; none
    /// at the end.
    pub async fn page(
        &self,
        start: &[u8],
        end: &[u8],
    ) -> Result<(Vec<Pair>, Option<Bytes>), ClientError> {
        let mut backoff = self.client.backoff("scan a range");
        let start = Bytes::copy_from_slice(start);
        loop {
            let region = self.client.region_of(&start, &mut backoff).await?;
            let request = kv::ScanRequest {
                start_key: start.clone(),
                end_key: Bytes::copy_from_slice(end),
                limit: SCAN_PAGE,
                version: self.ts,
                ..Default::default()
            };
            let mut reply = match self.client.attempt(&region, &request, &mut backoff).await? {
                Attempt::Done(reply) => reply,
                Attempt::Moved(cause) => {
                    backoff.pause(cause).await?;
                    continue;
                }
            };
            let locked = reply
                .error
                .take()
                .or_else(|| reply.pairs.iter_mut().find_map(|p| p.error.take()));
            if let Some(error) = locked {
                self.client.clear_way(error, self.ts, &mut backoff).await?;
                continue;
            }
            let full = reply.pairs.len() >= SCAN_PAGE as usize;
            let last = reply.pairs.last().map(|p| p.key.clone());
            let pairs = reply
                .pairs
                .into_iter()
                .map(|p| Pair {
                    key: p.key,
                    value: p.value,
                })
                .collect();
            let next = match (full, last) {
                (true, Some(last)) => Some(after(&last)),
                _ => region.next_key()?,
            };
            let next = next.filter(|next: &Bytes| end.is_empty() || &**next < end);
            return Ok((pairs, next));
        }
    }
}

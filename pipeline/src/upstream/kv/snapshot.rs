//! Reads as of one timestamp.

use std::time::Duration;

use bytes::Bytes;
use proto::kvrpcpb::{self, LockInfo};

use super::{Kv, LIMIT, key_error, locks::after, next_region};
use crate::{
    model::{Span, Ts},
    upstream::{Error, keys, retry::Backoff},
};

/// Pairs asked for in one request of a scan.
const PAGE: u32 = 1024;
/// The longest pause before a lock that is alive is looked at again.
const LOCK_PAUSE: Duration = Duration::from_millis(500);

/// Keys and their values, in key order.
pub type Pairs = Vec<(Bytes, Bytes)>;

/// The cluster as of one timestamp: every transaction committed up to it and nothing else. Locks of finished
/// transactions are resolved on the way.
#[derive(Clone, Debug)]
pub struct Snapshot {
    kv: Kv,
    ts: Ts,
}

/// The locks met by one read.
struct Locks {
    passable: Vec<Ts>,
    backoff: Backoff,
}

impl Snapshot {
    pub(super) fn new(kv: Kv, ts: Ts) -> Self {
        Self { kv, ts }
    }

    /// The timestamp read at.
    #[must_use]
    pub fn ts(&self) -> Ts {
        self.ts
    }

    /// The value of a raw key, if it has one.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let key = Bytes::copy_from_slice(key);
        let mut locks = Locks::new();
        loop {
            let (reply, _) = self
                .kv
                .call(&key, |_| kvrpcpb::GetRequest {
                    context: locks.context(),
                    key: key.clone(),
                    version: self.ts,
                })
                .await?;
            match reply.error {
                None => return Ok((!reply.not_found).then_some(reply.value)),
                Some(error) => self.unlock(&mut locks, "read a key", &key, error).await?,
            }
        }
    }

    /// The pairs of those raw `keys` that have a value, in key order.
    pub async fn batch_get(&self, keys: &[Bytes]) -> Result<Pairs, Error> {
        let mut rest = keys.to_vec();
        rest.sort();
        rest.dedup();
        let mut pairs = Pairs::new();
        let mut locks = Locks::new();
        while let Some(first) = rest.first().cloned() {
            let (reply, region) = self
                .kv
                .call(&first, |region| {
                    let span = region.span();
                    let keys = rest
                        .iter()
                        .take_while(|key| keys::encoded_span_contains(&span, key))
                        .cloned()
                        .collect();
                    kvrpcpb::BatchGetRequest {
                        context: locks.context(),
                        keys,
                        version: self.ts,
                    }
                })
                .await?;
            let error = reply
                .error
                .or_else(|| reply.pairs.iter().find_map(|pair| pair.error.clone()));
            if let Some(error) = error {
                self.unlock(&mut locks, "read keys", &first, error).await?;
                continue;
            }
            pairs.extend(reply.pairs.into_iter().map(|pair| (pair.key, pair.value)));
            let span = region.span();
            rest.retain(|key| !keys::encoded_span_contains(&span, key));
        }
        pairs.sort();
        Ok(pairs)
    }

    /// Starts reading all pairs of a span, page by page.
    #[must_use]
    pub fn scan(&self, span: Span) -> Scan {
        let rest = (!span.is_empty()).then_some(span);
        Scan {
            snapshot: self.clone(),
            rest,
            locks: Locks::new(),
        }
    }

    /// Deals with what barred the way at `key`, or fails if it stays.
    async fn unlock(
        &self,
        locks: &mut Locks,
        what: &'static str,
        key: &[u8],
        error: kvrpcpb::KeyError,
    ) -> Result<(), Error> {
        let Some(lock) = error.locked else {
            return Err(key_error(what, key, &error));
        };
        let found: Vec<LockInfo> = vec![lock];
        let left = self.kv.resolve(&found, self.ts).await?;
        locks.passable.extend(left.passable);
        if let Some((lock_ts, ttl_left)) = left.waiting
            && !locks.backoff.pause(ttl_left.min(LOCK_PAUSE)).await
        {
            let (key, waited) = (hex::encode(&found[0].key), locks.backoff.waited());
            return Err(Error::Locked {
                key,
                ts: self.ts,
                lock_ts,
                waited,
            });
        }
        Ok(())
    }
}

impl Locks {
    fn new() -> Self {
        Self {
            passable: Vec::new(),
            backoff: Backoff::within(LIMIT),
        }
    }

    /// Asks the store to read past the locks that cannot matter.
    fn context(&self) -> Option<kvrpcpb::Context> {
        Some(kvrpcpb::Context {
            resolved_locks: self.passable.clone(),
            ..Default::default()
        })
    }
}

/// A scan under way.
pub struct Scan {
    snapshot: Snapshot,
    /// What is still to be read.
    rest: Option<Span>,
    locks: Locks,
}

impl Scan {
    /// The next pairs in key order, never none of them; nothing at the end.
    pub async fn next_page(&mut self) -> Result<Option<Pairs>, Error> {
        while let Some(span) = self.rest.clone() {
            let pairs = self.page(span).await?;
            if !pairs.is_empty() {
                return Ok(Some(pairs));
            }
        }
        Ok(None)
    }

    /// All that is left, in key order.
    pub async fn collect(mut self) -> Result<Pairs, Error> {
        let mut all = Pairs::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page);
        }
        Ok(all)
    }

    /// Reads one page from the region where `span` begins and moves on.
    async fn page(&mut self, span: Span) -> Result<Pairs, Error> {
        let snapshot = self.snapshot.clone();
        let (reply, region) = snapshot
            .kv
            .call(&span.start, |_| kvrpcpb::ScanRequest {
                context: self.locks.context(),
                start_key: span.start.clone(),
                limit: PAGE,
                version: snapshot.ts,
                end_key: span.end.clone(),
                ..Default::default()
            })
            .await?;
        if let Some(error) = reply.error {
            snapshot
                .unlock(&mut self.locks, "scan", &span.start, error)
                .await?;
            return Ok(Pairs::new());
        }
        let full = reply.pairs.len() as u32 >= PAGE;
        let mut pairs = Pairs::with_capacity(reply.pairs.len());
        for pair in reply.pairs {
            let Some(error) = pair.error else {
                pairs.push((pair.key, pair.value));
                continue;
            };
            // Pairs before the lock are good; the scan goes on where it stands.
            let at = error
                .locked
                .as_ref()
                .map_or_else(|| pair.key.clone(), |lock| lock.key.clone());
            snapshot.unlock(&mut self.locks, "scan", &at, error).await?;
            self.go_on(span, Some(at));
            return Ok(pairs);
        }
        let next = match pairs.last() {
            Some((last, _)) if full => Some(after(last)),
            _ => next_region(&region)?,
        };
        self.go_on(span, next);
        Ok(pairs)
    }

    /// Continues at `next`. Who got further may wait for the next lock as long as for the last.
    fn go_on(&mut self, span: Span, next: Option<Bytes>) {
        if next.as_ref() != Some(&span.start) {
            self.locks.backoff = Backoff::within(LIMIT);
        }
        self.rest = next
            .map(|start| Span {
                start,
                end: span.end,
            })
            .filter(|rest| !rest.is_empty());
    }
}

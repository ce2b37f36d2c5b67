//! Transactions in two phases over any number of regions.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::kvrpcpb as kv;

use super::region::Region;
use super::request::{Attempt, Commit};
use super::retry::Backoff;
use super::{Client, ClientError, Ts, keys, lock};

/// Bytes of keys and values sent to a region at once.
const BATCH_BYTES: usize = 1 << 20;
/// Keys sent to a region at once: a store has to answer within the time of a call, whatever has become of each of them.
const BATCH_KEYS: usize = 4096;
/// Batches that are under way at once: a store that has many before it answers none in time.
const AT_ONCE: usize = 16;
/// How long the locks of a transaction stand when its owner is gone.
const LOCK_TTL_MS: u64 = 20_000;
/// How often the owner of a transaction that is being prewritten says that it is there.
const HEART_BEAT: Duration = Duration::from_secs(3);

/// What happens to a key in a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It gets a value.
    Put(Bytes),
    /// It goes.
    Delete,
}

/// Who writes a transaction, as a change feed sees it (TiDB's `txn_source`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// A user: every feed has it.
    #[default]
    User,
    /// A reorganisation, which writes rows again that are there already: no feed has it.
    Reorganization,
}

impl Source {
    /// TiDB's number: the reorganisations' bits lie above the byte of those who replicate.
    fn number(self) -> u64 {
        match self {
            Self::User => 0,
            Self::Reorganization => 1 << 8,
        }
    }
}

/// When a commit is to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synced {
    /// When it is acknowledged.
    Now,
    /// With the next one that is [`Synced::Now`]. Until then a loss of power, not the store's end, may take it back.
    Later,
}

/// Keys in order; what happens to them is known while they are prewritten.
type Batch = Vec<(Bytes, Option<Change>)>;
/// Keys whose region is not what it was, and why.
type Moved = Option<(Batch, String)>;

impl Client {
    /// The first phase: locks all keys for what `source` changes from `start_ts` on. What has been locked when it fails is
    /// freed again, as far as the stores are reached.
    ///
    /// # Errors
    /// [`ClientError::RolledBack`]: nothing of it was written, begin again. Other errors: nothing was committed, though locks
    /// may stand.
    pub async fn prewrite(
        &self,
        source: Source,
        start_ts: Ts,
        primary: &Bytes,
        changes: &BTreeMap<Bytes, Change>,
    ) -> Result<(), ClientError> {
        if !changes.contains_key(primary) {
            return Err(ClientError::Refused {
                what: "commit a transaction",
                why: "its primary is none of its keys".to_owned(),
            });
        }
        let size = changes.len() as u64;
        let mutations = changes.iter().map(|(k, c)| (k.clone(), Some(c.clone())));
        let mut backoff = self.backoff("prewrite a transaction");
        let prewritten = async {
            self.over_regions(
                mutations.collect(),
                &mut backoff,
                &|client, region, batch, mut backoff| {
                    let primary = primary.clone();
                    Box::pin(async move {
                        client
                            .prewrite_batch(
                                (source, start_ts),
                                &primary,
                                &region,
                                batch,
                                size,
                                &mut backoff,
                            )
                            .await
                    })
                },
            )
            .await
        };
        let prewritten = tokio::select! {
            prewritten = prewritten => prewritten,
            never = self.stay_alive(start_ts, primary) => match never {},
        };
        if let Err(error) = prewritten {
            if let Err(error) = self.roll_back(start_ts, changes.keys().cloned()).await {
                tracing::warn!(start_ts, %error, "locks of a failed transaction are left to expire");
            }
            return Err(error);
        }
        Ok(())
    }

    /// Prolongs the life of a transaction, as far as its primary is locked: whoever meets its locks would roll it back else.
    async fn stay_alive(&self, start_ts: Ts, primary: &Bytes) -> Infallible {
        let began = Instant::now();
        loop {
            tokio::time::sleep(HEART_BEAT).await;
            let lived = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let request = kv::TxnHeartBeatRequest {
                primary_lock: primary.clone(),
                start_version: start_ts,
                advise_lock_ttl: lived.saturating_add(LOCK_TTL_MS),
                ..Default::default()
            };
            let mut backoff = Backoff::new("prolong a transaction", HEART_BEAT);
            match self.send_to_key(primary, &request, &mut backoff).await {
                // Its primary is not locked yet, or not any more: the prewrite or the commit will tell.
                Ok((_, reply)) => tracing::debug!(start_ts, error = ?reply.error, "a heart beat"),
                Err(error) => tracing::debug!(start_ts, %error, "no heart beat"),
            }
        }
    }

    /// The second phase, which decides: commits the primary together with other `keys` of its region, in one request;
    /// gives the keys that remain.
    ///
    /// # Errors
    /// [`ClientError::RolledBack`]: nothing of it is committed. [`ClientError::Undetermined`]: [`Client::settle`] tells.
    pub async fn commit_primary(
        &self,
        start_ts: Ts,
        commit_ts: Ts,
        synced: Synced,
        primary: &Bytes,
        keys: impl IntoIterator<Item = Bytes>,
    ) -> Result<Vec<Bytes>, ClientError> {
        let all: Vec<Bytes> = keys.into_iter().collect();
        let mut backoff = self.backoff("commit the primary key");
        let undetermined = |why: String| ClientError::Undetermined { start_ts, why };
        loop {
            let region = self
                .region_of(primary, &mut backoff)
                .await
                .map_err(|e| undetermined(e.to_string()))?;
            let (mut room, mut places) = (BATCH_BYTES, BATCH_KEYS);
            let (here, rest): (Vec<Bytes>, Vec<Bytes>) = all.iter().cloned().partition(|key| {
                let fits = key == primary
                    || (key.len() <= room && places > 0 && region.contains(&keys::encode(key)));
                if fits {
                    room = room.saturating_sub(key.len());
                    places = places.saturating_sub(1);
                }
                fits
            });
            let outcome = self
                .commit_batch(
                    (start_ts, commit_ts),
                    synced,
                    &region,
                    unchanged(here),
                    &mut backoff,
                )
                .await;
            let cause = match outcome {
                Ok(None) => return Ok(rest),
                Ok(Some((_, cause))) => cause,
                // A store that answered said no.
                Err(ClientError::Refused { why, .. }) => {
                    return Err(ClientError::RolledBack { start_ts, why });
                }
                Err(other) => return Err(undetermined(other.to_string())),
            };
            backoff
                .pause(cause)
                .await
                .map_err(|e| undetermined(e.to_string()))?;
        }
    }

    /// What remains of a transaction whose primary is committed.
    pub async fn commit_rest(
        &self,
        start_ts: Ts,
        commit_ts: Ts,
        keys: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), ClientError> {
        let mut backoff = self.backoff("commit secondary keys");
        self.over_regions(
            unchanged(keys),
            &mut backoff,
            &|client, region, batch, mut backoff| {
                Box::pin(async move {
                    client
                        .commit_batch(
                            (start_ts, commit_ts),
                            Synced::Now,
                            &region,
                            batch,
                            &mut backoff,
                        )
                        .await
                })
            },
        )
        .await
    }

    async fn prewrite_batch(
        &self,
        (source, start_ts): (Source, Ts),
        primary: &Bytes,
        region: &Region,
        batch: Batch,
        txn_size: u64,
        backoff: &mut Backoff,
    ) -> Result<Moved, ClientError> {
        let request = kv::PrewriteRequest {
            mutations: batch
                .iter()
                .filter_map(|(key, change)| {
                    let (op, value) = match change.as_ref()? {
                        Change::Put(value) => (kv::Op::Put, value.clone()),
                        Change::Delete => (kv::Op::Del, Bytes::new()),
                    };
                    Some(kv::Mutation {
                        op: op.into(),
                        key: key.clone(),
                        value,
                        ..Default::default()
                    })
                })
                .collect(),
            primary_lock: primary.clone(),
            start_version: start_ts,
            lock_ttl: LOCK_TTL_MS,
            txn_size,
            context: Some(kv::Context {
                txn_source: source.number(),
                ..Default::default()
            }),
            ..Default::default()
        };
        loop {
            let reply = match self.attempt(region, &request, backoff).await? {
                Attempt::Done(reply) => reply,
                Attempt::Moved(cause) => return Ok(Some((batch, cause))),
            };
            let Some(error) = reply.errors.into_iter().next() else {
                return Ok(None);
            };
            if error.locked.is_none() {
                return Err(ClientError::RolledBack {
                    start_ts,
                    why: lock::describe(&error),
                });
            }
            self.clear_way(error, start_ts, backoff).await?;
        }
    }

    async fn commit_batch(
        &self,
        (start_ts, commit_ts): (Ts, Ts),
        synced: Synced,
        region: &Region,
        batch: Batch,
        backoff: &mut Backoff,
    ) -> Result<Moved, ClientError> {
        let request = kv::CommitRequest {
            start_version: start_ts,
            commit_version: commit_ts,
            keys: batch.iter().map(|(k, _)| k.clone()).collect(),
            ..Default::default()
        };
        let request = Commit { request, synced };
        match self.attempt(region, &request, backoff).await? {
            Attempt::Moved(cause) => Ok(Some((batch, cause))),
            Attempt::Done(reply) => match reply.error {
                None => Ok(None),
                Some(error) => Err(ClientError::Refused {
                    what: "commit keys",
                    why: lock::describe(&error),
                }),
            },
        }
    }

    /// Takes back what was prewritten of a transaction that is not committed and never will be.
    pub(super) async fn roll_back(
        &self,
        start_ts: Ts,
        keys: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), ClientError> {
        let mut backoff = self.backoff("roll back a transaction");
        self.over_regions(
            unchanged(keys),
            &mut backoff,
            &|client, region, batch, mut backoff| {
                Box::pin(async move {
                    let request = kv::BatchRollbackRequest {
                        start_version: start_ts,
                        keys: batch.iter().map(|(k, _)| k.clone()).collect(),
                        ..Default::default()
                    };
                    match client.attempt(&region, &request, &mut backoff).await? {
                        Attempt::Moved(cause) => Ok(Some((batch, cause))),
                        Attempt::Done(reply) => match reply.error {
                            None => Ok(None),
                            Some(error) => Err(ClientError::Refused {
                                what: "roll back keys",
                                why: lock::describe(&error),
                            }),
                        },
                    }
                })
            },
        )
        .await
    }

    /// Does `step` with every batch of keys, a batch within one region, [`AT_ONCE`] of them at once; what comes back because
    /// its region moved is cut anew and done again. Patience is with each batch, and begins anew when any of them was done.
    async fn over_regions<'a>(
        &'a self,
        mut todo: Batch,
        backoff: &mut Backoff,
        step: &(
             dyn Fn(&'a Self, Region, Batch, Backoff) -> BoxFuture<'a, Result<Moved, ClientError>>
                 + Sync
         ),
    ) -> Result<(), ClientError> {
        loop {
            let mut batches: Vec<(Region, Batch, usize)> = Vec::new();
            for (key, change) in todo.drain(..) {
                let weight = key.len() + change.as_ref().map_or(0, Change::size);
                let wrapped = keys::encode(&key);
                match batches.last_mut() {
                    Some((region, batch, bytes))
                        if region.contains(&wrapped)
                            && *bytes + weight <= BATCH_BYTES
                            && batch.len() < BATCH_KEYS =>
                    {
                        *bytes += weight;
                        batch.push((key, change));
                    }
                    _ => {
                        let region = self.region_of(&key, backoff).await?;
                        batches.push((region, vec![(key, change)], weight));
                    }
                }
            }
            let what = backoff.what();
            let steps = batches.into_iter().map(|(region, batch, _)| async move {
                step(self, region, batch, self.backoff(what)).await
            });
            let moved: Vec<Moved> = stream::iter(steps)
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            if moved.iter().any(Option::is_none) {
                *backoff = self.backoff(what);
            }
            let mut cause = None;
            for (batch, why) in moved.into_iter().flatten() {
                todo.extend(batch);
                cause = Some(why);
            }
            match cause {
                None => return Ok(()),
                Some(cause) => backoff.pause(cause).await?,
            }
        }
    }
}

fn unchanged(keys: impl IntoIterator<Item = Bytes>) -> Batch {
    keys.into_iter().map(|key| (key, None)).collect()
}

impl Change {
    /// Bytes of the value.
    pub fn size(&self) -> usize {
        match self {
            Self::Put(value) => value.len(),
            Self::Delete => 0,
        }
    }
}

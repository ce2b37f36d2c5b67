//! Transactions under way: several at once, committed in the order of the binlog.
//!
//! A transaction is prewritten as soon as no earlier one holds a key of it, and its primary key is committed when those of
//! all earlier ones are. So readers and crashes see a prefix of the binlog, whatever the stores do in between, and the
//! wait for one transaction is not the wait for all before it. What remains of a committed transaction is
//! committed beside.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::ApplyError;
use super::record::SLOTS;
use crate::client::{Change, Client, ClientError, Source, Synced, Ts};

/// Keys and what happens to them.
pub type Changes = BTreeMap<Bytes, Change>;

/// Pause before a transaction is tried again after the client's own retries were used up.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of all transactions under way; a larger one goes alone.
const ROOM: u32 = 16 << 20;

/// What is called with the commit TSO.
pub(super) type Done = Box<dyn FnOnce(Ts) + Send>;

/// A transaction. What MariaDB has committed cannot be taken back, so every step is tried until it succeeds or cannot ever.
#[derive(Debug)]
pub(super) struct Txn {
    pub(super) client: Client,
    pub(super) source: Source,
    /// A key of its position.
    pub(super) primary: Bytes,
    pub(super) changes: Changes,
}

/// A transaction whose primary key is committed.
#[derive(Debug)]
pub(super) struct Decided {
    start_ts: Ts,
    pub(super) commit_ts: Ts,
    rest: Vec<Bytes>,
}

impl Txn {
    /// Locks the keys; whether that was done. If it was not, the transaction of `start_ts` never will be committed.
    pub(super) async fn prewrite(&self, start_ts: Ts) -> Result<bool, ApplyError> {
        let prewritten = self
            .client
            .prewrite(self.source, start_ts, &self.primary, &self.changes)
            .await;
        let Err(error) = prewritten else {
            return Ok(true);
        };
        pause_after(error).await?;
        self.settle(start_ts).await?;
        Ok(false)
    }

    /// Commits the primary key; none if the transaction was rolled back instead.
    pub(super) async fn decide(
        &self,
        start_ts: Ts,
        commit_ts: Ts,
        synced: Synced,
    ) -> Result<Option<Decided>, ApplyError> {
        let keys = self.changes.keys().cloned();
        let committed = self
            .client
            .commit_primary(start_ts, commit_ts, synced, &self.primary, keys)
            .await;
        match committed {
            Ok(rest) => {
                return Ok(Some(Decided {
                    start_ts,
                    commit_ts,
                    rest,
                }));
            }
            Err(error) => pause_after(error).await?,
        }
        let settled = self.settle(start_ts).await?;
        Ok(settled.map(|commit_ts| Decided {
            start_ts,
            commit_ts,
            rest: self.changes.keys().cloned().collect(),
        }))
    }

    /// Commits the other keys.
    pub(super) async fn finish(&self, decided: Decided) -> Result<(), ApplyError> {
        let Decided {
            start_ts,
            commit_ts,
            rest,
        } = decided;
        loop {
            let finished = self
                .client
                .commit_rest(start_ts, commit_ts, rest.iter().cloned())
                .await;
            match finished {
                Ok(()) => return Ok(()),
                Err(error) => pause_after(error).await?,
            }
        }
    }

    /// When the transaction of `start_ts` was committed; if it was not, it is rolled back.
    async fn settle(&self, start_ts: Ts) -> Result<Option<Ts>, ApplyError> {
        loop {
            match self.client.settle(start_ts, &self.primary).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => pause_after(error).await?,
            }
        }
    }

    /// Begins until it is prewritten; the start TSO.
    async fn begin(&self) -> Result<Ts, ApplyError> {
        loop {
            let start_ts = tso(&self.client).await?;
            if self.prewrite(start_ts).await? {
                return Ok(start_ts);
            }
        }
    }

    fn size(&self) -> u32 {
        let size = self.changes.iter().map(|(k, c)| k.len() + c.size());
        u32::try_from(size.sum::<usize>()).unwrap_or(u32::MAX)
    }
}

/// A timestamp, asked for until there is one.
pub(super) async fn tso(client: &Client) -> Result<Ts, ApplyError> {
    loop {
        match client.tso().await {
            Ok(ts) => return Ok(ts),
            Err(error) => pause_after(error).await?,
        }
    }
}

/// Waits after an error that may pass; other errors end the writer.
pub(super) async fn pause_after(error: ClientError) -> Result<(), ApplyError> {
    match error {
        ClientError::Exhausted { .. }
        | ClientError::RolledBack { .. }
        | ClientError::Undetermined { .. } => {
            tracing::warn!(%error, "TiKV does not answer; trying again");
            tokio::time::sleep(PAUSE).await;
            Ok(())
        }
        other => Err(other.into()),
    }
}

/// The transactions under way.
#[derive(Debug)]
pub(super) struct Lane {
    queue: mpsc::UnboundedSender<Entered>,
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    keys: Arc<Keys>,
    task: AbortOnDropHandle<Result<(), ApplyError>>,
}

/// A transaction that is being prewritten.
struct Entered {
    txn: Arc<Txn>,
    prewritten: AbortOnDropHandle<Result<Ts, ApplyError>>,
    done: Done,
    place: OwnedSemaphorePermit,
    held: Held,
}

/// What is given back when all of a transaction is committed.
struct Held {
    _keys: HeldKeys,
    _room: OwnedSemaphorePermit,
}

impl Lane {
    pub(super) fn start() -> Self {
        let (queue, entered) = mpsc::unbounded_channel();
        Self {
            queue,
            places: Arc::new(Semaphore::new(SLOTS)),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            keys: Arc::default(),
            task: AbortOnDropHandle::new(tokio::spawn(run(entered))),
        }
    }

    /// Takes a transaction in, once there is a place for it and no earlier one holds a key of it. Of [`SLOTS`] transactions
    /// in a row each has another primary key: then the primary is free, too.
    pub(super) async fn enter(&mut self, txn: Txn, done: Done) -> Result<(), ApplyError> {
        let size = txn.size().min(ROOM);
        let place = permits(&self.places, 1).await?;
        let held = Held {
            _keys: self.keys.take(&txn).await,
            _room: permits(&self.room, size).await?,
        };
        let txn = Arc::new(txn);
        let begin = {
            let txn = Arc::clone(&txn);
            tokio::spawn(async move { txn.begin().await })
        };
        let entered = Entered {
            txn,
            prewritten: AbortOnDropHandle::new(begin),
            done,
            place,
            held,
        };
        match self.queue.send(entered) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failed().await),
        }
    }

    /// Waits until nothing is under way.
    pub(super) async fn drain(&mut self) -> Result<(), ApplyError> {
        let all = permits(&self.places, SLOTS as u32).await?;
        self.keys.all_free().await;
        drop(all);
        match self.task.is_finished() {
            true => Err(self.failed().await),
            false => Ok(()),
        }
    }

    /// Why the lane has ended; waits for that. It gives the cause once.
    pub(super) async fn failed(&mut self) -> ApplyError {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => ApplyError::Lane {
                why: "its queue was closed".to_owned(),
            },
            Err(error) => ApplyError::Lane {
                why: error.to_string(),
            },
        }
    }
}

async fn permits(of: &Arc<Semaphore>, count: u32) -> Result<OwnedSemaphorePermit, ApplyError> {
    let permits = Arc::clone(of).acquire_many_owned(count).await;
    permits.map_err(|error| ApplyError::Lane {
        why: error.to_string(),
    })
}

/// A transaction with the start TSO that it is prewritten with and the commit TSO that it will have.
type Ordered = (Entered, Ts, Ts);

async fn run(entered: mpsc::UnboundedReceiver<Entered>) -> Result<(), ApplyError> {
    let (orderly, ordered) = mpsc::channel(SLOTS);
    tokio::try_join!(order(entered, orderly), commit(ordered))?;
    Ok(())
}

/// Waits for each transaction to be prewritten and gets its commit TSO, while the ones before are being committed. Those that
/// are prewritten by then share a round trip to PD.
async fn order(
    mut entered: mpsc::UnboundedReceiver<Entered>,
    orderly: mpsc::Sender<Ordered>,
) -> Result<(), ApplyError> {
    let mut next = entered.recv().await;
    while let Some(mut first) = next.take() {
        let start_ts = joined((&mut first.prewritten).await)?;
        let mut ready = vec![(first, start_ts)];
        next = entered.try_recv().ok();
        while let Some(mut behind) = next.take_if(|next| next.prewritten.is_finished()) {
            let start_ts = joined((&mut behind.prewritten).await)?;
            ready.push((behind, start_ts));
            next = entered.try_recv().ok();
        }
        let timestamps = ready.iter().map(|(ready, _)| tso(&ready.txn.client));
        let mut timestamps = try_join_all(timestamps).await?;
        timestamps.sort_unstable();
        for ((ready, start_ts), commit_ts) in ready.into_iter().zip(timestamps) {
            if orderly.send((ready, start_ts, commit_ts)).await.is_err() {
                // The other end has failed, and tells why.
                return Ok(());
            }
        }
        if next.is_none() {
            next = entered.recv().await;
        }
    }
    Ok(())
}

async fn commit(mut ordered: mpsc::Receiver<Ordered>) -> Result<(), ApplyError> {
    let mut finishing = JoinSet::new();
    let mut last = 0;
    let mut group = Vec::with_capacity(SLOTS);
    loop {
        let mut left = tokio::select! {
            count = ordered.recv_many(&mut group, SLOTS) => count,
            Some(finished) = finishing.join_next() => {
                joined(finished)?;
                continue;
            }
        };
        if left == 0 {
            break;
        }
        let mut done = Vec::with_capacity(left);
        for (entered, mut start_ts, mut commit_ts) in group.drain(..) {
            left -= 1;
            // Those that are there together share the sync of the last one.
            let synced = match left {
                0 => Synced::Now,
                _ => Synced::Later,
            };
            let txn = entered.txn;
            let decided = loop {
                // One that came late has overtaken those behind it.
                if commit_ts <= last {
                    commit_ts = tso(&txn.client).await?;
                }
                if let Some(decided) = txn.decide(start_ts, commit_ts, synced).await? {
                    break decided;
                }
                start_ts = txn.begin().await?;
                commit_ts = tso(&txn.client).await?;
            };
            last = decided.commit_ts;
            done.push((entered.done, last, entered.place));
            let held = entered.held;
            finishing.spawn(async move {
                let finished = txn.finish(decided).await;
                drop(held);
                finished
            });
        }
        for (done, commit_ts, _place) in done {
            done(commit_ts);
        }
    }
    while let Some(finished) = finishing.join_next().await {
        joined(finished)?;
    }
    Ok(())
}

fn joined<T>(
    outcome: Result<Result<T, ApplyError>, tokio::task::JoinError>,
) -> Result<T, ApplyError> {
    outcome.map_err(|error| ApplyError::Lane {
        why: error.to_string(),
    })?
}

/// The keys of all transactions under way, but for their primaries.
#[derive(Debug, Default)]
struct Keys {
    held: Mutex<HashSet<Bytes>>,
    freed: Notify,
}

struct HeldKeys {
    keys: Arc<Keys>,
    own: Vec<Bytes>,
}

impl Keys {
    /// Waits until nobody holds a key of the transaction.
    async fn take(self: &Arc<Self>, txn: &Txn) -> HeldKeys {
        let own = txn.changes.keys().filter(|key| **key != txn.primary);
        let own: Vec<Bytes> = own.cloned().collect();
        self.when(|held| {
            let free = own.iter().all(|key| !held.contains(key));
            if free {
                held.extend(own.iter().cloned());
            }
            free
        })
        .await;
        HeldKeys {
            keys: Arc::clone(self),
            own,
        }
    }

    async fn all_free(&self) {
        self.when(|held| held.is_empty()).await;
    }

    async fn when(&self, mut met: impl FnMut(&mut HashSet<Bytes>) -> bool) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if met(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner)) {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for HeldKeys {
    fn drop(&mut self) {
        let mut held = self
            .keys
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for key in &self.own {
            held.remove(key);
        }
        drop(held);
        self.keys.freed.notify_waiters();
    }
}

//! The owner's actor.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proto::mvccpb::event::EventType;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Context, Left, Order, TICK, due, feed::Feed, store::WriteError};
use crate::{
    changefeed::{
        keys::Id,
        state::{self, StateError},
        task::End,
    },
    coded::Coded,
    etcd::Watch,
    model::Ts,
};

/// How long to wait before watching again after the watch broke.
const REWATCH: Duration = Duration::from_millis(500);

/// The end of a task.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) id: Id,
    pub(super) number: u64,
    pub(super) outcome: Result<End, Coded>,
}

/// The least safepoint of all services and the TSO when it was asked for.
pub(super) type Kept = Result<(Ts, Ts), Coded>;

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) context: Context,
    pub(super) feeds: BTreeMap<Id, Feed>,
    pub(super) numbers: u64,
    /// Keys of tasks of captures that owned before, and of runs of changefeeds that are gone.
    stale: Vec<String>,
    pub(super) deleted: u64,
    pub(super) revision: i64,
    pub(super) ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    pub(super) kept: (mpsc::Sender<Kept>, mpsc::Receiver<Kept>),
    pub(super) keep_at: Option<Instant>,
    /// The captures that are there.
    pub(super) captures: BTreeSet<String>,
    /// Those of them that get no tables any more.
    pub(super) drained: BTreeSet<String>,
}

impl Actor {
    pub(super) async fn load(context: Context) -> Result<Self, StateError> {
        let snapshot = state::load(&context.etcd, &context.keys, context.compat()).await?;
        let prefix = context.keys.drained_prefix();
        let (drained, _) = context.etcd.list(&prefix).await?;
        let drained = drained.iter().filter_map(|pair| {
            let key = String::from_utf8_lossy(&pair.key);
            key.strip_prefix(&prefix).map(str::to_owned)
        });
        let (runs, _) = context.etcd.list(&context.keys.run_prefix()).await?;
        let now = Instant::now();
        let mut feeds = BTreeMap::new();
        for (id, meta, position) in snapshot.changefeeds {
            let mut feed = Feed::new(id.clone(), meta, position, now);
            feed.stored.info = Some(feed.meta.clone());
            if position.is_some() {
                feed.stored.status = feed.meta.encode_position(&feed.position)?;
            }
            feed.stored.revision = snapshot.revision;
            feeds.insert(id, feed);
        }
        tracing::info!(
            changefeeds = feeds.len(),
            "this server owns the changefeeds"
        );
        // those of changefeeds that do not run are ended with what is written of them
        let ownerless = runs.iter().filter_map(|pair| {
            let key = String::from_utf8_lossy(&pair.key).into_owned();
            let id = context.keys.parse_run(&key)?;
            (!feeds.contains_key(&id)).then_some(key)
        });
        let stale = snapshot.tasks.into_iter().chain(ownerless).collect();
        let mut captures: BTreeSet<String> = snapshot.captures.into_iter().collect();
        captures.insert(context.capture.clone());
        Ok(Self {
            context,
            feeds,
            numbers: 0,
            stale,
            deleted: snapshot.deleted,
            revision: snapshot.revision,
            ended: mpsc::unbounded_channel(),
            kept: mpsc::channel(1),
            keep_at: Some(now),
            captures,
            drained: drained.collect(),
        })
    }

    pub(super) async fn run(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
        lost: &CancellationToken,
    ) -> Left {
        // whatever is under way: once the session may be gone there is no time for it
        let served = tokio::select! {
            biased;
            () = lost.cancelled() => Ok(()),
            served = self.serve(orders, stop) => served,
        };
        let left = match served {
            Ok(()) => Left::Asked,
            Err(error) => {
                tracing::warn!(%error, "this server no longer owns the changefeeds");
                Left::Replaced
            }
        };
        let may_write = left == Left::Asked && !lost.is_cancelled();
        match self.leave(may_write).await {
            true => left,
            false => Left::Stuck,
        }
    }

    /// Serves until asked to leave; an error means that another has taken over.
    async fn serve(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
    ) -> Result<(), WriteError> {
        // not later: they may be used again
        let stale = std::mem::take(&mut self.stale);
        if let Err(error) = self.context.write_basics(&stale).await {
            self.survive(error, "write what the cluster of captures is")?;
        }
        let ids: Vec<Id> = self.feeds.keys().cloned().collect();
        for id in &ids {
            self.start(id);
        }
        let mut watching = self.watch().await;
        let mut rewatch_at = watching.is_none().then(|| Instant::now() + REWATCH);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut counted = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(ended) = self.ended.1.recv() => self.on_end(ended).await?,
                order = orders.recv() => match order {
                    Some(order) => self.on_order(order).await?,
                    None => return Ok(()),
                },
                Some(kept) = self.kept.1.recv() => self.on_kept(kept).await?,
                events = next(&mut watching) => match events {
                    Some(events) => for event in events {
                        if let Some(pair) = event.kv {
                            self.revision = self.revision.max(pair.mod_revision);
                            let deleted = event.r#type == i32::from(EventType::Delete);
                            self.on_key(&pair, deleted).await?;
                        }
                    },
                    None => rewatch_at = Some(Instant::now() + REWATCH),
                },
                _ = tick.tick() => {
                    let now = Instant::now();
                    self.context.meters.owned(now - counted);
                    counted = now;
                    if due(rewatch_at, Instant::now()) {
                        watching = self.resync().await?;
                        rewatch_at = watching.is_none().then(|| Instant::now() + REWATCH);
                    }
                    self.on_tick().await?;
                }
            }
        }
    }

    /// Whether to go on after a write failed: not when another owns.
    pub(super) fn survive(&self, error: WriteError, what: &str) -> Result<(), WriteError> {
        if matches!(error, WriteError::Replaced) {
            return Err(error);
        }
        tracing::warn!(%error, "failed to {what}, it is tried again");
        Ok(())
    }

    /// Catches up on keys that others wrote while they could not be followed, and follows them again.
    async fn resync(&mut self) -> Result<Option<Watch>, WriteError> {
        let prefix = format!("{}/", self.context.keys.base());
        let (pairs, revision) = match self.context.etcd.list(&prefix).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(%error, "failed to read the changefeeds' keys");
                return Ok(None);
            }
        };
        if !pairs.iter().any(|pair| self.context.ownership.is(pair)) {
            return Err(WriteError::Replaced);
        }
        let there: BTreeSet<Id> = pairs
            .iter()
            .filter_map(|pair| {
                let key = String::from_utf8_lossy(&pair.key);
                self.context.keys.parse_info(&key)
            })
            .collect();
        let captures: BTreeSet<String> = pairs
            .iter()
            .filter_map(|pair| {
                let key = String::from_utf8_lossy(&pair.key);
                self.context.keys.parse_capture(&key).map(str::to_owned)
            })
            .collect();
        let gone: Vec<String> = self.captures.difference(&captures).cloned().collect();
        for capture in gone {
            self.on_capture(&capture, true);
        }
        for pair in &pairs {
            self.on_key(pair, false).await?;
        }
        let now = Instant::now();
        for feed in self.feeds.values_mut() {
            if !there.contains(&feed.id) && feed.stored.revision <= revision {
                feed.vanish(now);
            }
        }
        self.revision = self.revision.max(revision);
        Ok(self.watch().await)
    }

    /// Follows keys that others write; none while etcd cannot be reached.
    async fn watch(&self) -> Option<Watch> {
        let prefix = format!("{}/", self.context.keys.base());
        let open = self.context.etcd.watch(&prefix, self.revision + 1);
        match tokio::time::timeout(Duration::from_secs(2), open).await {
            Ok(Ok(watch)) => Some(watch),
            Ok(Err(error)) => {
                tracing::warn!(%error, "failed to watch the changefeeds' keys");
                None
            }
            Err(_) => None,
        }
    }
}

/// The next changes of keys, none when the watch broke.
async fn next(watching: &mut Option<Watch>) -> Option<Vec<proto::mvccpb::Event>> {
    match watching {
        Some(watch) => match watch.next().await {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(%error, "the watch of the changefeeds' keys broke");
                *watching = None;
                None
            }
        },
        None => std::future::pending().await,
    }
}

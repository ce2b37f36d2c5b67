//! The owner's actor.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::mvccpb::event::EventType;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Context, Done, Left, Order, STOP_WITHIN, TICK, already_exists, due,
    feed::{Feed, Leaving, Running},
    not_exists,
    store::WriteError,
};
use crate::{
    changefeed::{
        gc::Purpose,
        info::State,
        keys::Id,
        lifecycle::Verdict,
        state::{self, Meta, Position, StateError},
        task::{self, End, Progress, Spec},
    },
    coded::{Code, Coded},
    compat::Compat,
    etcd::Watch,
    model::Ts,
};

/// How long to wait before watching again after the watch broke.
const REWATCH: Duration = Duration::from_millis(500);

/// The end of a task.
#[derive(Debug)]
struct Ended {
    id: Id,
    number: u64,
    outcome: Result<End, Coded>,
}

/// The least safepoint of all services and the TSO when it was asked for.
type Kept = Result<(Ts, Ts), Coded>;

#[derive(Debug)]
pub(super) struct Actor {
    context: Context,
    feeds: BTreeMap<Id, Feed>,
    numbers: u64,
    /// Keys of tasks of captures that owned before.
    stale: Vec<String>,
    deleted: u64,
    revision: i64,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    kept: (mpsc::Sender<Kept>, mpsc::Receiver<Kept>),
    keep_at: Option<Instant>,
}

impl Actor {
    pub(super) async fn load(context: Context) -> Result<Self, StateError> {
        let snapshot = state::load(&context.etcd, &context.keys, context.compat).await?;
        let now = Instant::now();
        let mut feeds = BTreeMap::new();
        for (id, meta, position) in snapshot.changefeeds {
            let mut feed = Feed::new(id.clone(), meta, position, now);
            feed.stored.info = feed.meta.encode()?;
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
        Ok(Self {
            context,
            feeds,
            numbers: 0,
            stale: snapshot.tasks,
            deleted: snapshot.deleted,
            revision: snapshot.revision,
            ended: mpsc::unbounded_channel(),
            kept: mpsc::channel(1),
            keep_at: Some(now),
        })
    }

    pub(super) async fn run(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
        lost: &CancellationToken,
    ) -> Left {
        let left = match self.serve(orders, stop, lost).await {
            Ok(()) => Left::Asked,
            Err(error) => {
                tracing::warn!(%error, "this server no longer owns the changefeeds");
                Left::Replaced
            }
        };
        let may_write = left == Left::Asked && !lost.is_cancelled();
        self.leave(may_write, lost).await;
        left
    }

    /// Serves until asked to leave; an error means that another has taken over.
    async fn serve(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
        lost: &CancellationToken,
    ) -> Result<(), WriteError> {
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
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = lost.cancelled() => return Ok(()),
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
                    if due(rewatch_at, Instant::now()) {
                        watching = self.watch().await;
                        rewatch_at = watching.is_none().then(|| Instant::now() + REWATCH);
                    }
                    self.on_tick().await?;
                }
            }
        }
    }

    /// Whether to go on after a write failed: not when another owns.
    fn survive(&self, error: WriteError, what: &str) -> Result<(), WriteError> {
        if matches!(error, WriteError::Replaced) {
            return Err(error);
        }
        tracing::warn!(%error, "failed to {what}, it is tried again");
        Ok(())
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

    async fn on_order(&mut self, order: Order) -> Result<(), WriteError> {
        match order {
            Order::View(id, reply) => {
                let chosen = self
                    .feeds
                    .values()
                    .filter(|feed| id.as_ref().is_none_or(|id| *id == feed.id));
                // who asked may have gone
                let _ = reply.send(chosen.map(Feed::view).collect());
                Ok(())
            }
            Order::Insert(id, meta, position, done) => self.insert(id, *meta, position, done).await,
            Order::Update(id, meta, done) => self.update(&id, *meta, done).await,
            Order::Pause(id, done) => self.pause(&id, done).await,
            Order::Resume(id, overwrite, done) => self.resume(&id, overwrite, done).await,
            Order::Remove(id, force, done) => self.remove(&id, force, done).await,
        }
    }

    async fn insert(
        &mut self,
        id: Id,
        meta: Meta,
        position: Position,
        done: Done,
    ) -> Result<(), WriteError> {
        if self.feeds.contains_key(&id) {
            let _ = done.send(Err(already_exists(&id)));
            return Ok(());
        }
        let mut feed = Feed::new(id.clone(), meta, Some(position), Instant::now());
        match self.context.write_new(&mut feed).await {
            Ok(()) => {
                tracing::info!(changefeed = %id, start_ts = position.checkpoint_ts, "changefeed created");
                self.feeds.insert(id.clone(), feed);
                self.start(&id);
                let _ = done.send(Ok(()));
                Ok(())
            }
            Err(WriteError::Exists) => {
                let _ = done.send(Err(already_exists(&id)));
                Ok(())
            }
            Err(WriteError::Replaced) => Err(WriteError::Replaced),
            Err(error) => {
                let _ = done.send(Err(error.into()));
                Ok(())
            }
        }
    }

    /// Writes a changefeed's keys for whoever asked, and tells them.
    async fn settle(&mut self, id: &Id, done: Done) -> Result<(), WriteError> {
        match self.flush(id).await {
            Ok(()) => {
                let _ = done.send(Ok(()));
                Ok(())
            }
            Err(WriteError::Replaced) => Err(WriteError::Replaced),
            Err(error) => {
                // what was changed is written later, with the next tick that can
                let _ = done.send(Err(error.into()));
                Ok(())
            }
        }
    }

    async fn flush(&mut self, id: &Id) -> Result<(), WriteError> {
        let Some(feed) = self.feeds.get_mut(id) else {
            return Ok(());
        };
        self.context.write_changes(std::iter::once(feed)).await
    }

    async fn epoch(&self) -> Ts {
        match self.context.compat {
            Compat::V4_0_9 => 0,
            Compat::V6_5 | Compat::V8_5 => {
                let asked =
                    tokio::time::timeout(Duration::from_secs(1), self.context.upstream.tso());
                // an epoch only has to differ: none is taken while PD is away
                asked.await.ok().and_then(Result::ok).unwrap_or_default()
            }
        }
    }

    async fn update(&mut self, id: &Id, meta: Meta, done: Done) -> Result<(), WriteError> {
        let Some(feed) = self.feeds.get_mut(id).filter(|f| f.leaving.is_none()) else {
            let _ = done.send(Err(not_exists(id)));
            return Ok(());
        };
        if !matches!(feed.meta.state(), State::Stopped | State::Failed) {
            let _ = done.send(Err(crate::changefeed::update::running()));
            return Ok(());
        }
        feed.meta = meta;
        self.settle(id, done).await
    }

    async fn pause(&mut self, id: &Id, done: Done) -> Result<(), WriteError> {
        let epoch = self.epoch().await;
        let now = Instant::now();
        let Some(feed) = self.feeds.get_mut(id).filter(|f| f.leaving.is_none()) else {
            let _ = done.send(Err(not_exists(id)));
            return Ok(());
        };
        if feed.meta.state().is_alive() {
            feed.follow(now);
            feed.retry_at = None;
            feed.overwrite = None;
            feed.enter(State::Stopped, epoch);
        }
        if feed.stop(now) {
            feed.waiting.push(done);
            let written = self.flush(id).await;
            return written
                .or_else(|error| self.survive(error, "persist that a changefeed is paused"));
        }
        self.settle(id, done).await
    }

    async fn resume(
        &mut self,
        id: &Id,
        overwrite: Option<Ts>,
        done: Done,
    ) -> Result<(), WriteError> {
        let epoch = self.epoch().await;
        let now = Instant::now();
        let Some(feed) = self.feeds.get_mut(id).filter(|f| f.leaving.is_none()) else {
            let _ = done.send(Err(not_exists(id)));
            return Ok(());
        };
        if matches!(
            feed.meta.state(),
            State::Normal | State::Finished | State::Removed
        ) {
            let _ = done.send(Ok(()));
            return Ok(());
        }
        feed.meta.clear_errors();
        if let Meta::Legacy(info) = &mut feed.meta {
            info.history = None;
        }
        feed.enter(State::Normal, epoch);
        feed.retry_at = None;
        match (overwrite, &feed.running) {
            (Some(ts), None) => feed.restart_at(ts, now),
            (Some(ts), Some(_)) => {
                feed.overwrite = Some(ts);
                feed.stop(now);
            }
            (None, _) => {}
        }
        self.start(id);
        self.settle(id, done).await
    }

    async fn remove(&mut self, id: &Id, force: bool, done: Done) -> Result<(), WriteError> {
        let now = Instant::now();
        let Some(feed) = self.feeds.get_mut(id).filter(|f| f.leaving.is_none()) else {
            let _ = done.send(Err(not_exists(id)));
            return Ok(());
        };
        feed.follow(now);
        feed.leaving = Some(Leaving::Removed { force });
        feed.enter(State::Removed, 0);
        feed.waiting.push(done);
        if feed.stop(now) {
            return Ok(());
        }
        self.leave_one(id).await
    }

    /// Takes a changefeed whose task has ended out for good.
    async fn leave_one(&mut self, id: &Id) -> Result<(), WriteError> {
        let Some(feed) = self.feeds.get(id) else {
            return Ok(());
        };
        let leaving = feed.leaving.unwrap_or(Leaving::Vanished);
        match self
            .context
            .write_removal(feed, leaving, &mut self.deleted)
            .await
        {
            Ok(()) => {}
            Err(WriteError::Replaced) => return Err(WriteError::Replaced),
            // `leaving` is still set: the next tick tries again
            Err(error) => return self.survive(error, "remove a changefeed's keys"),
        }
        if let Some(feed) = self.feeds.remove(id) {
            tracing::info!(changefeed = %id, checkpoint_ts = feed.position.checkpoint_ts, "changefeed removed");
            for done in feed.waiting {
                let _ = done.send(Ok(()));
            }
        }
        self.keep_at = Some(Instant::now());
        let (safepoints, id) = (self.context.safepoints.clone(), id.clone());
        tokio::spawn(async move {
            for purpose in [Purpose::Creating, Purpose::Initializing, Purpose::Resuming] {
                if let Err(error) = safepoints.undo(&id, purpose).await {
                    tracing::warn!(%error, changefeed = %id, "failed to let a GC safepoint go, it expires");
                }
            }
        });
        Ok(())
    }

    /// Starts a task, unless there is one or there should be none.
    fn start(&mut self, id: &Id) {
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        if feed.running.is_some() || feed.leaving.is_some() || !feed.meta.state().is_alive() {
            return;
        }
        feed.retry_at = None;
        if feed.meta.state() == State::Pending {
            feed.enter(State::Warning, 0);
        }
        self.numbers += 1;
        let number = self.numbers;
        let position = feed.position;
        let spec = Spec {
            namespace: id.namespace.clone(),
            id: id.id.clone(),
            capture: self.context.address.clone(),
            compat: self.context.compat,
            sink_uri: feed.meta.sink_uri().to_owned(),
            config: feed.meta.config(),
            checkpoint_ts: position.checkpoint_ts,
            ddl_at_checkpoint: feed.meta.ddl_at_checkpoint(&position),
            target_ts: feed.meta.target_ts(),
            time_zone: self.context.time_zone.clone(),
        };
        let (sender, progress) = watch::channel(Progress {
            checkpoint_ts: position.checkpoint_ts,
            resolved_ts: position.checkpoint_ts,
            barrier_ts: position.barrier_ts,
            ..Progress::default()
        });
        let stop = CancellationToken::new();
        tracing::info!(changefeed = %id, checkpoint_ts = position.checkpoint_ts, "changefeed starts");
        let (context, ended) = (self.context.clone(), self.ended.0.clone());
        let (token, id) = (stop.clone(), id.clone());
        let worker = tokio::spawn(drive(context, id.clone(), spec, sender, token));
        feed.running = Some(Running {
            number,
            started_at: position.checkpoint_ts,
            stop,
            progress,
            abort: worker.abort_handle(),
            stopping: None,
        });
        tokio::spawn(async move {
            let outcome = worker
                .await
                .unwrap_or_else(|error| match error.is_cancelled() {
                    true => Ok(End::Stopped),
                    false => Err(Coded::new(
                        Code::ErrProcessorUnknown,
                        format!("the task of the changefeed broke: {error}"),
                    )),
                });
            // the actor may have gone
            let _ = ended.send(Ended {
                id,
                number,
                outcome,
            });
        });
    }

    async fn on_end(&mut self, ended: Ended) -> Result<(), WriteError> {
        let now = Instant::now();
        let Some(feed) = self.feeds.get_mut(&ended.id) else {
            return Ok(());
        };
        if feed
            .running
            .as_ref()
            .is_none_or(|r| r.number != ended.number)
        {
            return Ok(());
        }
        feed.follow(now);
        let told = feed.running.take().is_some_and(|running| {
            feed.messages += running.progress.borrow().messages;
            running.stopping.is_some()
        });
        if feed.leaving.is_some() {
            return self.leave_one(&ended.id).await;
        }
        match ended.outcome {
            Ok(End::Finished) => {
                tracing::info!(changefeed = %ended.id, "changefeed finished");
                let epoch = self.epoch().await;
                if let Some(feed) = self.feeds.get_mut(&ended.id) {
                    feed.meta.clear_errors();
                    feed.enter(State::Finished, epoch);
                }
            }
            Ok(End::Stopped) => {}
            Err(error) if told => {
                tracing::debug!(changefeed = %ended.id, %error, "the task ended with an error while it was stopped");
            }
            Err(error) => self.on_error(&ended.id, &error).await,
        }
        if let Some(feed) = self.feeds.get_mut(&ended.id)
            && let Some(ts) = feed.overwrite.take()
        {
            feed.restart_at(ts, now);
        }
        let waits = self
            .feeds
            .get(&ended.id)
            .is_some_and(|feed| feed.retry_at.is_some());
        if !waits {
            self.start(&ended.id);
        }
        let written = self.flush(&ended.id).await;
        if let Some(feed) = self.feeds.get_mut(&ended.id) {
            for done in feed.waiting.drain(..) {
                let _ = done.send(Ok(()));
            }
        }
        written.or_else(|error| self.survive(error, "persist where a changefeed stopped"))
    }

    async fn on_error(&mut self, id: &Id, error: &Coded) {
        let epoch = self.epoch().await;
        let now = Instant::now();
        let address = self.context.address.clone();
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        feed.errors += 1;
        let fail = |feed: &mut Feed, error: &Coded| {
            tracing::error!(changefeed = %id, %error, "changefeed failed");
            feed.meta.note_error(error, &address, State::Failed);
            feed.enter(State::Failed, epoch);
        };
        match feed.troubles.on_error(error, now) {
            Verdict::Fail => fail(feed, error),
            Verdict::Stuck => {
                let error = Coded::new(Code::ErrChangefeedUnretryable, error.message());
                fail(feed, &error);
            }
            Verdict::Retry { state, after } => {
                if !feed.meta.note_error(error, &address, state) {
                    fail(feed, error);
                    return;
                }
                tracing::warn!(changefeed = %id, %error, ?after, "changefeed met an error and tries again");
                feed.enter(state, epoch);
                feed.retry_at = Some(now + after);
            }
        }
    }

    async fn on_tick(&mut self) -> Result<(), WriteError> {
        let now = Instant::now();
        let mut retry = Vec::new();
        let mut gone = Vec::new();
        for feed in self.feeds.values_mut() {
            if feed.follow(now) && feed.meta.state() == State::Warning {
                tracing::info!(changefeed = %feed.id, "changefeed is well again");
                feed.meta.clear_errors();
                feed.enter(State::Normal, 0);
            }
            if let Some(running) = &feed.running
                && running.stopping.is_some_and(|at| now - at > STOP_WITHIN)
            {
                tracing::warn!(changefeed = %feed.id, "the task does not stop and is dropped");
                running.abort.abort();
            }
            if due(feed.retry_at, now) {
                retry.push(feed.id.clone());
            }
            if feed.leaving.is_some() && feed.running.is_none() {
                gone.push(feed.id.clone());
            }
        }
        for id in retry {
            self.start(&id);
        }
        for id in gone {
            self.leave_one(&id).await?;
        }
        if due(self.keep_at, now) {
            self.keep();
        }
        let written = self.context.write_changes(self.feeds.values_mut()).await;
        written.or_else(|error| self.survive(error, "persist checkpoints"))
    }

    /// Moves the safepoint of all changefeeds, in the background.
    fn keep(&mut self) {
        self.keep_at = None;
        let (context, answer) = (self.context.clone(), self.kept.0.clone());
        let least = self
            .feeds
            .values()
            .filter(|feed| !matches!(feed.meta.state(), State::Finished | State::Removed))
            .map(|feed| feed.position.checkpoint_ts)
            .min();
        tokio::spawn(async move {
            let keep = async {
                let now = context.upstream.tso().await?;
                let safepoints = &context.safepoints;
                let kept = match (least, context.compat) {
                    (Some(least), _) => safepoints.keep(least).await?,
                    (None, Compat::V4_0_9) => {
                        safepoints.release().await?;
                        0
                    }
                    (None, _) => safepoints.keep(now).await?,
                };
                Ok::<_, crate::upstream::Error>((kept, now))
            };
            let kept = keep.await.map_err(|error| {
                Coded::new(
                    Code::ErrOwnerUnknown,
                    format!("failed to move the GC safepoint: {error}"),
                )
            });
            // the actor may have gone
            let _ = answer.send(kept).await;
        });
    }

    async fn on_kept(&mut self, kept: Kept) -> Result<(), WriteError> {
        let now = Instant::now();
        let (least, current) = match kept {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "the GC safepoint stays where it is");
                self.keep_at = Some(now + Duration::from_secs(2));
                return Ok(());
            }
        };
        self.keep_at
            .get_or_insert(now + self.context.safepoints.interval());
        let lost: Vec<_> = self
            .feeds
            .values()
            .filter(|feed| feed.meta.state().is_alive() && feed.leaving.is_none())
            .filter_map(|feed| {
                let checkpoint = feed.position.checkpoint_ts;
                let checked = self
                    .context
                    .safepoints
                    .check(checkpoint, least, current, &feed.id);
                checked.err().map(|error| (feed.id.clone(), error))
            })
            .collect();
        for (id, error) in lost {
            if let Some(feed) = self.feeds.get_mut(&id) {
                feed.stop(now);
            }
            self.on_error(&id, &error).await;
            let written = self.flush(&id).await;
            written.or_else(|error| self.survive(error, "persist that a changefeed failed"))?;
        }
        Ok(())
    }

    /// A key was written or removed, perhaps by somebody else.
    async fn on_key(
        &mut self,
        pair: &proto::mvccpb::KeyValue,
        deleted: bool,
    ) -> Result<(), WriteError> {
        let key = String::from_utf8_lossy(&pair.key);
        let Some(id) = self.context.keys.parse_info(&key) else {
            return Ok(());
        };
        let now = Instant::now();
        if let Some(feed) = self.feeds.get_mut(&id) {
            if pair.mod_revision <= feed.stored.revision || feed.leaving.is_some() {
                return Ok(());
            }
            if deleted {
                tracing::warn!(changefeed = %id, "somebody removed the changefeed's key");
                feed.leaving = Some(Leaving::Vanished);
                feed.stop(now);
                return Ok(());
            }
        } else if deleted {
            return Ok(());
        }
        let meta = match Meta::decode(self.context.compat, &pair.value) {
            Ok(meta) => meta,
            Err(error) => {
                tracing::error!(%key, %error, "the value of this key cannot be read and is left alone");
                return Ok(());
            }
        };
        let stored = String::from_utf8_lossy(&pair.value).into_owned();
        if let Some(feed) = self.feeds.get_mut(&id) {
            tracing::info!(changefeed = %id, "somebody changed the changefeed");
            feed.meta = meta;
            feed.stored.info = stored;
            if !feed.meta.state().is_alive() {
                feed.stop(now);
            }
        } else {
            let status = self.context.etcd.get(&self.context.keys.status(&id)).await;
            let position = match status {
                Ok(Some(pair)) => state::decode_position(self.context.compat, &pair.value).ok(),
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!(%error, "failed to read where a new changefeed stands, it begins at its start-ts");
                    None
                }
            };
            tracing::info!(changefeed = %id, "somebody created a changefeed");
            let mut feed = Feed::new(id.clone(), meta, position, now);
            feed.stored.info = stored;
            feed.stored.revision = pair.mod_revision;
            self.feeds.insert(id.clone(), feed);
        }
        self.start(&id);
        Ok(())
    }

    /// Stops all tasks and waits for them; persists where they stopped if this server still may.
    async fn leave(&mut self, may_write: bool, lost: &CancellationToken) {
        let now = Instant::now();
        let mut left = 0;
        for feed in self.feeds.values_mut() {
            left += usize::from(feed.stop(now));
        }
        let deadline = tokio::time::sleep(STOP_WITHIN);
        tokio::pin!(deadline);
        while left > 0 {
            tokio::select! {
                Some(ended) = self.ended.1.recv() => {
                    if let Some(feed) = self.feeds.get_mut(&ended.id)
                        && feed.running.as_ref().is_some_and(|r| r.number == ended.number)
                    {
                        feed.follow(Instant::now());
                        feed.running = None;
                        left -= 1;
                    }
                }
                () = &mut deadline => {
                    tracing::warn!(tasks = left, "tasks do not stop and are dropped");
                    for running in self.feeds.values().filter_map(|feed| feed.running.as_ref()) {
                        running.abort.abort();
                    }
                    break;
                }
            }
        }
        if may_write && !lost.is_cancelled() {
            for feed in self.feeds.values_mut() {
                feed.follow(Instant::now());
            }
            if let Err(error) = self.context.write_changes(self.feeds.values_mut()).await {
                tracing::warn!(%error, "failed to persist the last checkpoints, the ones before hold");
            }
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

/// A task with its safepoint held while it starts.
async fn drive(
    context: Context,
    id: Id,
    spec: Spec,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<End, Coded> {
    let safepoints = &context.safepoints;
    let ensure = safepoints.ensure(&id, Purpose::Initializing, spec.checkpoint_ts);
    tokio::select! {
        ensured = ensure => ensured?,
        () = stop.cancelled() => return Ok(End::Stopped),
    }
    let (other, of) = (safepoints.clone(), id.clone());
    tokio::spawn(async move {
        for purpose in [Purpose::Creating, Purpose::Resuming] {
            if let Err(error) = other.undo(&of, purpose).await {
                tracing::debug!(%error, changefeed = %of, "a GC safepoint stays until it expires");
            }
        }
    });
    task::run(spec, context.upstream, progress, stop).await
}

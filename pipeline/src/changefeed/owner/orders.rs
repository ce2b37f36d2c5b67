//! What is asked of the owner, done.

use std::time::{Duration, Instant};

use super::{
    Done, Order, already_exists,
    feed::{Feed, Leaving},
    not_exists,
    run::Actor,
    store::WriteError,
};
use crate::{
    changefeed::{
        gc::Purpose,
        info::State,
        keys::Id,
        state::{Meta, Position},
    },
    compat::Compat,
    model::Ts,
};

impl Actor {
    pub(super) async fn on_order(&mut self, order: Order) -> Result<(), WriteError> {
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
            Order::Place(id, wish, done) => {
                // who asked may have gone
                let _ = done.send(self.place(&id, wish));
                Ok(())
            }
            Order::Drain(capture, reply) => {
                let _ = reply.send(self.drain(&capture).await);
                Ok(())
            }
        }
    }

    pub(super) async fn insert(
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
    pub(super) async fn settle(&mut self, id: &Id, done: Done) -> Result<(), WriteError> {
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

    pub(super) async fn flush(&mut self, id: &Id) -> Result<(), WriteError> {
        let Some(feed) = self.feeds.get_mut(id) else {
            return Ok(());
        };
        self.context.write_changes(std::iter::once(feed)).await
    }

    pub(super) async fn epoch(&self) -> Ts {
        match self.context.compat() {
            Compat::V4_0_9 => 0,
            Compat::V6_5 | Compat::V8_5 => {
                let asked =
                    tokio::time::timeout(Duration::from_secs(1), self.context.upstream.tso());
                // an epoch only has to differ: none is taken while PD is away
                asked.await.ok().and_then(Result::ok).unwrap_or_default()
            }
        }
    }

    pub(super) async fn update(
        &mut self,
        id: &Id,
        meta: Meta,
        done: Done,
    ) -> Result<(), WriteError> {
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

    pub(super) async fn pause(&mut self, id: &Id, done: Done) -> Result<(), WriteError> {
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

    pub(super) async fn resume(
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

    pub(super) async fn remove(
        &mut self,
        id: &Id,
        force: bool,
        done: Done,
    ) -> Result<(), WriteError> {
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
    pub(super) async fn leave_one(&mut self, id: &Id) -> Result<(), WriteError> {
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
}

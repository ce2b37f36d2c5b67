//! What the owner does unasked: persisting, retrying, GC safepoints, keys that others write; and leaving.

use std::time::{Duration, Instant};

use super::{
    DROP_WITHIN, STOP_WITHIN, due,
    feed::Feed,
    run::{Actor, Kept},
    store::WriteError,
};
use crate::{
    changefeed::{
        clock::lag_seconds,
        info::State,
        state::{self, Meta},
    },
    coded::{Code, Coded},
    compat::Compat,
    model::physical_ms,
};

impl Actor {
    pub(super) async fn on_tick(&mut self) -> Result<(), WriteError> {
        let now = Instant::now();
        let mut retry = Vec::new();
        let mut gone = Vec::new();
        for feed in self.feeds.values_mut() {
            if let Some(running) = &feed.running {
                let meters = self.context.meters.feed(&feed.id.namespace, &feed.id.id);
                let progress = running.progress.borrow();
                let lags = [&meters.checkpoint_lag, &meters.resolved_lag];
                for (lag, ts) in lags
                    .iter()
                    .zip([progress.checkpoint_ts, progress.resolved_ts])
                {
                    lag.observe(lag_seconds(ts));
                }
            }
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
    pub(super) fn keep(&mut self) {
        self.keep_at = None;
        let (context, answer) = (self.context.clone(), self.kept.0.clone());
        let least = self
            .feeds
            .values()
            .filter(|feed| match feed.meta.state() {
                State::Finished | State::Removed => false,
                // it may yet be resumed, but not for ever
                State::Failed => self.context.safepoints.is_held(feed.position.checkpoint_ts),
                _ => true,
            })
            .map(|feed| feed.position.checkpoint_ts)
            .min();
        tokio::spawn(async move {
            let keep = async {
                let now = context.upstream.tso().await?;
                let safepoints = &context.safepoints;
                let kept = match (least, context.compat()) {
                    (Some(least), _) => safepoints.keep(least).await?,
                    (None, Compat::V4_0_9) => {
                        safepoints.release().await?;
                        0
                    }
                    (None, _) => safepoints.keep(now).await?,
                };
                let ours = least.unwrap_or(now);
                context
                    .meters
                    .safepoints(physical_ms(ours), physical_ms(kept));
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

    pub(super) async fn on_kept(&mut self, kept: Kept) -> Result<(), WriteError> {
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
            .filter(|feed| {
                let state = feed.meta.state();
                (state.is_alive() || state == State::Stopped) && feed.leaving.is_none()
            })
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
    pub(super) async fn on_key(
        &mut self,
        pair: &proto::mvccpb::KeyValue,
        deleted: bool,
    ) -> Result<(), WriteError> {
        let key = String::from_utf8_lossy(&pair.key);
        if deleted && key == self.context.ownership.key() {
            return Err(WriteError::Replaced);
        }
        if let Some(capture) = self.context.keys.parse_capture(&key) {
            let capture = capture.to_owned();
            self.on_capture(&capture, deleted);
            return Ok(());
        }
        let Some(id) = self.context.keys.parse_info(&key) else {
            return Ok(());
        };
        let now = Instant::now();
        if let Some(feed) = self.feeds.get_mut(&id) {
            if pair.mod_revision <= feed.stored.revision || feed.leaving.is_some() {
                return Ok(());
            }
            if deleted {
                feed.vanish(now);
                return Ok(());
            }
        } else if deleted {
            return Ok(());
        }
        let meta = match Meta::decode(self.context.compat(), &pair.value) {
            Ok(meta) => meta,
            Err(error) => {
                tracing::error!(%key, %error, "the value of this key cannot be read and is left alone");
                return Ok(());
            }
        };
        let stored = Some(meta.clone());
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
                Ok(Some(pair)) => state::decode_position(self.context.compat(), &pair.value).ok(),
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

    /// Stops all tasks and waits for them; persists where they stopped if this server still may, else drops them. Whether all
    /// have ended.
    pub(super) async fn leave(&mut self, may_write: bool) -> bool {
        let now = Instant::now();
        for feed in self.feeds.values_mut() {
            feed.stop(now);
        }
        // where another owns, or may soon, nothing more is sent, not even what is on its way
        let mut ended = may_write && self.ends(STOP_WITHIN).await;
        if !ended {
            for running in self.feeds.values().filter_map(|feed| feed.running.as_ref()) {
                running.abort.abort();
            }
            ended = self.ends(DROP_WITHIN).await;
        }
        if may_write {
            for feed in self.feeds.values_mut() {
                feed.follow(Instant::now());
            }
            if let Err(error) = self.context.write_changes(self.feeds.values_mut()).await {
                tracing::warn!(%error, "failed to persist the last checkpoints, the ones before hold");
            }
        }
        ended
    }

    /// Waits for the ends of tasks; whether all have ended.
    async fn ends(&mut self, within: Duration) -> bool {
        let ends = async {
            while self.feeds.values().any(|feed| feed.running.is_some()) {
                let Some(ended) = self.ended.1.recv().await else {
                    return;
                };
                if let Some(feed) = self.feeds.get_mut(&ended.id)
                    && feed
                        .running
                        .as_ref()
                        .is_some_and(|r| r.number == ended.number)
                {
                    feed.follow(Instant::now());
                    feed.running = None;
                }
            }
        };
        let ended = tokio::time::timeout(within, ends).await.is_ok();
        if !ended {
            tracing::warn!("tasks do not stop and are dropped");
        }
        ended
    }
}

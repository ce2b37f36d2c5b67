//! Tasks: started, and what their ends lead to.

use std::{collections::BTreeSet, time::Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    feed::{Feed, Running},
    run::{Actor, Ended},
    store::WriteError,
};
use crate::{
    changefeed::{
        gc::Purpose,
        info::State,
        keys::Id,
        lifecycle::Verdict,
        spread::lead::{Ground, Lead, Wish},
        state::Meta,
        task::{self, End, Progress, Role, Spec},
    },
    coded::{Code, Coded},
};

impl Actor {
    /// Starts a task, unless there is one or there should be none.
    pub(super) fn start(&mut self, id: &Id) {
        let members = self.members();
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
            release: self.context.release,
            sink_uri: feed.meta.sink_uri().to_owned(),
            config: feed.meta.config(),
            checkpoint_ts: position.checkpoint_ts,
            ddl_at_checkpoint: feed.meta.ddl_at_checkpoint(&position),
            target_ts: feed.meta.target_ts(),
            time_zone: self.context.time_zone.clone(),
            sort_folder: self.context.sort_folder.clone(),
            meters: self.context.meters.feed(&id.namespace, &id.id),
            fence: self.context.fence.clone(),
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
        let others = (members.clone(), feed.wish.take());
        let meta = feed.meta.clone();
        let worker = tokio::spawn(drive(
            context,
            id.clone(),
            meta,
            spec,
            others,
            sender,
            token,
        ));
        feed.running = Some(Running {
            number,
            started_at: position.checkpoint_ts,
            stop,
            progress,
            abort: worker.abort_handle(),
            members,
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

    pub(super) async fn on_end(&mut self, ended: Ended) -> Result<(), WriteError> {
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

    pub(super) async fn on_error(&mut self, id: &Id, error: &Coded) {
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
}

/// A task with its safepoint held while it starts, among these captures.
async fn drive(
    context: Context,
    id: Id,
    meta: Meta,
    spec: Spec,
    (members, wish): (BTreeSet<String>, Option<Wish>),
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
    let ground = Ground {
        etcd: context.etcd,
        keys: context.keys,
        ownership: context.ownership,
        capture: context.capture,
    };
    let info = meta
        .encode()
        .map_err(|error| Coded::wrap(Code::ErrOwnerUnknown, format_args!("failed to {error}")))?;
    let lead = tokio::select! {
        lead = Lead::gather(ground, id, info, members, wish) => lead?,
        () = stop.cancelled() => return Ok(End::Stopped),
    };
    let role = Role::Lead(Box::new(lead));
    task::run_as(spec, context.upstream, role, progress, stop).await
}

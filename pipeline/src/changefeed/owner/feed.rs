//! One changefeed in the hands of the owner.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use tokio::{sync::watch, task::AbortHandle};
use tokio_util::sync::CancellationToken;

use super::{Done, View};
use crate::{
    changefeed::{
        info::State,
        keys::Id,
        lifecycle::Troubles,
        spread::lead::Wish,
        state::{Meta, Position},
        task::Progress,
    },
    model::Ts,
    sort::TableId,
};

/// A task under way.
#[derive(Debug)]
pub(super) struct Running {
    /// Tells this task's end from that of another.
    pub(super) number: u64,
    /// The checkpoint from which it started.
    pub(super) started_at: Ts,
    pub(super) stop: CancellationToken,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) abort: AbortHandle,
    /// The captures that its tables are spread over.
    pub(super) members: BTreeSet<String>,
    /// When it was told to stop.
    pub(super) stopping: Option<Instant>,
}

/// What is left to do once the task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Remove the keys; by force also what v4.0.9 keeps.
    Removed { force: bool },
    /// Its keys are gone already.
    Vanished,
}

#[derive(Debug)]
pub(super) struct Feed {
    pub(super) id: Id,
    pub(super) meta: Meta,
    pub(super) position: Position,
    /// What etcd holds, to write only what differs.
    pub(super) stored: Stored,
    pub(super) running: Option<Running>,
    pub(super) troubles: Troubles,
    pub(super) retry_at: Option<Instant>,
    pub(super) leaving: Option<Leaving>,
    /// Where to go on instead of the checkpoint, once the task has ended.
    pub(super) overwrite: Option<Ts>,
    /// How the tables are to be placed when the task begins again.
    pub(super) wish: Option<Wish>,
    /// Who waits for the task to end.
    pub(super) waiting: Vec<Done>,
    /// The checkpoint when the last message was acknowledged, and how many there were.
    pub(super) synced: (Ts, u64),
    /// From where each table of v4.0.9's task is replicated; none before the first are.
    pub(super) starts: Option<BTreeMap<TableId, Ts>>,
    /// Messages of tasks that have ended.
    pub(super) messages: u64,
    pub(super) errors: u64,
}

/// Values as they are in etcd.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) info: Option<Meta>,
    pub(super) status: String,
    /// The value of the keys of v4.0.9's task, by key.
    pub(super) task: Vec<(String, String)>,
    /// It does not run, and no run of it is left to other captures.
    pub(super) idle: bool,
    /// The revision of our last write: what the watch tells up to it is our own.
    pub(super) revision: i64,
}

impl Feed {
    pub(super) fn new(id: Id, meta: Meta, position: Option<Position>, now: Instant) -> Self {
        let position = position.unwrap_or_else(|| Position::start(meta.start_ts()));
        Self {
            synced: (position.checkpoint_ts, 0),
            starts: None,
            troubles: Troubles::new(meta.stuck_after(), position.checkpoint_ts, now),
            id,
            meta,
            position,
            stored: Stored::default(),
            running: None,
            retry_at: None,
            leaving: None,
            overwrite: None,
            wish: None,
            waiting: Vec::new(),
            messages: 0,
            errors: 0,
        }
    }

    /// Takes over what the task reports; whether the checkpoint has passed the last error.
    pub(super) fn follow(&mut self, now: Instant) -> bool {
        let Some(running) = &self.running else {
            return false;
        };
        let progress = running.progress.borrow();
        let position = &mut self.position;
        position.checkpoint_ts = position.checkpoint_ts.max(progress.checkpoint_ts);
        position.resolved_ts = position
            .resolved_ts
            .max(progress.resolved_ts)
            .max(position.checkpoint_ts);
        position.barrier_ts = position.barrier_ts.max(progress.barrier_ts);
        let checkpoint = position.checkpoint_ts;
        if progress.messages != self.synced.1 {
            self.synced = (checkpoint, progress.messages);
        }
        drop(progress);
        self.troubles.on_checkpoint(checkpoint, now)
    }

    /// Moves to another state.
    pub(super) fn enter(&mut self, state: State, epoch: Ts) {
        self.meta.set_state(state, epoch);
    }

    /// Tells the task to stop; whether there is one.
    pub(super) fn stop(&mut self, now: Instant) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        running.stop.cancel();
        running.stopping.get_or_insert(now);
        true
    }

    /// Somebody removed its key.
    pub(super) fn vanish(&mut self, now: Instant) {
        if self.leaving.is_none() {
            tracing::warn!(changefeed = %self.id, "somebody removed the changefeed's key");
            self.leaving = Some(Leaving::Vanished);
            self.stop(now);
        }
    }

    /// Begins anew at `ts`.
    pub(super) fn restart_at(&mut self, ts: Ts, now: Instant) {
        self.position = Position::start(ts);
        if let Meta::Modern(info) = &mut self.meta {
            info.start_ts = ts;
        }
        self.troubles = Troubles::new(self.meta.stuck_after(), ts, now);
    }

    /// Which tables each capture has, by the task under way.
    pub(super) fn shares(&self) -> BTreeMap<String, Vec<TableId>> {
        let Some(running) = self.running.as_ref().filter(|r| r.stopping.is_none()) else {
            return BTreeMap::new();
        };
        let progress = running.progress.borrow();
        if progress.shares.is_empty() {
            // it is about to place them
            let none = |member: &String| (member.clone(), Vec::new());
            return running.members.iter().map(none).collect();
        }
        progress.shares.clone()
    }

    pub(super) fn view(&self) -> View {
        let mut view = View {
            id: self.id.clone(),
            meta: self.meta.clone(),
            state: self.meta.state(),
            position: self.position,
            resolved_ts: 0,
            running: false,
            shares: self.shares(),
            tables: Vec::new(),
            last_synced_ts: self.synced.0,
            messages: self.messages,
            errors: self.errors,
        };
        if let Some(running) = self.running.as_ref().filter(|r| r.stopping.is_none()) {
            let progress = running.progress.borrow();
            view.running = true;
            view.position.checkpoint_ts = view.position.checkpoint_ts.max(progress.checkpoint_ts);
            view.resolved_ts = progress.resolved_ts.max(view.position.checkpoint_ts);
            view.tables.clone_from(&progress.tables);
            view.messages += progress.messages;
        }
        view
    }
}

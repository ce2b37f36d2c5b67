//! The owner: runs every changefeed of the cluster.
//!
//! One actor holds all state. It takes orders (from the HTTP API), changes of keys that others wrote (v4.0.9's command
//! line writes to etcd itself), captures that come and go, and the ends of tasks; every [`TICK`] it persists how far
//! changefeeds have come. All it writes is guarded by its ownership, so that an owner that has been replaced changes nothing
//! any more.

mod feed;
mod orders;
mod placing;
mod run;
mod store;
mod tasks;
mod upkeep;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::run::Actor;
use super::{
    capture::Fence,
    election::Ownership,
    gc::Safepoints,
    info::State,
    keys::{Id, Keys},
    spread::lead::Wish,
    state::{Meta, Position, StateError},
};
use crate::{
    coded::{Code, Coded},
    compat::{Compat, Release},
    etcd,
    meters::Meters,
    model::Ts,
    sort::{Folder, TableId},
    upstream::Upstream,
};

/// How often checkpoints that have moved are persisted.
const TICK: Duration = Duration::from_millis(100);
/// How long a task may take to stop before it is dropped.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long a task may take to end that was dropped.
const DROP_WITHIN: Duration = Duration::from_secs(2);

/// Everything that owning needs.
#[derive(Debug, Clone)]
pub struct Context {
    /// Whose behaviour.
    pub release: Release,
    /// PD's etcd.
    pub etcd: etcd::Client,
    /// The names of its keys.
    pub keys: Keys,
    /// The cluster that is replicated.
    pub upstream: Upstream,
    /// Its GC safepoints.
    pub safepoints: Safepoints,
    /// In which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Where changefeeds sort what does not fit into memory.
    pub sort_folder: Folder,
    /// What this server counts.
    pub meters: Meters,
    /// This capture.
    pub capture: String,
    /// Its address.
    pub address: String,
    /// Shut when its session may be over.
    pub fence: Fence,
    /// Proof of ownership.
    pub ownership: Ownership,
}

impl Context {
    /// See [`Release::compat`].
    pub(super) fn compat(&self) -> Compat {
        self.release.compat()
    }
}

/// A changefeed as it is right now.
#[derive(Debug, Clone)]
pub struct View {
    /// Which one.
    pub id: Id,
    /// What it is.
    pub meta: Meta,
    /// What it is doing.
    pub state: State,
    /// How far it has come.
    pub position: Position,
    /// Everything up to here has been read; 0 without a task.
    pub resolved_ts: Ts,
    /// Whether it has a task.
    pub running: bool,
    /// The tables of the task, on whichever capture.
    pub tables: Vec<TableId>,
    /// Which of them each capture has that takes part.
    pub shares: BTreeMap<String, Vec<TableId>>,
    /// The checkpoint when the last message was acknowledged, or where the task began.
    pub last_synced_ts: Ts,
    /// Messages acknowledged since this server owns it.
    pub messages: u64,
    /// Errors since this server owns it.
    pub errors: u64,
}

type Reply<T> = oneshot::Sender<T>;
type Done = Reply<Result<(), Coded>>;

/// What may be asked of the owner.
#[derive(Debug)]
enum Order {
    View(Option<Id>, Reply<Vec<View>>),
    Insert(Id, Box<Meta>, Position, Done),
    Update(Id, Box<Meta>, Done),
    Pause(Id, Done),
    Resume(Id, Option<Ts>, Done),
    Remove(Id, bool, Done),
    Place(Id, Wish, Done),
    Drain(String, Reply<Result<usize, Coded>>),
}

/// A way to the owner of this server.
#[derive(Debug, Clone)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
}

fn gone() -> Coded {
    Coded::new(Code::ErrOwnerNotFound, "owner not found")
}

/// What is said of a changefeed that is not there.
#[must_use]
pub fn not_exists(id: &Id) -> Coded {
    Coded::new(
        Code::ErrChangeFeedNotExists,
        format!("changefeed not exists, {id}"),
    )
}

/// What is said of a changefeed that is there already.
#[must_use]
pub fn already_exists(id: &Id) -> Coded {
    Coded::new(
        Code::ErrChangeFeedAlreadyExists,
        format!("changefeed already exists, {}", id.id),
    )
}

impl Handle {
    async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Coded> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// All changefeeds by id.
    ///
    /// # Errors
    /// `ErrOwnerNotFound` when this server has just stopped being the owner.
    pub async fn views(&self) -> Result<Vec<View>, Coded> {
        self.ask(|reply| Order::View(None, reply)).await
    }

    /// One changefeed.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrOwnerNotFound`.
    pub async fn view(&self, id: &Id) -> Result<View, Coded> {
        let views = self
            .ask(|reply| Order::View(Some(id.clone()), reply))
            .await?;
        views.into_iter().next().ok_or_else(|| not_exists(id))
    }

    /// Takes a new changefeed in and starts it.
    ///
    /// # Errors
    /// `ErrChangeFeedAlreadyExists`, `ErrPDEtcdAPIError`, `ErrOwnerNotFound`.
    pub async fn insert(&self, id: &Id, meta: Meta, position: Position) -> Result<(), Coded> {
        self.ask(|done| Order::Insert(id.clone(), Box::new(meta), position, done))
            .await?
    }

    /// Replaces what a changefeed that stands still is.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrChangefeedUpdateRefused`, `ErrPDEtcdAPIError`, `ErrOwnerNotFound`.
    pub async fn update(&self, id: &Id, meta: Meta) -> Result<(), Coded> {
        self.ask(|done| Order::Update(id.clone(), Box::new(meta), done))
            .await?
    }

    /// Stops a changefeed; done when its task has ended.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrPDEtcdAPIError`, `ErrOwnerNotFound`.
    pub async fn pause(&self, id: &Id) -> Result<(), Coded> {
        self.ask(|done| Order::Pause(id.clone(), done)).await?
    }

    /// Starts a changefeed again, from another checkpoint if one is given.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrPDEtcdAPIError`, `ErrOwnerNotFound`.
    pub async fn resume(&self, id: &Id, overwrite: Option<Ts>) -> Result<(), Coded> {
        self.ask(|done| Order::Resume(id.clone(), overwrite, done))
            .await?
    }

    /// Ends a changefeed and removes its keys; without `force`, v4.0.9 keeps its checkpoint for a day.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrPDEtcdAPIError`, `ErrOwnerNotFound`.
    pub async fn remove(&self, id: &Id, force: bool) -> Result<(), Coded> {
        self.ask(|done| Order::Remove(id.clone(), force, done))
            .await?
    }
}

impl Handle {
    /// Moves tables of a changefeed to other captures; done when it has begun to.
    ///
    /// # Errors
    /// `ErrChangeFeedNotExists`, `ErrCaptureNotExist`, `ErrAPIInvalidParam` for a table that is not the changefeed's,
    /// `ErrOwnerNotFound`.
    pub async fn place(&self, id: &Id, wish: Wish) -> Result<(), Coded> {
        self.ask(|done| Order::Place(id.clone(), wish, done))
            .await?
    }

    /// Moves all tables away from a capture and gives it none any more; how many it has now.
    ///
    /// # Errors
    /// `ErrCaptureNotExist`, `ErrSchedulerRequestFailed` if it is the owner or alone, `ErrOwnerNotFound`.
    pub async fn drain(&self, capture: &str) -> Result<usize, Coded> {
        self.ask(|reply| Order::Drain(capture.to_owned(), reply))
            .await?
    }
}

/// Why owning ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It was asked to.
    Asked,
    /// Another has taken over.
    Replaced,
    /// Tasks do not end: nobody may take over before the session has expired.
    Stuck,
}

/// An owner's actor, ready to run.
#[derive(Debug)]
pub struct Owner {
    actor: Actor,
    orders: mpsc::Receiver<Order>,
}

impl Owner {
    /// Reads the state of all changefeeds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn load(context: Context) -> Result<(Self, Handle), StateError> {
        let (sender, orders) = mpsc::channel(64);
        let actor = Actor::load(context).await?;
        Ok((Self { actor, orders }, Handle { orders: sender }))
    }

    /// Runs all changefeeds until `stop`, then stops their tasks and persists where they are. When `lost` is cancelled
    /// the session is gone: tasks are stopped, nothing more is written.
    pub async fn run(mut self, stop: &CancellationToken, lost: &CancellationToken) -> Left {
        self.actor.run(&mut self.orders, stop, lost).await
    }
}

/// The later of two moments that may be missing.
fn due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}

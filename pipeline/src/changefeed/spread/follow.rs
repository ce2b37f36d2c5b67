//! The side of every capture: tasks for the tables that others' runs give to it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Part, Run, json,
    mirror::{Mirror, Pairs},
    read,
};
use crate::{
    changefeed::{
        capture::Fence,
        keys::{Id, Keys},
        state::Meta,
        task::{self, Progress, Role, Spec},
    },
    coded::{Code, Coded},
    compat::Release,
    etcd,
    meters::Meters,
    model::Ts,
    sort::Folder,
    upstream::Upstream,
};

/// How often parts that have moved tell it.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before etcd is asked again.
const AGAIN: Duration = Duration::from_millis(300);
/// How long parts may take to stop before they are dropped.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What following needs.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Whose behaviour.
    pub release: Release,
    /// PD's etcd.
    pub etcd: etcd::Client,
    /// The names of its keys.
    pub keys: Keys,
    /// The cluster that is replicated.
    pub upstream: Upstream,
    /// In which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Where rows are sorted that do not fit into memory.
    pub sort_folder: Folder,
    /// This capture.
    pub capture: String,
    /// Its address.
    pub address: String,
    /// What this server counts.
    pub meters: Meters,
    /// The lease of its session.
    pub lease: i64,
    /// Shut when its session may be over.
    pub fence: Fence,
}

/// A task's part of a run.
#[derive(Debug, Clone)]
pub struct Share {
    capture: String,
    run: watch::Receiver<Run>,
}

impl Share {
    /// Whether this capture has a logical table.
    #[must_use]
    pub fn has(&self, table: i64) -> bool {
        self.run.borrow().tables.has(&self.capture, table)
    }

    /// DDL statements up to here have been sent.
    #[must_use]
    pub fn released_ts(&self) -> Ts {
        self.run.borrow().released_ts
    }

    /// Waits until the run lets pass more.
    pub async fn changed(&mut self) {
        if self.run.changed().await.is_err() {
            // the part is about to be stopped
            std::future::pending().await
        }
    }
}

/// A part under way.
#[derive(Debug)]
struct Running {
    /// The revision at which its run was made.
    revision: i64,
    run: watch::Sender<Run>,
    stop: CancellationToken,
    abort: AbortHandle,
    progress: watch::Receiver<Progress>,
    told: Part,
    /// What is left to be told.
    end: Option<Part>,
}

struct Ended {
    id: Id,
    revision: i64,
    outcome: Result<(), Coded>,
}

struct Follower {
    ground: Ground,
    parts: BTreeMap<Id, Running>,
    /// Runs whose part has ended: it does not begin again.
    done: BTreeMap<Id, i64>,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
}

/// Takes part in the runs of a cluster of captures until `stop`, then ends all parts in order. When `lost` is cancelled
/// the session may be gone: parts are dropped at once with what they have not sent.
pub async fn follow(ground: Ground, stop: CancellationToken, lost: CancellationToken) {
    let mut follower = Follower {
        ground,
        parts: BTreeMap::new(),
        done: BTreeMap::new(),
        ended: mpsc::unbounded_channel(),
    };
    tokio::select! {
        () = follower.serve(&stop) => follower.stop_all(),
        () = lost.cancelled() => follower.drop_all(),
    }
    let deadline = Instant::now() + STOP_WITHIN;
    let told = async {
        follower.finish(deadline).await;
        follower.tell().await;
    };
    let lost = tokio::select! {
        biased;
        () = lost.cancelled() => true,
        () = told => false,
    };
    if lost {
        follower.drop_all();
        follower.finish(deadline).await;
    }
}

impl Follower {
    async fn serve(&mut self, stop: &CancellationToken) {
        let prefix = self.ground.keys.run_prefix();
        let mut pace = tokio::time::interval(AGAIN);
        let mut runs = loop {
            tokio::select! {
                _ = pace.tick() => {}
                () = stop.cancelled() => return,
            }
            match Mirror::open(&self.ground.etcd, &prefix).await {
                Ok(runs) => break runs,
                Err(error) => tracing::warn!(%error, "failed to read what is spread over captures"),
            }
        };
        let pairs = runs.pairs().clone();
        self.reconcile(&pairs);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = runs.changed() => {}
                Some(ended) = self.ended.1.recv() => {
                    self.on_end(ended);
                    self.tell().await;
                }
                _ = tick.tick() => {
                    let parts = self.parts.len();
                    self.tell().await;
                    if self.parts.len() == parts {
                        continue;
                    }
                }
            }
            let pairs = runs.pairs().clone();
            self.reconcile(&pairs);
        }
    }

    /// Begins and ends parts by the runs that there are.
    fn reconcile(&mut self, pairs: &Pairs) {
        let mut wanted = BTreeMap::new();
        for (key, pair) in pairs {
            let Some(id) = self.ground.keys.parse_run(key) else {
                continue;
            };
            match read::<Run>(pair) {
                Ok(run) if run.leader == self.ground.capture => {}
                Ok(run) if run.tables.includes(&self.ground.capture) => {
                    wanted.insert(id, (pair.create_revision, run));
                }
                Ok(_) => {}
                Err(error) => tracing::error!(changefeed = %id, %error, "cannot take part"),
            }
        }
        for (id, part) in &self.parts {
            if wanted
                .get(id)
                .is_none_or(|(revision, _)| *revision != part.revision)
            {
                part.stop.cancel();
            }
        }
        self.done
            .retain(|id, revision| wanted.get(id).is_some_and(|(new, _)| new == revision));
        for (id, (revision, run)) in wanted {
            if self.done.contains_key(&id) {
                continue;
            }
            match self.parts.entry(id.clone()) {
                Entry::Occupied(part) if part.get().revision == revision => {
                    part.get().run.send_if_modified(|known| {
                        let newer = *known != run;
                        *known = run;
                        newer
                    });
                }
                // the one before has to end first
                Entry::Occupied(_) => {}
                Entry::Vacant(place) => {
                    place.insert(begin(&self.ground, id, revision, run, &self.ended.0));
                }
            }
        }
    }

    fn on_end(&mut self, ended: Ended) {
        let Some(part) = self.parts.get_mut(&ended.id) else {
            return;
        };
        if part.revision != ended.revision {
            return;
        }
        let error = match ended.outcome {
            Err(error) if !part.stop.is_cancelled() => Some(Failure::from(&error)),
            Err(error) => {
                tracing::debug!(changefeed = %ended.id, %error, "a part ended with an error while it was stopped");
                None
            }
            Ok(()) => None,
        };
        part.end = Some(Part {
            ended: true,
            error,
            ..part.now()
        });
    }

    /// Writes what has changed; what cannot be written is written later.
    async fn tell(&mut self) {
        let mut ops = Vec::new();
        let mut told = Vec::new();
        for (id, part) in &self.parts {
            let now = part.end.clone().unwrap_or_else(|| part.now());
            // what it begins with is written with the proof that its run is there
            let begun = part.progress.borrow().resolved_ts > 0;
            if now == part.told || (!begun && part.end.is_none()) {
                continue;
            }
            match json(&now) {
                Ok(value) => {
                    let key = self.ground.keys.part(id, &self.ground.capture);
                    ops.push(etcd::put(&key, value, self.ground.lease));
                    told.push((id.clone(), now));
                }
                Err(error) => tracing::error!(changefeed = %id, %error, "cannot be told"),
            }
        }
        if ops.is_empty() {
            return;
        }
        while !ops.is_empty() {
            let rest = ops.split_off(ops.len().min(100));
            if let Err(error) = self.ground.etcd.txn(vec![], ops, vec![]).await {
                tracing::warn!(%error, "failed to tell the owner how far this capture is, it is tried again");
                return;
            }
            ops = rest;
        }
        for (id, now) in told {
            if now.ended {
                tracing::info!(changefeed = %id, checkpoint_ts = now.checkpoint_ts, "a part of the changefeed ends here");
                self.parts.remove(&id);
                self.done.insert(id, now.run);
            } else if let Some(part) = self.parts.get_mut(&id) {
                part.told = now;
            }
        }
    }

    fn stop_all(&self) {
        self.parts.values().for_each(|part| part.stop.cancel());
    }

    fn drop_all(&self) {
        for part in self.parts.values() {
            part.stop.cancel();
            part.abort.abort();
        }
    }

    /// Waits for the ends of parts.
    async fn finish(&mut self, deadline: Instant) {
        let mut tick = tokio::time::interval(TICK);
        while self.parts.values().any(|part| part.end.is_none()) {
            tokio::select! {
                Some(ended) = self.ended.1.recv() => self.on_end(ended),
                _ = tick.tick() => if Instant::now() > deadline {
                    tracing::warn!("parts of changefeeds do not stop and are dropped");
                    self.drop_all();
                    return;
                }
            }
        }
    }
}

impl Running {
    /// How far it is.
    fn now(&self) -> Part {
        let progress = self.progress.borrow();
        Part {
            run: self.revision,
            checkpoint_ts: progress.checkpoint_ts,
            resolved_ts: progress.resolved_ts,
            messages: progress.messages,
            ended: false,
            error: None,
        }
    }
}

fn begin(
    ground: &Ground,
    id: Id,
    revision: i64,
    run: Run,
    ended: &mpsc::UnboundedSender<Ended>,
) -> Running {
    tracing::info!(
        changefeed = %id,
        checkpoint_ts = run.checkpoint_ts,
        tables = run.tables.of(&ground.capture).count(),
        "a part of the changefeed begins here"
    );
    let (sender, progress) = watch::channel(Progress {
        checkpoint_ts: run.checkpoint_ts,
        ..Progress::default()
    });
    let (news, runs) = watch::channel(run);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(work(
        ground.clone(),
        id.clone(),
        revision,
        runs,
        sender,
        stop.clone(),
    ));
    let abort = worker.abort_handle();
    let ended = ended.clone();
    tokio::spawn(async move {
        let outcome = match worker.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(Coded::new(
                Code::ErrProcessorUnknown,
                format!("the part of the changefeed broke: {error}"),
            )),
        };
        // the follower may have gone
        let _ = ended.send(Ended {
            id,
            revision,
            outcome,
        });
    });
    Running {
        revision,
        run: news,
        stop,
        abort,
        progress,
        told: Part::default(),
        end: None,
    }
}

/// Runs a part: first its key, if the run is still there; then its tables.
async fn work(
    ground: Ground,
    id: Id,
    revision: i64,
    run: watch::Receiver<Run>,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<(), Coded> {
    let first = run.borrow().clone();
    let announced = tokio::select! {
        announced = announce(&ground, &id, revision, first.checkpoint_ts) => announced?,
        () = stop.cancelled() => return Ok(()),
    };
    if !announced {
        return Ok(());
    }
    let meta = Meta::decode(ground.release.compat(), first.info.as_bytes()).map_err(|error| {
        Coded::wrap(
            Code::ErrPDEtcdAPIError,
            format_args!("failed to read the changefeed {id}: {error}"),
        )
    })?;
    let spec = Spec {
        namespace: id.namespace.clone(),
        id: id.id.clone(),
        capture: ground.address.clone(),
        release: ground.release,
        sink_uri: meta.sink_uri().to_owned(),
        config: meta.config(),
        checkpoint_ts: first.checkpoint_ts,
        ddl_at_checkpoint: first.ddl_at_checkpoint,
        target_ts: meta.target_ts(),
        time_zone: ground.time_zone.clone(),
        sort_folder: ground.sort_folder.clone(),
        meters: ground.meters.feed(&id.namespace, &id.id),
        fence: ground.fence.clone(),
    };
    progress.send_modify(|progress| progress.resolved_ts = first.checkpoint_ts);
    let share = Share {
        capture: ground.capture.clone(),
        run,
    };
    task::run_as(spec, ground.upstream, Role::Part(share), progress, stop)
        .await
        .map(drop)
}

/// Writes the key of a part that begins; false if its run is gone.
async fn announce(
    ground: &Ground,
    id: &Id,
    revision: i64,
    checkpoint_ts: Ts,
) -> Result<bool, Coded> {
    let part = Part {
        run: revision,
        checkpoint_ts,
        resolved_ts: checkpoint_ts,
        ..Part::default()
    };
    let value = json(&part)?;
    let key = ground.keys.part(id, &ground.capture);
    let mut pace = tokio::time::interval(AGAIN);
    loop {
        pace.tick().await;
        let guard = vec![etcd::created_at(&ground.keys.run(id), revision)];
        let put = vec![etcd::put(&key, value.clone(), ground.lease)];
        match ground.etcd.txn(guard, put, vec![]).await {
            Ok(answer) => return Ok(answer.succeeded),
            Err(error) => {
                tracing::warn!(changefeed = %id, %error, "failed to begin a part, it is tried again");
            }
        }
    }
}

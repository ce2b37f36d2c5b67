//! A part: a task of this capture's own for its tables of a run.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Ground,
    parts::{Event, Running, What},
    tell,
};
use crate::{
    changefeed::{
        keys::Id,
        spread::Run,
        state::Meta,
        task::{self, Progress, Role, Spec},
    },
    coded::{Code, Coded},
    model::Ts,
};

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

/// Begins a part of a run that was made at `revision`; what becomes of it goes to `events`.
pub(super) fn begin(
    ground: &Ground,
    id: Id,
    revision: i64,
    run: Run,
    events: &mpsc::UnboundedSender<Event>,
) -> Running {
    tracing::info!(
        changefeed = %id,
        checkpoint_ts = run.checkpoint_ts,
        tables = run.tables.of(&ground.voice.capture).count(),
        "a part of the changefeed begins here"
    );
    let (sender, progress) = watch::channel(Progress {
        checkpoint_ts: run.checkpoint_ts,
        resolved_ts: run.checkpoint_ts,
        ..Progress::default()
    });
    let (news, runs) = watch::channel(run);
    let stop = CancellationToken::new();
    let begun = {
        let (id, events) = (id.clone(), events.clone());
        // the follower may have gone
        move |at| {
            drop(events.send(Event {
                id,
                revision,
                what: What::Begun(at),
            }))
        }
    };
    let work = work(
        ground.clone(),
        id.clone(),
        revision,
        runs,
        begun,
        sender,
        stop.clone(),
    );
    Running::start(id, revision, news, stop, progress, work, events)
}

/// Runs a part: first its key, if the run is still there; then its tables. The key is seen to even when it is told to stop:
/// without an answer nobody knows whether it is there.
async fn work(
    ground: Ground,
    id: Id,
    revision: i64,
    run: watch::Receiver<Run>,
    begun: impl FnOnce(i64),
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
) -> Result<(), Coded> {
    let first = run.borrow().clone();
    match tell::announce(&ground.voice, &id, revision, first.checkpoint_ts).await? {
        Some(at) => begun(at),
        None => return Ok(()),
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
    let share = Share {
        capture: ground.voice.capture.clone(),
        run,
    };
    task::run_as(spec, ground.upstream, Role::Part(share), progress, stop)
        .await
        .map(drop)
}

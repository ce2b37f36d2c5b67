//! The side of every capture: tasks for the tables that others' runs give to it.

mod part;
mod parts;
mod tell;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use self::parts::Parts;
pub use self::{part::Share, tell::Voice};
use super::{
    Run,
    mirror::{Mirror, Pairs},
    read,
};
use crate::{
    changefeed::capture::Fence, compat::Release, meters::Meters, sort::Folder, upstream::Upstream,
};

/// How often parts that have moved tell it.
const TICK: Duration = Duration::from_millis(50);
/// How long to wait before etcd is asked again.
const AGAIN: Duration = Duration::from_millis(300);

/// What following needs.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Whose behaviour.
    pub release: Release,
    /// With what it tells how far it is.
    pub voice: Voice,
    /// The cluster that is replicated.
    pub upstream: Upstream,
    /// In which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// Where rows are sorted that do not fit into memory.
    pub sort_folder: Folder,
    /// The address of this capture.
    pub address: String,
    /// What this server counts.
    pub meters: Meters,
    /// Shut when its session may be over.
    pub fence: Fence,
}

struct Follower {
    ground: Ground,
    parts: Parts,
}

/// Takes part in the runs of a cluster of captures until `stop`, then ends all parts in order. When `lost` is cancelled
/// the session may be gone: parts are dropped at once with what they have not sent. Whether all have ended; if not, nobody
/// may take over before the session has expired.
pub async fn follow(ground: Ground, stop: CancellationToken, lost: CancellationToken) -> bool {
    let parts = Parts::new(ground.voice.clone(), lost.clone());
    let mut follower = Follower { ground, parts };
    tokio::select! {
        () = follower.serve(&stop) => follower.parts.stop_all(),
        () = lost.cancelled() => follower.parts.drop_all(),
    }
    let parts = &mut follower.parts;
    let told = async {
        let ended = parts.finish().await;
        parts.tell().await;
        ended
    };
    let told = tokio::select! {
        biased;
        () = lost.cancelled() => None,
        ended = told => Some(ended),
    };
    match told {
        Some(ended) => ended,
        None => {
            parts.drop_all();
            parts.finish().await
        }
    }
}

impl Follower {
    async fn serve(&mut self, stop: &CancellationToken) {
        let prefix = self.ground.voice.keys.run_prefix();
        let mut pace = tokio::time::interval(AGAIN);
        let mut runs = loop {
            tokio::select! {
                _ = pace.tick() => {}
                () = stop.cancelled() => return,
            }
            match Mirror::open(&self.ground.voice.etcd, &prefix).await {
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
                ended = self.parts.happened() => match ended {
                    true => self.parts.tell().await,
                    false => continue,
                },
                _ = tick.tick() => {
                    let parts = self.parts.running.len();
                    self.parts.tell().await;
                    if self.parts.running.len() == parts {
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
            let Some(id) = self.ground.voice.keys.parse_run(key) else {
                continue;
            };
            match read::<Run>(pair) {
                Ok(run) if run.leader == self.ground.voice.capture => {}
                Ok(run) if run.tables.includes(&self.ground.voice.capture) => {
                    wanted.insert(id, (pair.create_revision, run));
                }
                Ok(_) => {}
                Err(error) => tracing::error!(changefeed = %id, %error, "cannot take part"),
            }
        }
        for (id, part) in &self.parts.running {
            if wanted
                .get(id)
                .is_none_or(|(revision, _)| *revision != part.revision)
            {
                part.stop.cancel();
            }
        }
        self.parts
            .done
            .retain(|id, revision| wanted.get(id).is_some_and(|(new, _)| new == revision));
        let events = self.parts.events().clone();
        for (id, (revision, run)) in wanted {
            if self.parts.done.contains_key(&id) {
                continue;
            }
            match self.parts.running.entry(id.clone()) {
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
                    place.insert(part::begin(&self.ground, id, revision, run, &events));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

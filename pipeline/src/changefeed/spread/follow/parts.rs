//! The parts of this capture: begun, told, ended.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    AGAIN,
    tell::{self, News, Voice, Written},
};
use crate::{
    changefeed::{
        keys::Id,
        spread::{Failure, Part, Run, json},
        task::Progress,
    },
    coded::{Code, Coded},
};

/// How long parts may take to stop before they are dropped.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long a part may take to end that was dropped.
const DROP_WITHIN: Duration = Duration::from_secs(2);
/// Keys written at once: etcd takes 128 operations.
const BATCH: usize = 100;

/// A part under way.
#[derive(Debug)]
pub(super) struct Running {
    /// The revision at which its run was made.
    pub(super) revision: i64,
    pub(super) run: watch::Sender<Run>,
    pub(super) stop: CancellationToken,
    abort: AbortHandle,
    progress: watch::Receiver<Progress>,
    /// The revision at which its key was last written; none before it has begun.
    known: Option<i64>,
    told: Part,
    /// What is left to be told.
    end: Option<Part>,
    /// Its key was removed: it ends unheard, and may begin again.
    unheard: bool,
}

/// What becomes of a part.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) id: Id,
    pub(super) revision: i64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Its key was written, at this revision.
    Begun(i64),
    Ended(Result<(), Coded>),
}

impl Running {
    /// Lets a part do its work; its end goes to `events`.
    pub(super) fn start(
        id: Id,
        revision: i64,
        run: watch::Sender<Run>,
        stop: CancellationToken,
        progress: watch::Receiver<Progress>,
        work: impl Future<Output = Result<(), Coded>> + Send + 'static,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Self {
        let worker = tokio::spawn(work);
        let abort = worker.abort_handle();
        let events = events.clone();
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
            let _ = events.send(Event {
                id,
                revision,
                what: What::Ended(outcome),
            });
        });
        Self {
            revision,
            run,
            stop,
            abort,
            progress,
            known: None,
            told: Part::default(),
            end: None,
            unheard: false,
        }
    }

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

    fn abandon(&self) {
        self.stop.cancel();
        self.abort.abort();
    }
}

/// All parts of this capture.
#[derive(Debug)]
pub(super) struct Parts {
    voice: Voice,
    /// Those that run, or whose end has not been told.
    pub(super) running: BTreeMap<Id, Running>,
    /// Runs whose part has ended: it does not begin again.
    pub(super) done: BTreeMap<Id, i64>,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    /// Cancelled when the session may be gone.
    lost: CancellationToken,
    /// When to try again; none while etcd takes what it is told.
    again: Option<Instant>,
}

impl Parts {
    pub(super) fn new(voice: Voice, lost: CancellationToken) -> Self {
        Self {
            voice,
            running: BTreeMap::new(),
            done: BTreeMap::new(),
            events: mpsc::unbounded_channel(),
            lost,
            again: None,
        }
    }

    /// Where what becomes of parts goes.
    pub(super) fn events(&self) -> &mpsc::UnboundedSender<Event> {
        &self.events.0
    }

    /// Waits until something becomes of a part; true if it ended.
    pub(super) async fn happened(&mut self) -> bool {
        let Some(event) = self.events.1.recv().await else {
            // there is a sender as long as there is a receiver
            return false;
        };
        self.on(event)
    }

    fn on(&mut self, event: Event) -> bool {
        let Some(part) = self.running.get_mut(&event.id) else {
            return false;
        };
        if part.revision != event.revision {
            return false;
        }
        let outcome = match event.what {
            What::Begun(at) => {
                part.known = Some(at);
                part.told = part.now();
                return false;
            }
            What::Ended(outcome) => outcome,
        };
        let id = event.id;
        let error = match outcome {
            Err(error) if !part.stop.is_cancelled() => Some(Failure::from(&error)),
            Err(error) => {
                tracing::debug!(changefeed = %id, %error, "a part ended with an error while it was stopped");
                None
            }
            Ok(()) => None,
        };
        part.end = Some(Part {
            ended: true,
            error,
            ..part.now()
        });
        if part.unheard {
            self.running.remove(&id);
        } else if part.known.is_none() {
            // its run was gone, or nothing is left that could tell but the log
            if let Some(error) = part.end.as_ref().and_then(|end| end.error.as_ref()) {
                tracing::warn!(changefeed = %id, ?error, "a part of the changefeed did not begin");
            }
            let revision = part.revision;
            self.running.remove(&id);
            self.done.insert(id, revision);
        }
        true
    }

    /// Writes what has changed; what cannot be written is written later.
    pub(super) async fn tell(&mut self) {
        if self.again.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let mut news = Vec::new();
        for (id, part) in &self.running {
            let now = part.end.clone().unwrap_or_else(|| part.now());
            let Some(known) = part.known.filter(|_| now != part.told && !part.unheard) else {
                continue;
            };
            match json(&now) {
                Ok(value) => news.push(News {
                    id: id.clone(),
                    part: now,
                    value,
                    known,
                }),
                Err(error) => tracing::error!(changefeed = %id, %error, "cannot be told"),
            }
        }
        for news in news.chunks(BATCH) {
            match tell::tell(&self.voice, news).await {
                Ok((revision, written)) => {
                    self.again = None;
                    for (news, written) in news.iter().zip(written) {
                        self.told(news, written, revision);
                    }
                }
                Err(error) if error.is_lease_gone() => {
                    tracing::warn!(%error, "the session of this capture is over");
                    self.lost.cancel();
                    return;
                }
                Err(error) => {
                    if self.again.is_none() {
                        tracing::warn!(%error, "failed to tell the owner how far this capture is, it is tried again");
                    }
                    self.again = Some(Instant::now() + AGAIN);
                    return;
                }
            }
        }
    }

    fn told(&mut self, news: &News, written: Written, revision: i64) {
        let Some(part) = self.running.get_mut(&news.id) else {
            return;
        };
        match written {
            Written::Made if news.part.ended => {
                tracing::info!(changefeed = %news.id, checkpoint_ts = news.part.checkpoint_ts, "a part of the changefeed ends here");
                self.running.remove(&news.id);
                self.done.insert(news.id.clone(), news.part.run);
            }
            Written::Made => {
                part.known = Some(revision);
                part.told = news.part.clone();
            }
            // by a write that was not answered: the next one goes over it
            Written::Moved(at) => part.known = Some(at),
            Written::Apart(_) if part.end.is_some() => {
                self.running.remove(&news.id);
                self.done.insert(news.id.clone(), news.part.run);
            }
            Written::Apart(_) => {
                tracing::warn!(changefeed = %news.id, "somebody removed the key of what this capture does of the changefeed, it begins again");
                part.unheard = true;
                part.abandon();
            }
        }
    }

    pub(super) fn stop_all(&self) {
        self.running.values().for_each(|part| part.stop.cancel());
    }

    pub(super) fn drop_all(&self) {
        self.running.values().for_each(Running::abandon);
    }

    /// Waits for the ends of parts; those that take too long are dropped. Whether all have ended then.
    pub(super) async fn finish(&mut self) -> bool {
        for within in [STOP_WITHIN, DROP_WITHIN] {
            let ends = async {
                while self.running.values().any(|part| part.end.is_none()) {
                    self.happened().await;
                }
            };
            if tokio::time::timeout(within, ends).await.is_ok() {
                return true;
            }
            let left: Vec<_> = self.running.keys().collect();
            tracing::warn!(?left, "parts of changefeeds do not stop and are dropped");
            self.drop_all();
        }
        false
    }
}

//! The thread that writes: many requests, one sync.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use fjall::PersistMode;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Cf, Changes, EngineError, Trees};

/// Bytes gathered before a sync.
const BATCH_BYTES: usize = 16 << 20;

/// Who is told what has been written.
pub(crate) trait Publish: Send {
    /// These are on disk, in this order.
    fn publish(&mut self, written: &mut Changes);
}

/// What the writer is asked for.
pub(super) enum Job {
    Write {
        changes: Changes,
        done: oneshot::Sender<Result<(), EngineError>>,
    },
    Between(Box<dyn FnOnce() + Send>),
}

/// The writer.
pub(super) struct Writer {
    trees: Trees,
    publish: Box<dyn Publish>,
    failed: CancellationToken,
    failure: Arc<Mutex<Option<EngineError>>>,
}

type Waiting = Vec<(Changes, oneshot::Sender<Result<(), EngineError>>)>;

impl Writer {
    /// Starts the thread; it ends when the last sender is gone.
    pub(super) fn start(
        trees: Trees,
        publish: Box<dyn Publish>,
        failed: CancellationToken,
        failure: Arc<Mutex<Option<EngineError>>>,
    ) -> std::io::Result<mpsc::Sender<Job>> {
        let (jobs, inbox) = mpsc::channel();
        let mut writer = Self {
            trees,
            publish,
            failed,
            failure,
        };
        std::thread::Builder::new()
            .name("tikv-writer".to_owned())
            .spawn(move || writer.run(&inbox))?;
        Ok(jobs)
    }

    fn run(&mut self, inbox: &mpsc::Receiver<Job>) {
        while let Ok(first) = inbox.recv() {
            let mut waiting: Waiting = Vec::new();
            let mut between = None;
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Write { changes, done } => {
                        bytes += changes.bytes();
                        waiting.push((changes, done));
                    }
                    Job::Between(act) => {
                        between = Some(act);
                        break;
                    }
                }
                next = if bytes < BATCH_BYTES {
                    inbox.try_recv().ok()
                } else {
                    None
                };
            }
            if !waiting.is_empty() {
                self.write(waiting);
            }
            if let Some(act) = between {
                act();
            }
        }
    }

    fn write(&mut self, waiting: Waiting) {
        let outcome = self.commit(&waiting);
        if let Err(error) = &outcome {
            tracing::error!(%error, "the engine does not take a write: the store stops");
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            self.failed.cancel();
        }
        for (mut changes, done) in waiting {
            if outcome.is_ok() {
                self.publish.publish(&mut changes);
            }
            // Who asked may be gone; what is written stays.
            let _ = done.send(outcome.clone());
        }
    }

    fn commit(&self, waiting: &Waiting) -> Result<(), EngineError> {
        if self.failed.is_cancelled() {
            // After a failed sync the state of the file is unknown.
            return Err(EngineError::Closed);
        }
        let mut batch = self
            .trees
            .db
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (changes, _) in waiting {
            for ((cf, key), value) in &changes.records {
                let tree = match cf {
                    Cf::Lock => &self.trees.lock,
                    Cf::Write => &self.trees.write,
                    Cf::Default => &self.trees.default,
                    Cf::Meta => &self.trees.meta,
                };
                match value {
                    Some(value) => batch.insert::<Bytes, Bytes>(tree, key.clone(), value.clone()),
                    None => batch.remove::<Bytes>(tree, key.clone()),
                }
            }
        }
        batch
            .commit()
            .map_err(|source| EngineError::Write(Arc::new(source)))
    }
}

//! Writing: a thread that makes one sync of many requests; what needs none is written where it is asked for.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use fjall::PersistMode;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Cf, Changes, EngineError, Trees};

/// Bytes gathered before a sync.
const BATCH_BYTES: usize = 16 << 20;
/// Bytes that take less time to write than to hand over.
const SMALL: usize = 16 << 10;

/// Who is told what has been written.
pub(crate) trait Publish: Send {
    /// These are written, in this order.
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

/// The writer; one at a time has it.
pub(super) struct Writer {
    trees: Trees,
    publish: Box<dyn Publish>,
    failed: CancellationToken,
    failure: Arc<Mutex<Option<EngineError>>>,
}

type Waiting = (Changes, oneshot::Sender<Result<(), EngineError>>);

impl Writer {
    pub(super) fn new(
        trees: Trees,
        publish: Box<dyn Publish>,
        failed: CancellationToken,
        failure: Arc<Mutex<Option<EngineError>>>,
    ) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            trees,
            publish,
            failed,
            failure,
        }))
    }

    /// Starts the thread; it ends when the last sender is gone.
    pub(super) fn start(writer: Arc<Mutex<Self>>) -> std::io::Result<mpsc::Sender<Job>> {
        let (jobs, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("tikv-writer".to_owned())
            .spawn(move || run(&writer, &inbox))?;
        Ok(jobs)
    }

    /// Writes small changes on this thread, if they need no sync and nobody else is writing; else gives them back.
    pub(super) fn at_once(
        writer: &Mutex<Self>,
        changes: Changes,
    ) -> Result<Result<(), EngineError>, Changes> {
        if !changes.unsynced || changes.bytes() > SMALL {
            return Err(changes);
        }
        let Ok(mut writer) = writer.try_lock() else {
            return Err(changes);
        };
        let mut all = [changes];
        let outcome = writer.write(&mut all);
        Ok(outcome)
    }

    fn write(&mut self, all: &mut [Changes]) -> Result<(), EngineError> {
        let outcome = self.commit(all);
        match &outcome {
            Ok(()) => {
                for changes in all {
                    self.publish.publish(changes);
                }
            }
            Err(error) => {
                tracing::error!(%error, "the engine does not take a write: the store stops");
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                self.failed.cancel();
            }
        }
        outcome
    }

    fn commit(&self, all: &[Changes]) -> Result<(), EngineError> {
        if self.failed.is_cancelled() {
            // After a failed sync the state of the file is unknown.
            return Err(EngineError::Closed);
        }
        // The journal keeps the order: a sync is one for all that was written before, too. What is in the system's hands
        // outlives this process.
        let durability = match all.iter().all(|changes| changes.unsynced) {
            true => PersistMode::Buffer,
            false => PersistMode::SyncData,
        };
        let mut batch = self.trees.db.batch().durability(Some(durability));
        for changes in all {
            for ((cf, key), value) in &changes.records {
                let tree = match cf {
                    Cf::Lock => &self.trees.lock,
                    Cf::Write => &self.trees.write,
                    Cf::Default => &self.trees.default,
                    Cf::Meta => &self.trees.meta,
                };
                // Copies: what came with a request would keep all that was received with it in memory, until the memory table
                // is flushed.
                match value {
                    Some(value) => batch.insert(tree, &**key, &**value),
                    None => batch.remove(tree, &**key),
                }
            }
        }
        batch
            .commit()
            .map_err(|source| EngineError::Write(Arc::new(source)))
    }
}

fn run(writer: &Mutex<Writer>, inbox: &mpsc::Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let mut waiting: Vec<Waiting> = Vec::new();
        let mut between = None;
        let mut bytes = 0;
        // What comes while another one writes goes along.
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
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
            let (mut all, done): (Vec<Changes>, Vec<_>) = waiting.into_iter().unzip();
            let outcome = writer.write(&mut all);
            for done in done {
                // Who asked may be gone; what is written stays.
                let _ = done.send(outcome.clone());
            }
        }
        if let Some(act) = between {
            act();
        }
    }
}

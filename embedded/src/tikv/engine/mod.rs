//! The durable store of versions: Percolator's three column families on an LSM tree, written by one thread.
//!
//! | keyspace | key | value |
//! | --- | --- | --- |
//! | `lock` | raw key | [`Lock`] |
//! | `write` | wrapped key, inverted commit-ts | [`Write`] |
//! | `default` | wrapped key, inverted start-ts | a value too long for its lock and write record |
//! | `meta` | a name | who the store is, its regions |
//!
//! "Wrapped" is memcomparable (`spec/tikv-cdc-protocol.md §3`), so that the versions of a key stand together, newest
//! first. What [`Engine::apply`] has acknowledged outlives the process, and what decides a transaction is on disk; nobody sees
//! it before.

mod changes;
mod reader;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(crate) use changes::{Cf, Changes, FeedRow, committed_row, op_of_lock};
pub(crate) use reader::{Reader, TxnRecord};
pub(crate) use record::{Lock, LockKind, Write, WriteKind};
pub(crate) use writer::Publish;

use writer::{Job, Writer};

/// Values up to this many bytes travel in lock and write records, as in TiKV.
pub(crate) const SHORT_VALUE: usize = 255;
/// Memory tables are flushed at this size.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// What a restart has to replay at most: the least that the LSM tree takes, so that a start takes seconds at the worst.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Blocks that were read; the rest is the page cache's.
const CACHE_BYTES: u64 = 8 << 20;

/// Why the engine failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The folder is in use.
    #[error("open the engine in {dir}: another process has it open")]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder cannot be opened.
    #[error("open the engine in {dir}: {source}")]
    Open {
        /// The folder.
        dir: PathBuf,
        /// What the LSM tree says.
        source: Arc<fjall::Error>,
    },
    /// A read failed.
    #[error("read the engine: {0}")]
    Read(Arc<fjall::Error>),
    /// A write failed; nothing is written from then on.
    #[error("write the engine: {0}")]
    Write(Arc<fjall::Error>),
    /// A record that cannot be read.
    #[error("read the {what} record of key {key}: {problem}")]
    Corrupt {
        /// Which column family.
        what: &'static str,
        /// The key, in hex.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The engine is being closed.
    #[error("write the engine: it is being closed")]
    Closed,
}

impl From<fjall::Error> for EngineError {
    fn from(source: fjall::Error) -> Self {
        Self::Read(Arc::new(source))
    }
}

/// The column families.
#[derive(Clone)]
pub(crate) struct Trees {
    db: Database,
    lock: Keyspace,
    write: Keyspace,
    default: Keyspace,
    meta: Keyspace,
}

/// The engine; cheap to clone. Its writer ends with the last clone.
#[derive(Clone)]
pub(crate) struct Engine {
    trees: Trees,
    writer: Arc<Mutex<Writer>>,
    jobs: mpsc::Sender<Job>,
    failed: CancellationToken,
    failure: Arc<Mutex<Option<EngineError>>>,
}

impl Engine {
    /// Opens the folder, creating it if need be, and starts the writer, which tells `publish` of every write that is on
    /// disk, in order, before it is acknowledged.
    pub(crate) fn open(dir: &Path, publish: Box<dyn Publish>) -> Result<Self, EngineError> {
        let open = |source: fjall::Error| match source {
            fjall::Error::Locked => EngineError::InUse {
                dir: dir.to_owned(),
            },
            source => EngineError::Open {
                dir: dir.to_owned(),
                source: Arc::new(source),
            },
        };
        std::fs::create_dir_all(dir).map_err(|error| open(error.into()))?;
        let db = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()
            .map_err(open)?;
        let keyspace = |name: &str| {
            db.keyspace(name, || {
                KeyspaceCreateOptions::default()
                    .max_memtable_size(MEMTABLE_BYTES)
                    // In one piece the filter of a table of small records takes a megabyte, which no cache of ours keeps: it
                    // would be read for every look. Those of the first level, and indexes of the first two, are in memory.
                    .filter_block_partitioning_policy(PartitioningPolicy::new([false, true]))
                    .index_block_partitioning_policy(PartitioningPolicy::new([false, false, true]))
            })
            .map_err(open)
        };
        let trees = Trees {
            lock: keyspace("lock")?,
            write: keyspace("write")?,
            default: keyspace("default")?,
            meta: keyspace("meta")?,
            db: db.clone(),
        };
        let failed = CancellationToken::new();
        let failure = Arc::new(Mutex::new(None));
        let writer = Writer::new(trees.clone(), publish, failed.clone(), failure.clone());
        let jobs = Writer::start(writer.clone()).map_err(|error| open(error.into()))?;
        Ok(Self {
            trees,
            writer,
            jobs,
            failed,
            failure,
        })
    }

    /// What is on disk now.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(&self.trees)
    }

    /// Writes; several callers share one sync. Returns once everything is written, synced unless it is
    /// [`Changes::unsynced`], and published.
    pub(crate) async fn apply(&self, changes: Changes) -> Result<(), EngineError> {
        if changes.is_empty() {
            return Ok(());
        }
        let changes = match Writer::at_once(&self.writer, changes) {
            Ok(outcome) => return outcome,
            Err(changes) => changes,
        };
        let (done, outcome) = oneshot::channel();
        self.jobs
            .send(Job::Write { changes, done })
            .map_err(|_| EngineError::Closed)?;
        outcome.await.unwrap_or(Err(EngineError::Closed))
    }

    /// Runs `act` between two writes: everything published before is in the reader it gets, nothing published after is.
    pub(crate) async fn between_writes<T: Send + 'static>(
        &self,
        act: impl FnOnce(Reader) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (done, outcome) = oneshot::channel();
        let trees = self.trees.clone();
        let job = Job::Between(Box::new(move || {
            // Who asked may be gone.
            let _ = done.send(act(Reader::new(&trees)));
        }));
        self.jobs.send(job).map_err(|_| EngineError::Closed)?;
        outcome.await.map_err(|_| EngineError::Closed)
    }

    /// A named value of the store itself.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<Bytes>, EngineError> {
        Ok(self.trees.meta.get(name)?.map(Bytes::from))
    }

    /// Named values of the store whose names start with `prefix`.
    pub(crate) fn meta_list(&self, prefix: &str) -> Result<Vec<Bytes>, EngineError> {
        let values = self.trees.meta.prefix(prefix).map(|guard| guard.value());
        Ok(values
            .map(|value| value.map(Bytes::from))
            .collect::<Result<_, _>>()?)
    }

    /// Resolves when a write has failed: the store must stop.
    pub(crate) async fn failed(&self) -> EngineError {
        self.failed.cancelled().await;
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .unwrap_or(EngineError::Closed)
    }

    /// Bytes on disk.
    pub(crate) fn disk_space(&self) -> u64 {
        self.trees.db.disk_space().unwrap_or(0)
    }
}

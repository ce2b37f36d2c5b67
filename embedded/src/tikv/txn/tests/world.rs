//! An engine and the model beside it, and how a step is taken in both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::feed::{Listener, Reader as FeedReader, name};
use super::model::{Key, Model};
use crate::tikv::concurrency::Concurrency;
use crate::tikv::engine::{Changes, Engine, EngineError, Reader};
use crate::tikv::txn::{Stop, gc};

/// One millisecond of PD's clock.
pub(super) const MS: u64 = 1 << 18;
pub(super) const TTL_MS: u64 = 5;
/// How a transaction commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Optimistic,
    Pessimistic,
    Async,
    OnePc,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A new transaction in a slot; `collides`: its start-ts is the last commit-ts, if nobody started there.
    Begin {
        slot: usize,
        mode: Mode,
        collides: bool,
    },
    Prewrite {
        slot: usize,
        keys: BTreeSet<Key>,
        kind: u8,
    },
    /// A pessimistic lock.
    Lock {
        slot: usize,
        key: Key,
    },
    Commit {
        slot: usize,
        keys: BTreeSet<Key>,
    },
    RollBack {
        slot: usize,
        keys: BTreeSet<Key>,
    },
    /// Gives pessimistic locks up.
    Unlock {
        slot: usize,
        keys: BTreeSet<Key>,
    },
    /// Somebody asks how the transaction stands.
    Check {
        slot: usize,
        expired: bool,
    },
    HeartBeat {
        slot: usize,
    },
    /// Somebody ends the transaction on all its keys.
    Resolve {
        slot: usize,
        commit: bool,
    },
    CheckSecondaries {
        slot: usize,
        keys: BTreeSet<Key>,
    },
    /// A read of now, which later commits must not change.
    Read,
    Collect,
    Restart,
}

#[derive(Debug, Clone)]
pub(super) struct Txn {
    pub(super) mode: Mode,
    pub(super) start_ts: u64,
    pub(super) primary: Option<Key>,
    pub(super) for_update_ts: u64,
    /// Once it is settled.
    pub(super) commit_ts: u64,
    pub(super) values: u64,
}

/// The engine and the model.
pub(super) struct World {
    pub(super) dir: tempfile::TempDir,
    pub(super) engine: Option<Engine>,
    pub(super) listener: Listener,
    pub(super) feed: FeedReader,
    pub(super) concurrency: Arc<Concurrency>,
    pub(super) model: Model,
    pub(super) clock: u64,
    pub(super) slots: BTreeMap<usize, Txn>,
    pub(super) starts: BTreeSet<u64>,
    pub(super) last_commit: u64,
    /// Highest timestamp of a read.
    pub(super) read_at: u64,
    pub(super) safe_point: u64,
}

pub(super) type Outcome = Result<(), String>;

/// What the model expects.
pub(super) fn agree(what: &str, expected: bool, got: Result<(), String>) -> Result<bool, String> {
    match (expected, got) {
        (true, Ok(())) => Ok(true),
        (false, Err(_)) => Ok(false),
        (true, Err(why)) => Err(format!("{what} was refused: {why}")),
        (false, Ok(())) => Err(format!("{what} was not refused")),
    }
}

impl World {
    pub(super) fn new() -> Self {
        // In memory where there is such a folder: what is synced is the engine's own test.
        let memory = std::path::Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let listener = Listener::default();
        let engine = Engine::open(dir.path(), Box::new(listener.clone())).unwrap();
        Self {
            dir,
            engine: Some(engine),
            listener,
            feed: FeedReader::default(),
            concurrency: Arc::default(),
            model: Model::default(),
            clock: 100 * MS,
            slots: BTreeMap::new(),
            starts: BTreeSet::new(),
            last_commit: 0,
            read_at: 0,
            safe_point: 0,
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    /// A timestamp of PD.
    pub(super) fn now(&mut self) -> u64 {
        self.clock += MS;
        self.clock
    }

    /// Carries a step out in the engine.
    pub(super) async fn act<T>(
        &self,
        act: impl FnOnce(&Reader, &mut Changes) -> Result<T, Stop>,
    ) -> Result<T, String> {
        let mut changes = Changes::default();
        let done = act(&self.engine().reader(), &mut changes);
        let done = done.map_err(|stop| format!("{stop:?}"))?;
        let applied: Result<(), EngineError> = self.engine().apply(changes).await;
        applied.map_err(|error| error.to_string())?;
        Ok(done)
    }

    /// Takes a step and compares everything.
    pub(super) async fn take(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Begin {
                slot,
                mode,
                collides,
            } => self.begin(*slot, *mode, *collides),
            Step::Prewrite { slot, keys, kind } => self.prewrite(*slot, keys, *kind).await?,
            Step::Lock { slot, key } => self.lock(*slot, *key).await?,
            Step::Commit { slot, keys } => self.commit(*slot, keys).await?,
            Step::RollBack { slot, keys } => self.roll_back(*slot, keys).await?,
            Step::Unlock { slot, keys } => self.unlock(*slot, keys).await?,
            Step::Check { slot, expired } => self.check(*slot, *expired).await?,
            Step::HeartBeat { slot } => self.heart_beat(*slot).await?,
            Step::Resolve { slot, commit } => self.resolve(*slot, *commit).await?,
            Step::CheckSecondaries { slot, keys } => self.check_secondaries(*slot, keys).await?,
            Step::Read => {
                let now = self.now();
                self.concurrency.observe(now).map_err(|e| e.to_string())?;
                self.read_at = now;
            }
            Step::Collect => self.collect().await?,
            Step::Restart => self.restart()?,
        }
        self.compare()
    }

    fn begin(&mut self, slot: usize, mode: Mode, collides: bool) {
        let start_ts = match collides && self.last_commit > self.safe_point {
            true if !self.starts.contains(&self.last_commit) => self.last_commit,
            _ => self.now(),
        };
        self.starts.insert(start_ts);
        let txn = Txn {
            mode,
            start_ts,
            primary: None,
            for_update_ts: 0,
            commit_ts: 0,
            values: 0,
        };
        self.slots.insert(slot, txn);
    }

    pub(super) fn txn(&self, slot: usize) -> Option<Txn> {
        self.slots.get(&slot).cloned()
    }

    pub(super) fn keep(&mut self, slot: usize, txn: Txn) {
        self.slots.insert(slot, txn);
    }

    async fn collect(&mut self) -> Outcome {
        let open = self.model.keys.values().filter_map(|key| key.lock.as_ref());
        let oldest = open.map(|lock| lock.start_ts).chain([self.clock]).min();
        let safe_point = oldest.unwrap_or(0).saturating_sub(1);
        if safe_point <= self.safe_point {
            return Ok(());
        }
        self.safe_point = safe_point;
        // Nobody uses transactions from before any more.
        self.slots.retain(|_, txn| txn.start_ts > safe_point);
        for key in 0..4 {
            let named = name(key);
            self.act(|reader, changes| {
                gc::collect(reader, changes, &named, safe_point).map_err(Stop::from)
            })
            .await?;
        }
        self.model.collect(safe_point);
        Ok(())
    }

    fn restart(&mut self) -> Outcome {
        self.engine = None;
        // The writer's thread lets go of the folder a moment after its last sender.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let engine = loop {
            match Engine::open(self.dir.path(), Box::new(self.listener.clone())) {
                Ok(engine) => break engine,
                Err(EngineError::InUse { .. }) if std::time::Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        self.engine = Some(engine);
        // As at a start: above everything read or resolved before.
        self.concurrency = Arc::default();
        let now = self.now();
        self.concurrency.advance(now);
        Ok(())
    }
}

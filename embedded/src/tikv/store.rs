//! The store: everything its services share, and how a request becomes a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use proto::{errorpb, kvrpcpb as kv};
use tonic::Status;

use super::concurrency::Concurrency;
use super::engine::{Changes, Engine, EngineError, Reader};
use super::faults::Faults;
use super::feed::hub::Hub;
use super::key::Range;
use super::latches::{Held, Latches};
use super::region::{Region, Regions, check_keys};
use super::settings::Settings;
use super::size::Sizes;
use super::split::Splitter;
use super::txn::Stop;
use super::waits::Waits;

/// Steps on so many keys run where they are.
const FEW_KEYS: usize = 16;

/// The store.
pub(crate) struct Store {
    pub(crate) cluster_id: u64,
    /// One for each address.
    pub(crate) ids: Vec<u64>,
    pub(crate) engine: Engine,
    pub(crate) regions: Arc<Regions>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) concurrency: Arc<Concurrency>,
    pub(crate) splitter: Splitter,
    pub(crate) waits: Arc<Waits>,
    pub(crate) counters: Counters,
    pub(crate) settings: Settings,
    pub(crate) sizes: Sizes,
    pub(crate) faults: Faults,
    /// Below this garbage has been collected.
    pub(crate) collected: AtomicU64,
    latches: Latches,
}

/// What `/metrics` tells.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It does not fit the region it names.
    Region(Box<errorpb::Error>),
    /// Its keys do not allow it.
    Key(Box<kv::KeyError>),
    /// The store itself failed.
    Broken(Status),
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Broken(Status::internal(format!("failed to {error}")))
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(error) => Self::Key(error),
            Stop::Engine(error) => error.into(),
        }
    }
}

impl From<Box<errorpb::Error>> for Failure {
    fn from(error: Box<errorpb::Error>) -> Self {
        Self::Region(error)
    }
}

impl From<super::concurrency::Ahead> for Failure {
    fn from(error: super::concurrency::Ahead) -> Self {
        super::txn::refuse::abort(format!("failed to {error}")).into()
    }
}

impl From<kv::KeyError> for Failure {
    fn from(error: kv::KeyError) -> Self {
        Self::Key(Box::new(error))
    }
}

fn broken(error: &tokio::task::JoinError) -> Failure {
    Failure::Broken(Status::internal(format!(
        "failed to finish a request: {error}"
    )))
}

/// Runs a request to its end, whether or not the client stays: a write under way must not lose its latches.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await.map_err(|error| broken(&error))?
}

impl Store {
    pub(crate) fn new(
        (cluster_id, ids): (u64, Vec<u64>),
        engine: Engine,
        regions: Arc<Regions>,
        hub: Arc<Hub>,
        concurrency: Arc<Concurrency>,
        splitter: Splitter,
        settings: Settings,
    ) -> Self {
        Self {
            cluster_id,
            ids,
            engine,
            regions,
            hub,
            concurrency,
            splitter,
            waits: Arc::default(),
            counters: Counters::default(),
            settings,
            sizes: Sizes::default(),
            faults: Faults::default(),
            collected: AtomicU64::new(0),
            latches: Latches::default(),
        }
    }

    /// The region that a request to store `id` means, which holds all its keys.
    pub(crate) fn region<'a>(
        &self,
        id: u64,
        context: Option<&kv::Context>,
        keys: impl IntoIterator<Item = &'a Bytes>,
    ) -> Result<Arc<Region>, Failure> {
        let asked = context.map_or(0, |context| context.region_id);
        if let Some(busy) = self.faults.take_busy(asked) {
            return Err(Failure::Region(Box::new(errorpb::Error {
                message: busy.reason.clone(),
                server_is_busy: Some(busy),
                ..Default::default()
            })));
        }
        let region = self.regions.check(id, context)?;
        check_keys(&region, keys)?;
        Ok(region)
    }

    /// Reads at `ts` in these ranges.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        ranges: &[Range],
        ts: u64,
        read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        self.concurrency.before_read(ranges, ts).await?;
        self.look(read).await
    }

    /// Looks at the engine, without reading at a timestamp.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || look(&engine.reader()))
            .await
            .map_err(|error| broken(&error))?
    }

    /// Takes the latches of keys.
    pub(crate) async fn latch(&self, keys: &[Bytes]) -> Held {
        self.latches.acquire(keys).await
    }

    /// Carries out a step whose latches are held, on so many `keys`: computes what to write, and writes it.
    pub(crate) async fn step<
        T: Send + 'static,
        E: From<Failure> + From<EngineError> + Send + 'static,
    >(
        &self,
        keys: usize,
        step: impl FnOnce(&Reader, &mut Changes) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.counters.writes.fetch_add(1, Ordering::Relaxed);
        let engine = self.engine.clone();
        let compute = move || {
            let mut changes = Changes::default();
            step(&engine.reader(), &mut changes).map(|outcome| (outcome, changes))
        };
        // Another thread would take longer than to look at a few keys.
        let computed = if keys <= FEW_KEYS {
            compute()
        } else {
            tokio::task::spawn_blocking(compute)
                .await
                .map_err(|error| broken(&error))?
        };
        let (outcome, mut changes) = computed?;
        let unlocked = std::mem::take(&mut changes.unlocked);
        self.engine.apply(changes).await?;
        self.waits.wake(&unlocked);
        Ok(outcome)
    }

    /// Latches the keys and carries out a step.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        keys: Vec<Bytes>,
        step: impl FnOnce(&Reader, &mut Changes) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Failure> {
        let store = self.clone();
        detached(async move {
            let _held = store.latch(&keys).await;
            store
                .step(keys.len(), move |reader, changes| {
                    step(reader, changes).map_err(Failure::from)
                })
                .await
        })
        .await
    }
}

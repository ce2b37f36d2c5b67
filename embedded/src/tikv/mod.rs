//! The store: one durable MVCC engine with TiKV's transactional service and change feed.
//!
//! Percolator as far as an outside reader can observe it, without Raft: the stores of one process share the data, and each
//! region is led by one of them. `engine` keeps versions on disk, `txn` holds the rules, `service` speaks `tikvpb`, `feed`
//! speaks `cdcpb`, `concurrency` keeps commit timestamps above what has been read and resolved; `split` and `size` change
//! the regions, `gc` collects what nobody needs, `test_api` commands what operators and misfortunes do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::cdcpb::change_data_server::ChangeDataServer;
use proto::health::health_server::HealthServer;
use proto::pdpb;
use proto::tikvpb::tikv_server::TikvServer;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientError};
use crate::serve;

mod concurrency;
mod engine;
mod faults;
mod feed;
mod gc;
mod heartbeat;
mod identity;
mod key;
mod latches;
mod pd;
mod region;
mod service;
mod settings;
mod size;
mod split;
mod status;
mod store;
mod test_api;
mod txn;
mod waits;

pub use engine::EngineError;
pub(crate) use service::UNSYNCED;

use concurrency::Concurrency;
use engine::Engine;
use feed::hub::{Hub, Publisher};
use feed::service::FeedService;
use pd::PdLink;
use region::Regions;
use service::TikvService;
use service::health::Health;
use settings::Settings;
use split::Splitter;
use store::Store;

/// How long a start waits for PD.
const START_WAIT: Duration = Duration::from_secs(30);
/// Largest message taken from clients.
const MAX_MESSAGE: usize = 256 << 20;
const GIT_HASH: &str = "embedded";

/// `embedded tikv`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// PD to register with.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:12379")]
    pub pd: String,
    /// Where gRPC is served, and the address PD names. Given several times, as many stores are served, which share the
    /// data; each region has a peer on every one and is led by one of them, at the start by the first.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:12160")]
    pub addr: Vec<SocketAddr>,
    /// Where `GET /status`, `/config`, `/metrics`, `POST /config` and the test API (`/test/...`) answer.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:20180")]
    pub status_addr: SocketAddr,
    /// Folder of the engine.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// TiKV's version to answer as.
    #[arg(long, default_value = "8.5.3")]
    pub version: String,
    /// Time between two resolved-ts of the change feed, as `20ms` or `1s` (TiKV's `cdc.min-ts-interval`), from 10 ms on.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = settings::tick)]
    pub cdc_min_ts_interval: Duration,
    /// Bytes of events that may wait for clients of the change feed before they are told that the store is congested
    /// (TiKV's `cdc.sink-memory-quota`).
    #[arg(long, value_name = "BYTES", default_value = "512MB", value_parser = settings::size)]
    pub cdc_sink_memory_quota: u64,
    /// Size from which on a region is split (TiKV's `coprocessor.region-split-size`), as `256MB`; 0 for never.
    #[arg(long, value_name = "BYTES", default_value = "256MB", value_parser = settings::size)]
    pub region_split_size: u64,
    /// Time between two looks at PD's GC safepoint; below it, and below what any service needs, garbage is collected.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = settings::tick)]
    pub gc_poll_interval: Duration,
}

/// Why the store could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port is not to be had.
    #[error(transparent)]
    Listen(#[from] serve::ListenError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// PD was not there at the start.
    #[error("reach PD at {url} within {}s: {source} (is it running?)", .waited.as_secs())]
    NoPd {
        /// Its address.
        url: String,
        /// How long was waited.
        waited: Duration,
        /// The last answer.
        source: ClientError,
    },
    /// An address that is none.
    #[error("use {address:?} as PD's address: {why} (expected http://host:port)")]
    PdAddress {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// A call to PD failed.
    #[error("{what}: {why}")]
    Pd {
        /// The call.
        what: &'static str,
        /// What was met.
        why: String,
    },
    /// PD refused a call.
    #[error("{what}: PD refuses it: {why}")]
    Refused {
        /// The call.
        what: &'static str,
        /// The kind of refusal.
        kind: pdpb::ErrorType,
        /// PD's words.
        why: String,
    },
    /// The folder belongs to another cluster.
    #[error(
        "use the data in {dir}: it belongs to cluster {own}, PD serves cluster {found} (was PD's etcd emptied? then empty this folder too)"
    )]
    OtherCluster {
        /// The folder.
        dir: PathBuf,
        /// Its cluster.
        own: u64,
        /// PD's cluster.
        found: u64,
    },
    /// The cluster has data, the folder does not.
    #[error(
        "join cluster {cluster_id} with an empty {dir}: the cluster's data is in another folder, and an embedded cluster has one store (was the folder removed? then empty PD's etcd too)"
    )]
    DataLost {
        /// The folder.
        dir: PathBuf,
        /// PD's cluster.
        cluster_id: u64,
    },
    /// The folder holds something unreadable.
    #[error("read the {what} in {dir}: {problem}")]
    Corrupt {
        /// The folder.
        dir: PathBuf,
        /// Which record.
        what: String,
        /// What is wrong.
        problem: String,
    },
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// When a port is taken, the folder cannot be used, PD cannot be reached or serves another cluster, or the disk takes no
/// more writes.
pub async fn run(args: Args, stop: CancellationToken) -> Result<(), Error> {
    let mut listeners = Vec::with_capacity(args.addr.len());
    for addr in &args.addr {
        listeners.push(serve::listen(*addr).await?);
    }
    let status_listener = serve::listen(args.status_addr).await?;
    let hub = Arc::new(Hub::new(
        usize::try_from(args.cdc_sink_memory_quota).unwrap_or(usize::MAX),
    ));
    let engine = Engine::open(&args.data_dir, Box::new(Publisher(hub.clone())))?;
    let locks = hub.load(&engine.reader())?;
    let started = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        started = start(&args, engine.clone(), hub.clone()) => started?,
    };
    let (store, pd, client) = started;
    tracing::info!(
        addr = ?args.addr, stores = ?store.ids, cluster_id = store.cluster_id, regions = store.regions.all().len(), locks,
        version = args.version, git_hash = GIT_HASH, "TiKV serves"
    );
    // Ends with `stop`, or when the engine fails.
    let end = stop.child_token();
    let mut tasks = vec![
        tokio::spawn(heartbeat::stores(store.clone(), pd.clone(), end.clone())),
        tokio::spawn(heartbeat::regions(store.clone(), pd.clone(), end.clone())),
        tokio::spawn(size::watch(store.clone(), end.clone())),
        tokio::spawn(gc::watch(
            store.clone(),
            pd,
            args.gc_poll_interval,
            end.clone(),
        )),
        tokio::spawn(feed::advance(
            hub,
            store.concurrency.clone(),
            client.clone(),
            store.settings.tick(),
            end.clone(),
        )),
    ];
    let feed = FeedService::new(store.clone(), end.clone());
    for (listener, store_id) in listeners.into_iter().zip(&store.ids) {
        let tikv = TikvServer::new(TikvService::new(store.clone(), *store_id));
        let grpc = tonic::service::Routes::new(tikv.max_decoding_message_size(MAX_MESSAGE))
            .add_service(
                ChangeDataServer::new(feed.of_store(*store_id))
                    .max_decoding_message_size(MAX_MESSAGE),
            )
            .add_service(HealthServer::new(Health::new(end.clone())))
            .into_axum_router();
        tasks.push(tokio::spawn(serve::serve(listener, grpc, end.clone())));
    }
    let serving = serve::serve(
        status_listener,
        status::router(store, client, &args),
        end.clone(),
    );
    tokio::pin!(serving);
    let failed = tokio::select! {
        () = &mut serving => None,
        error = engine.failed() => Some(error),
    };
    end.cancel();
    if failed.is_some() {
        serving.await;
    }
    for task in tasks {
        if let Err(error) = task.await {
            tracing::warn!(%error, "a task of the store did not end well");
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

async fn start(
    args: &Args,
    engine: Engine,
    hub: Arc<Hub>,
) -> Result<(Arc<Store>, PdLink, Client), Error> {
    let no_pd = |source| Error::NoPd {
        url: args.pd.clone(),
        waited: START_WAIT,
        source,
    };
    let client = Client::connect(std::slice::from_ref(&args.pd), START_WAIT)
        .await
        .map_err(no_pd)?;
    let pd = PdLink::new(&args.pd, client.cluster_id())?;
    let registered = identity::register(&engine, &pd, args).await?;
    let concurrency = Arc::new(Concurrency::default());
    // Above everything read or resolved before a restart.
    concurrency.advance(client.tso().await.map_err(no_pd)?);
    let regions = Arc::new(Regions::new(registered.regions));
    let splitter = Splitter::new(pd.clone(), engine.clone(), regions.clone(), hub.clone());
    let ids = (client.cluster_id(), registered.store_ids);
    let settings = Settings::new(
        args.cdc_min_ts_interval,
        hub.clone(),
        args.region_split_size,
    );
    let store = Store::new(ids, engine, regions, hub, concurrency, splitter, settings);
    Ok((Arc::new(store), pd, client))
}

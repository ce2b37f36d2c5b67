//! The placement driver: timestamps, ids, stores, regions and GC safepoints, with etcd's own API on the same port.
//!
//! Everything it must remember is in the real etcd given by `--etcd`, under the keys the real PD uses
//! (`/pd/{cluster_id}/…`); it has no files of its own. [`leader`] guards every write, [`tso`] and [`ids`] store a window
//! before handing out of it, [`cluster`] holds stores and regions, [`gc`] the safepoints; [`service`] and [`http`] are the
//! two fronts, [`proxy`] hands etcd's API on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use proto::pdpb;
use proto::pdpb::pd_server::PdServer;
use tokio_util::sync::CancellationToken;

use crate::serve;

pub mod cluster;
pub mod etcd;
pub mod gc;
pub mod http;
pub mod ids;
pub mod leader;
pub mod operator;
pub mod proxy;
pub mod regions;
pub mod service;
pub mod tso;

use cluster::Cluster;
use etcd::Etcd;
use leader::{Campaign, Leadership};
use proxy::Proxy;
use tso::Clock;

/// How long a start waits for etcd, and for another PD's leadership to end.
const START_WAIT: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(100);
const CLUSTER_ID_KEY: &str = "/pd/cluster_id";

/// `embedded pd`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Name of this member.
    #[arg(long, default_value = "pd-1")]
    pub name: String,
    /// Where gRPC, etcd's API and HTTP are served.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:12379")]
    pub addr: SocketAddr,
    /// The etcd that holds all metadata.
    #[arg(long, value_name = "URL")]
    pub etcd: String,
    /// PD's version to answer as.
    #[arg(long, default_value = "v8.5.3")]
    pub version: String,
    /// Milliseconds added to this machine's clock as timestamps see it; may be negative. For tests of a clock that was set
    /// back or forth.
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub clock_offset: i64,
    /// Accepted for symmetry with the other components: everything is kept in etcd.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Why PD could not start, had to stop, or refused a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The port is not to be had.
    #[error(transparent)]
    Listen(#[from] serve::ListenError),
    /// etcd does not do what it should.
    #[error(transparent)]
    Etcd(#[from] etcd::Error),
    /// etcd was not there at the start.
    #[error("reach etcd within {}s: {source} (is it running?)", .waited.as_secs())]
    NoEtcd {
        /// How long was waited.
        waited: Duration,
        /// The last answer.
        source: Box<Error>,
    },
    /// A second PD on the same etcd.
    #[error("lead the cluster within {}s: member `{leader}` at {at} leads it (a cluster has one embedded PD)", .waited.as_secs())]
    OtherLeader {
        /// How long was waited.
        waited: Duration,
        /// Name of the leading member.
        leader: String,
        /// Its addresses.
        at: String,
    },
    /// A request names another cluster.
    #[error("mismatch cluster id, need {need} but got {got}")]
    ClusterId {
        /// This cluster.
        need: u64,
        /// The one asked for.
        got: u64,
    },
    /// Nothing is served without leadership, which needs etcd.
    #[error("not leader")]
    NotLeader,
    /// A count of timestamps that cannot be had.
    #[error("[PD:tso:ErrGenerateTimestamp]generate timestamp failed, tso count should be positive")]
    TsoCount,
    /// Local timestamps do not exist.
    #[error(
        "[PD:tso:ErrGetAllocator]get allocator failed, {0} allocator not found, generate timestamp failed"
    )]
    TsoLocation(String),
    /// etcd has not taken a longer window in time.
    #[error("[PD:tso:ErrGenerateTimestamp]generate timestamp failed, etcd took no new time window within {}s", .waited.as_secs())]
    TsoWindow {
        /// How long was waited.
        waited: Duration,
    },
    /// The first store came twice.
    #[error("cluster is already bootstrapped")]
    AlreadyBootstrapped,
    /// A bootstrap request that lacks something.
    #[error("invalid bootstrap request: expected a store and a region with ids, and one peer")]
    BadBootstrap,
    /// Two stores at one address.
    #[error(
        "duplicated store address: id:{id} address:\"{address}\", already registered by id:{other} (was its data folder removed?)"
    )]
    DuplicateStore {
        /// The shared address.
        address: String,
        /// The new store.
        id: u64,
        /// The known store.
        other: u64,
    },
    /// An order for a store that is not connected.
    #[error("order a {what}: store {store} sends no heartbeats at the moment")]
    StoreAway {
        /// What was ordered.
        what: &'static str,
        /// The store.
        store: u64,
    },
    /// An operator that cannot be created.
    #[error("[PD:schedule:ErrCreateOperator]unable to create operator, {0}")]
    Operator(String),
    /// A service without a name.
    #[error("service id of service safepoint cannot be empty")]
    EmptyService,
    /// GC's own safepoint cannot expire.
    #[error("TTL of gc_worker's service safe point must be infinity")]
    FiniteWorker,
    /// GC's own safepoint cannot be removed.
    #[error("cannot remove service safe point of gc_worker")]
    RemoveWorker,
    /// A value that cannot be written down.
    #[error("write a safepoint down: {0}")]
    Json(serde_json::Error),
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::ClusterId { .. } => Self::failed_precondition(text),
            Error::NotLeader | Error::Etcd(etcd::Error::NotLeader) => {
                Self::unavailable("not leader")
            }
            Error::Etcd(_) | Error::StoreAway { .. } => Self::unavailable(text),
            _ => Self::unknown(text),
        }
    }
}

/// Serves until `stop` is cancelled. While etcd is away requests are refused; it may come back at any time.
///
/// # Errors
/// When the port is taken, etcd cannot be reached, or another PD leads.
pub async fn run(args: Args, stop: CancellationToken) -> Result<(), Error> {
    let listener = serve::listen(args.addr).await?;
    let addr = listener.local_addr().unwrap_or(args.addr);
    let etcd = Etcd::new(&args.etcd)?;
    let proxy = Proxy::new(etcd.url()).ok_or_else(|| etcd::Error::Corrupt {
        key: args.etcd.clone(),
        problem: "the address has no host".to_owned(),
    })?;
    let cluster = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        started = start(&args, addr, etcd) => started?,
    };
    tracing::info!(%addr, cluster_id = cluster.id, etcd = args.etcd, "PD serves");
    let router = Router::new()
        .merge(
            tonic::service::Routes::new(PdServer::new(service::Service::new(cluster.clone())))
                .into_axum_router()
                .reset_fallback(),
        )
        .merge(http::router(cluster.clone(), &args.version, proxy));
    let window = tokio::spawn({
        let oracle = cluster.oracle.clone();
        async move { oracle.keep_ahead().await }
    });
    let lead = tokio::spawn(lead(cluster.clone()));
    serve::serve(listener, router, stop).await;
    lead.abort();
    window.abort();
    cluster.leadership.resign().await;
    Ok(())
}

/// Finds or founds the cluster in etcd, and begins to lead it.
async fn start(args: &Args, addr: SocketAddr, etcd: Etcd) -> Result<Arc<Cluster>, Error> {
    let deadline = tokio::time::Instant::now() + START_WAIT;
    let in_time = |_: &Error| tokio::time::Instant::now() < deadline;
    let (id, member_id) = loop {
        match identify(&etcd).await {
            Ok(found) => break found,
            Err(error) if in_time(&error) => {
                tracing::debug!(%error, "waiting for etcd");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                return Err(Error::NoEtcd {
                    waited: START_WAIT,
                    source: Box::new(error),
                });
            }
        }
    };
    let member = pdpb::Member {
        name: args.name.clone(),
        member_id,
        peer_urls: vec![etcd.url().to_owned()],
        client_urls: vec![format!("http://{addr}")],
        ..Default::default()
    };
    let root = format!("/pd/{id}");
    let leadership = Arc::new(Leadership::new(etcd, format!("{root}/leader"), member));
    let cluster = Arc::new(Cluster::new(
        id,
        root,
        leadership,
        Clock::shifted(args.clock_offset),
    ));
    loop {
        let error = match begin(&cluster).await {
            Ok(Campaign::Won) => return Ok(cluster),
            Ok(Campaign::Lost(leader)) => Error::OtherLeader {
                waited: START_WAIT,
                leader: leader.name.clone(),
                at: leader.client_urls.join(","),
            },
            Err(error) => error,
        };
        if !in_time(&error) {
            return Err(error);
        }
        tracing::debug!(%error, "waiting to lead");
        tokio::time::sleep(RETRY).await;
    }
}

/// The cluster's id, created if there is none, and the id of the etcd member.
async fn identify(etcd: &Etcd) -> Result<(u64, u64), Error> {
    let now = tso::wall_ms() / 1000;
    let fresh = (now << 32) | u64::from(uuid_low());
    let value = etcd
        .get_or_create(CLUSTER_ID_KEY, fresh.to_be_bytes().to_vec().into())
        .await?;
    let kv = proto::mvccpb::KeyValue {
        key: CLUSTER_ID_KEY.as_bytes().into(),
        value,
        ..Default::default()
    };
    let (_, member_id) = etcd.list(CLUSTER_ID_KEY).await?;
    Ok((etcd::number(&kv)?, member_id))
}

/// 32 random bits, from the hasher keys the standard library draws.
fn uuid_low() -> u32 {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    u32::try_from(random >> 32).unwrap_or_default()
}

/// Tries to lead, and loads everything if that succeeds.
async fn begin(cluster: &Cluster) -> Result<Campaign, Error> {
    let outcome = cluster.leadership.campaign().await?;
    if matches!(outcome, Campaign::Won) {
        cluster.load().await?;
        cluster.oracle.load().await?;
        cluster.leadership.ready();
    }
    Ok(outcome)
}

/// Holds the leadership, and wins it back when it is lost.
async fn lead(cluster: Arc<Cluster>) {
    loop {
        cluster.leadership.hold().await;
        loop {
            match begin(&cluster).await {
                Ok(Campaign::Won) => {
                    tracing::info!("this PD leads again");
                    break;
                }
                Ok(Campaign::Lost(leader)) => {
                    tracing::debug!(leader = leader.name, "another PD leads")
                }
                Err(error) => tracing::debug!(%error, "waiting to lead"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

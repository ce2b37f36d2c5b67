//! A server: a capture that stands for election, the owner's work when it is elected, and the HTTP API.

mod life;
mod logging;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::logging::LogLevel;
use crate::{
    api,
    changefeed::{capture, election, gc::Safepoints, info::CaptureInfo, keys::Keys, owner},
    coded::{Code, Coded},
    compat::{Compat, Release},
    etcd,
    meters::Meters,
    sort,
    upstream::{self, Upstream},
};

/// How long PD may take to be there when a server starts.
const PD_WITHIN: Duration = Duration::from_secs(30);

/// What a server is told on its command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// URLs of PD.
    pub pd: Vec<String>,
    /// Where to listen, `host:port`.
    pub addr: String,
    /// How others reach it, `host:port`; `addr` if empty.
    pub advertise_addr: String,
    /// Whose behaviour.
    pub release: Release,
    /// The cluster of captures; none in v4.0.9.
    pub cluster: String,
    /// In which TIMESTAMP values are written.
    pub time_zone: TimeZone,
    /// How long changefeeds may hold garbage collection up.
    pub gc_ttl: Duration,
    /// How long this server's session outlives it, in seconds.
    pub session_ttl: i64,
    /// Where to keep what does not fit into memory; if none is given, a folder for temporary files.
    pub data_dir: Option<PathBuf>,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be bound.
    #[error("listen on {addr}: {source}; is another server running there?")]
    Listen {
        /// As given.
        addr: String,
        /// The cause.
        source: std::io::Error,
    },
    /// PD does not answer.
    #[error("reach PD at {pd}: {source}")]
    Pd {
        /// As given.
        pd: String,
        /// The cause.
        source: Box<upstream::Error>,
    },
    /// PD's etcd does not answer.
    #[error("reach PD's etcd: {0}")]
    Etcd(#[from] etcd::Error),
    /// Another server has the address.
    #[error(transparent)]
    Address(#[from] capture::BuryError),
    /// The API broke.
    #[error("serve the HTTP API: {0}")]
    Serve(std::io::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] sort::Error),
    /// Signals cannot be waited for.
    #[error("wait for signals: {0}")]
    Signal(std::io::Error),
}

/// This server's place among the captures at the moment.
#[derive(Debug, Clone)]
pub struct Current {
    /// The capture's id.
    pub id: String,
    /// A way to the owner, if this server is it.
    pub owner: Option<owner::Handle>,
    /// Cancelled to give ownership up.
    resign: CancellationToken,
}

/// What all parts of a server share.
#[derive(Debug)]
pub struct Server {
    /// Whose behaviour.
    pub release: Release,
    /// The cluster of captures.
    pub cluster: String,
    /// How others reach this server.
    pub address: String,
    /// PD's etcd.
    pub etcd: etcd::Client,
    /// The names of its keys.
    pub keys: Keys,
    /// The cluster that is replicated.
    pub upstream: Upstream,
    /// Its GC safepoints.
    pub safepoints: Safepoints,
    /// For requests to other servers.
    pub http: reqwest::Client,
    /// The level of the log.
    pub log_level: LogLevel,
    session_ttl: i64,
    /// What it counts.
    pub meters: Meters,
    time_zone: TimeZone,
    sort_folder: sort::Folder,
    started_at: i64,
    current: RwLock<Option<Current>>,
}

/// The commit that the server was built from is not known to it.
pub const GIT_HASH: &str = "None";

impl Server {
    /// See [`Release::compat`].
    pub(crate) fn compat(&self) -> Compat {
        self.release.compat()
    }

    /// The capture's place at the moment; none while it has no session.
    #[must_use]
    pub fn current(&self) -> Option<Current> {
        // a writer cannot panic half-way: the value is replaced as a whole
        let guard = self
            .current
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        guard.clone()
    }

    fn set_current(&self, current: Option<Current>) {
        let mut guard = self
            .current
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *guard = current;
    }

    /// Gives ownership up, if this server has it; whether it had.
    pub fn resign(&self) -> bool {
        match self.current() {
            Some(current) if current.owner.is_some() => {
                current.resign.cancel();
                true
            }
            _ => false,
        }
    }

    /// The address of the owner.
    ///
    /// # Errors
    /// `ErrOwnerNotFound`, `ErrPDEtcdAPIError`.
    pub async fn owner_address(&self) -> Result<String, Coded> {
        let failed = |error| Coded::wrap(Code::ErrPDEtcdAPIError, error);
        let owner = election::owner(&self.etcd, &self.keys)
            .await
            .map_err(failed)?;
        let captures = capture::captures(&self.etcd, &self.keys)
            .await
            .map_err(failed)?;
        captures
            .into_iter()
            .find(|capture| Some(&capture.id) == owner.as_ref())
            .map(|capture| capture.address)
            .ok_or_else(|| Coded::new(Code::ErrOwnerNotFound, "owner not found"))
    }

    /// What etcd holds of this server under `id`.
    fn capture_info(&self, id: &str) -> CaptureInfo {
        let modern = self.compat() != Compat::V4_0_9;
        let program = || {
            let path = std::env::current_exe().ok();
            path.map(|path| path.display().to_string())
                .unwrap_or_default()
        };
        CaptureInfo {
            id: id.to_owned(),
            address: self.address.clone(),
            version: if modern {
                self.release.to_string()
            } else {
                String::new()
            },
            git_hash: modern.then(|| GIT_HASH.to_owned()),
            deploy_path: modern.then(program),
            start_timestamp: modern.then_some(self.started_at),
        }
    }
}

/// Runs a server until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServerError`] when it cannot start or its API breaks.
pub async fn run(options: Options, log_level: LogLevel) -> Result<(), ServerError> {
    let listen = |source| ServerError::Listen {
        addr: options.addr.clone(),
        source,
    };
    let listener = TcpListener::bind(&options.addr).await.map_err(listen)?;
    let local = listener.local_addr().map_err(listen)?;
    let address = advertised(&options, local);
    let mut data_dir = DataDir::new(options.data_dir.clone(), local);
    let sort_folder = data_dir.sort_folder().await?;
    let stop = CancellationToken::new();
    let signals = life::Signals::new().map_err(ServerError::Signal)?;
    let stopping = stop.clone();
    let waiting = tokio::spawn(async move { signals.wait(&stopping).await });

    let connected = tokio::select! {
        connected = connect(&options.pd) => connected?,
        () = stop.cancelled() => return Ok(()),
    };
    let (upstream, etcd, etcd_cluster) = connected;
    let safepoints = Safepoints::new(
        upstream.clone(),
        options.release.compat(),
        &options.cluster,
        etcd_cluster,
        options.gc_ttl,
    );
    let server = Arc::new(Server {
        release: options.release,
        keys: Keys::new(options.release.compat(), &options.cluster),
        cluster: options.cluster,
        meters: Meters::new(options.release.compat(), &address),
        address,
        etcd,
        upstream,
        safepoints,
        http: reqwest::Client::new(),
        log_level,
        session_ttl: options.session_ttl,
        time_zone: options.time_zone,
        sort_folder,
        started_at: jiff::Timestamp::now().as_second(),
        current: RwLock::new(None),
    });
    tracing::info!(
        address = server.address,
        release = %server.release,
        cluster_id = server.upstream.cluster_id(),
        "server started"
    );
    let serving = {
        let closing = CancellationToken::new();
        let closed = closing.clone();
        let app = api::router(Arc::clone(&server));
        let serve = axum::serve(listener, app)
            .with_graceful_shutdown(async move { closed.cancelled().await });
        (tokio::spawn(async move { serve.await }), closing)
    };
    let lived = life::live(&server, &stop).await;
    serving.1.cancel();
    let (mut serve, _) = serving;
    // connections that are kept open must not keep the server
    let served = tokio::time::timeout(Duration::from_secs(1), &mut serve).await;
    serve.abort();
    waiting.abort();
    lived?;
    match served {
        Ok(Ok(Err(error))) => Err(ServerError::Serve(error)),
        _ => Ok(()),
    }
}

/// The data folder of a server.
#[derive(Debug)]
struct DataDir {
    path: PathBuf,
    temporary: bool,
    /// Whether it is locked by us: what another one uses is not removed.
    ours: bool,
}

impl DataDir {
    /// The folder given, or one that no other server of this machine has.
    fn new(given: Option<PathBuf>, listens: SocketAddr) -> Self {
        let temporary = given.is_none();
        let path = given.unwrap_or_else(|| {
            let name = listens.to_string().replace([':', '[', ']'], "_");
            std::env::temp_dir().join("cdc_data").join(name)
        });
        if temporary {
            tracing::warn!(path = %path.display(), "no --data-dir is given, rows are sorted in a temporary folder");
        }
        Self {
            path,
            temporary,
            ours: false,
        }
    }

    async fn sort_folder(&mut self) -> Result<sort::Folder, sort::Error> {
        let path = self.path.clone();
        let open = tokio::task::spawn_blocking(move || sort::Folder::open(&path));
        let folder = open.await.unwrap_or(Err(sort::Error::BrokeOff))?;
        self.ours = true;
        Ok(folder)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.temporary
            && self.ours
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a temporary folder is left");
        }
    }
}

fn advertised(options: &Options, local: SocketAddr) -> String {
    match options.advertise_addr.as_str() {
        "" if options.addr.ends_with(":0") => local.to_string(),
        "" => options.addr.clone(),
        given => given.to_owned(),
    }
}

/// Reaches PD and its etcd, waiting for a cluster that is about to start.
async fn connect(pd: &[String]) -> Result<(Upstream, etcd::Client, u64), ServerError> {
    let deadline = tokio::time::Instant::now() + PD_WITHIN;
    let mut pace = tokio::time::interval(Duration::from_millis(200));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        match connect_once(pd).await {
            Ok(connected) => return Ok(connected),
            Err(error) if tokio::time::Instant::now() >= deadline => return Err(error),
            Err(error) => tracing::warn!(%error, "the cluster does not answer yet"),
        }
    }
}

async fn connect_once(pd: &[String]) -> Result<(Upstream, etcd::Client, u64), ServerError> {
    let upstream = Upstream::connect(pd)
        .await
        .map_err(|source| ServerError::Pd {
            pd: pd.join(","),
            source: Box::new(source),
        })?;
    let etcd = etcd::Client::following(upstream.pd_members());
    let cluster = etcd.cluster_id().await?;
    Ok((upstream, etcd, cluster))
}

//! The embedded TiDB: MySQL's protocol, TiDB's encodings and schema around a MariaDB that executes the SQL.

pub mod apply;
pub mod cast;
pub mod catalog;
pub mod codec;
pub mod front;
pub mod identity;
pub mod mariadb;
pub mod partition;
pub mod planning;
mod start;
mod status;
pub mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientError};
use crate::serve::{self, ListenError};
use apply::{ApplyError, Ended, Gtid};
use catalog::{CatalogError, TidbVersion, UnknownVersion};
use front::{Shared, Tls, TlsError};
use identity::IdentityError;
use mariadb::datadir::Layout;
use mariadb::{MariaDb, MariaDbError, Packages};
use wire::{Backend, WireError};

/// `embedded tidb`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// PD to use.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:12379")]
    pub pd: String,
    /// Where MySQL clients connect.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:14000")]
    pub addr: SocketAddr,
    /// Where `GET /status` answers.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:12080")]
    pub status_addr: SocketAddr,
    /// Folder for MariaDB's data and socket.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Folder that holds MariaDB's unpacked packages.
    #[arg(long, value_name = "DIR")]
    pub mariadb_dir: PathBuf,
    /// A MariaDB data folder to start new ones from; it is installed there if it is missing.
    #[arg(long, value_name = "DIR")]
    pub mariadb_template: Option<PathBuf>,
    /// Certificate, in PEM, to offer clients TLS with.
    #[arg(long, value_name = "FILE", requires = "ssl_key")]
    pub ssl_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM without a password.
    #[arg(long, value_name = "FILE", requires = "ssl_cert")]
    pub ssl_key: Option<PathBuf>,
    /// Authority, in PEM, for the certificates that clients may show.
    #[arg(long, value_name = "FILE", requires = "ssl_cert")]
    pub ssl_ca: Option<PathBuf>,
    /// TiDB's version to answer as.
    #[arg(long, default_value = "v8.5.3")]
    pub version: String,
}

/// Why the SQL front could not start or had to stop. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The version is none that the embedded TiDB can be.
    #[error(transparent)]
    Version(#[from] UnknownVersion),
    /// TLS cannot be served as asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A port could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// MariaDB could not be run.
    #[error(transparent)]
    MariaDb(#[from] MariaDbError),
    /// MariaDB did not answer as expected.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// PD or TiKV could not be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The data folder and the cluster do not belong together.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The schema could not be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Applying MariaDB's changes to TiKV failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The applier is gone.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The applier ended though nobody told it to.
    #[error("apply MariaDB's changes to TiKV: the applier ended: {why}")]
    ApplierEnded {
        /// How.
        why: String,
    },
    /// TiKV could not be brought up to MariaDB in time.
    #[error("bring TiKV up to MariaDB: at {applied} of {binlog} after {} s", waited.as_secs())]
    CatchUp {
        /// How far TiKV is.
        applied: Gtid,
        /// How far MariaDB is.
        binlog: Gtid,
        /// How long was waited.
        waited: Duration,
    },
}

/// How long PD, TiKV and MariaDB may take to answer at the start.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long TiKV may take to get the last changes before a stop; what is left is applied at the next start.
const LAST_CHANGES: Duration = Duration::from_secs(10);

/// Serves until `stop` is cancelled.
///
/// # Errors
/// See [`Error`].
pub async fn run(args: Args, stop: CancellationToken) -> Result<(), Error> {
    let version: TidbVersion = args.version.parse()?;
    let tls = Tls::load(&args)?;
    // The ports first: that they are in use is told before anything is made.
    let sql = serve::listen(args.addr).await?;
    let status = serve::listen(args.status_addr).await?;
    let settings = mariadb::Settings {
        packages: args.mariadb_dir.clone(),
        dir: args.data_dir.clone(),
        template: args.mariadb_template.clone(),
        version: front::server_version(version, &args.version),
        patience: START_PATIENCE,
    };
    let packages = Packages::locate(&settings.packages)?;
    let layout = Layout::new(&settings.dir)?;
    let _claim = layout.lock()?;
    let pd = [args.pd.clone()];
    let starting = async {
        let client = async { Ok(Client::connect(&pd, START_PATIENCE).await?) };
        let mariadb = async {
            if !layout.is_installed() {
                layout.install(&packages, &settings).await?;
            }
            Ok(MariaDb::start(&packages, &layout, &settings).await?)
        };
        tokio::try_join!(client, mariadb)
    };
    let started: Result<_, Error> = tokio::select! {
        started = starting => started,
        () = stop.cancelled() => return Ok(()),
    };
    let (client, mut mariadb) = started?;

    let outcome = tokio::select! {
        outcome = serve_sql(&args, (version, tls), &layout, client, (sql, status), &stop) => outcome,
        error = mariadb.exited() => Err(error.into()),
    };
    let stopped = mariadb.stop().await;
    outcome?;
    Ok(stopped?)
}

/// From the recovery to the last change before a stop.
async fn serve_sql(
    args: &Args,
    (version, tls): (TidbVersion, Option<Tls>),
    layout: &Layout,
    client: Client,
    (sql, status): (TcpListener, TcpListener),
    stop: &CancellationToken,
) -> Result<(), Error> {
    let applying = CancellationToken::new();
    let recovering = start::recover(args, layout, version, &client, applying.clone());
    let start::Recovered {
        handle,
        mut applier,
    } = tokio::select! {
        recovered = recovering => recovered?,
        () = stop.cancelled() => return Ok(()),
    };
    let globals = front::globals::restore(&layout.socket, version).await?;
    let shared = Arc::new(Shared::new(
        layout.socket.clone(),
        handle.clone(),
        client,
        version,
        globals,
        tls,
        args,
    ));
    shared.read_requirements().await?;
    let clients = tokio::spawn(front::serve(sql, Arc::clone(&shared), stop.clone()));
    let status = tokio::spawn(serve::serve(
        status,
        status::router(Arc::clone(&shared)),
        stop.clone(),
    ));
    tracing::info!(addr = %args.addr, version = shared.server_version, "serving SQL");
    tokio::select! {
        () = stop.cancelled() => {}
        ended = &mut applier => return Err(start::applier_ended(ended)),
    }
    for task in [clients, status] {
        if let Err(panic) = task.await {
            tracing::error!(%panic, "a port's task ended badly");
        }
    }
    let mut own = Backend::connect(&layout.socket).await?;
    let end = start::binlog_end(&mut own).await?;
    if tokio::time::timeout(LAST_CHANGES, handle.wait(end))
        .await
        .is_err()
    {
        tracing::warn!(applied = %handle.gtid(), binlog = %end, "TiKV does not take the last changes; they are applied at the next start");
    }
    applying.cancel();
    match tokio::time::timeout(LAST_CHANGES, applier).await {
        Ok(Ok(Err(error))) => Err(error.into()),
        _ => Ok(()),
    }
}

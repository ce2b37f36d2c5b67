//! The store: one durable MVCC engine with TiKV's transactional service and change feed.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

/// `embedded tikv`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// PD to register with.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:12379")]
    pub pd: String,
    /// Where gRPC is served, and the address PD names.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:12160")]
    pub addr: SocketAddr,
    /// Where `GET /status` answers.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:20180")]
    pub status_addr: SocketAddr,
    /// Folder of the engine.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// TiKV's version to answer as.
    #[arg(long, default_value = "8.5.3")]
    pub version: String,
}

/// Why the store could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no store.
    #[error("start the store: it is not part of this build")]
    Missing,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// See [`Error`].
pub async fn run(_args: Args, _stop: CancellationToken) -> Result<(), Error> {
    Err(Error::Missing)
}

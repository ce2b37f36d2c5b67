//! The placement driver: timestamps, ids, stores, regions and GC safepoints, with etcd's own API on the same port.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

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
    /// Accepted for symmetry with the other components: everything is kept in etcd.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// Why PD could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no PD.
    #[error("start PD: it is not part of this build")]
    Missing,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// See [`Error`].
pub async fn run(_args: Args, _stop: CancellationToken) -> Result<(), Error> {
    Err(Error::Missing)
}

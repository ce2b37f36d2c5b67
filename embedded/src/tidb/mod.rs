//! The embedded TiDB: MySQL's protocol, TiDB's encodings and schema around a MariaDB that executes the SQL.

pub mod catalog;
pub mod codec;
pub mod mariadb;
pub mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

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
    /// TiDB's version to answer as.
    #[arg(long, default_value = "v8.5.3")]
    pub version: String,
}

/// Why the SQL front could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This build has no SQL front.
    #[error("start the SQL front: it is not part of this build")]
    Missing,
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// See [`Error`].
pub async fn run(_args: Args, _stop: CancellationToken) -> Result<(), Error> {
    Err(Error::Missing)
}

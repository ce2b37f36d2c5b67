//! The MariaDB that executes the SQL: a process of our own, from a folder of unpacked packages, on a unix socket only.
//!
//! * [`packages`]: its programs and libraries inside that folder.
//! * [`datadir`]: its data, installed from scratch or copied from a template; what a killed run left is dealt with.
//! * [`options`]: the command line, where everything that the row binlog must promise is pinned.
//! * [`sql_mode`]: what its `sql_mode` has that clients do not see.
//! * [`process`]: starting, watching, stopping. [`tether`] ties its life to ours.

pub mod datadir;
pub mod options;
pub mod packages;
pub mod process;
pub mod sql_mode;
pub mod tether;

use std::path::PathBuf;
use std::time::Duration;

pub use packages::Packages;
pub use process::MariaDb;

use super::wire::WireError;

/// Where MariaDB comes from and lives.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder that holds MariaDB's unpacked packages.
    pub packages: PathBuf,
    /// Folder for its data, socket, log and pid file.
    pub dir: PathBuf,
    /// A data folder to start from; installed there if it is not there yet.
    pub template: Option<PathBuf>,
    /// The version it shall call itself.
    pub version: String,
    /// How long it may take to answer SQL, recovery included.
    pub patience: Duration,
}

/// Why MariaDB could not be run. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MariaDbError {
    /// A program or folder of the packages is missing.
    #[error(
        "find {what} of MariaDB under {}: give the folder into which its packages were unpacked (`cargo xtask lab-up` \
         fetches them)", dir.display()
    )]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        dir: PathBuf,
    },
    /// The socket's path does not fit a socket address.
    #[error("use {} as MariaDB's socket: {len} bytes, at most {limit} are possible; choose a shorter data folder", path.display())]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        len: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A file or folder could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process uses the data.
    #[error("lock {}: another process is using this data folder", path.display())]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// A process could not be started or signalled.
    #[error("{what}: {source}")]
    Process {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data folder could not be made.
    #[error(
        "install MariaDB's data folder: mariadb-install-db ended with {status}; the end of what it said:\n{tail}"
    )]
    Install {
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// MariaDB ended by itself.
    #[error("keep MariaDB running: it ended with {status}; the end of {}:\n{tail}", log.display())]
    Exited {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// MariaDB does not answer.
    #[error("start MariaDB: no SQL on {} within {} s: {last}; the end of {}:\n{tail}", socket.display(), waited.as_secs(), log.display())]
    NotReady {
        /// Its socket.
        socket: PathBuf,
        /// How long was waited.
        waited: Duration,
        /// What the last attempt met.
        last: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// MariaDB did not answer as expected.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl MariaDbError {
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
        source: std::io::Error,
    ) -> Self {
        Self::File {
            what,
            path: path.into(),
            source,
        }
    }
}

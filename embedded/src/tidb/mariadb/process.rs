//! Starting, watching and stopping MariaDB.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::datadir::Layout;
use super::{MariaDbError, Packages, Settings, options};
use crate::tidb::wire::Backend;

/// How long a clean shutdown may take.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);
const TAIL_LINES: usize = 15;
const TAIL_BYTES: u64 = 16 << 10;

/// A running MariaDB.
#[derive(Debug)]
pub struct MariaDb {
    child: Child,
    layout: Layout,
}

impl MariaDb {
    /// Starts it on an installed folder (whose lock the caller holds) and waits until it answers SQL.
    ///
    /// The child dies with the calling thread: call it from one that lives as long as the process.
    pub async fn start(
        packages: &Packages,
        layout: &Layout,
        settings: &Settings,
    ) -> Result<Self, MariaDbError> {
        layout.end_stale().await?;
        fs::create_dir_all(&layout.tmp).map_err(|e| MariaDbError::file("make", &layout.tmp, e))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&layout.log)
            .map_err(|e| MariaDbError::file("open", &layout.log, e))?;
        let log_again = log
            .try_clone()
            .map_err(|e| MariaDbError::file("open", &layout.log, e))?;
        let own = std::env::current_exe().map_err(|source| MariaDbError::Process {
            what: "find this program's own file",
            source,
        })?;
        let child = Command::new(own)
            .arg("tether")
            .arg(format!("--parent={}", std::process::id()))
            .arg("--")
            .arg(&packages.server)
            .args(options::server(packages, layout, &settings.version))
            .env("LD_LIBRARY_PATH", packages.library_path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again)
            // A Ctrl-C at the terminal is ours to pass on, in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| MariaDbError::Process {
                what: "start mariadbd",
                source,
            })?;
        let mut running = Self {
            child,
            layout: layout.clone(),
        };
        running.wait_ready(settings.patience).await?;
        Ok(running)
    }

    async fn wait_ready(&mut self, patience: Duration) -> Result<(), MariaDbError> {
        let started = Instant::now();
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .map_err(|source| MariaDbError::Process {
                    what: "watch mariadbd",
                    source,
                })?
            {
                return Err(self.exit_error(status.to_string()));
            }
            let last = match probe(&self.layout.socket).await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            };
            if started.elapsed() >= patience {
                return Err(MariaDbError::NotReady {
                    socket: self.layout.socket.clone(),
                    waited: started.elapsed(),
                    last,
                    log: self.layout.log.clone(),
                    tail: tail(&self.layout.log),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.layout.socket
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself, which is always an error.
    pub async fn exited(&mut self) -> MariaDbError {
        match self.child.wait().await {
            Ok(status) => self.exit_error(status.to_string()),
            Err(source) => MariaDbError::Process {
                what: "watch mariadbd",
                source,
            },
        }
    }

    /// Stops it cleanly; by force if it takes too long.
    pub async fn stop(mut self) -> Result<(), MariaDbError> {
        let Some(pid) = self.pid() else {
            return Ok(());
        };
        let signalled = kill(Pid::from_raw(pid as i32), Signal::SIGTERM);
        signalled.map_err(|errno| MariaDbError::Process {
            what: "stop mariadbd",
            source: errno.into(),
        })?;
        match tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.exit_error(status.to_string())),
            Ok(Err(source)) => Err(MariaDbError::Process {
                what: "stop mariadbd",
                source,
            }),
            Err(_) => {
                tracing::warn!(
                    pid,
                    "MariaDB did not stop within {} s and is killed; it recovers at the next start",
                    STOP_PATIENCE.as_secs()
                );
                self.child
                    .kill()
                    .await
                    .map_err(|source| MariaDbError::Process {
                        what: "kill mariadbd",
                        source,
                    })
            }
        }
    }

    fn exit_error(&self, status: String) -> MariaDbError {
        MariaDbError::Exited {
            status,
            log: self.layout.log.clone(),
            tail: tail(&self.layout.log),
        }
    }
}

async fn probe(socket: &Path) -> Result<(), crate::tidb::wire::WireError> {
    Backend::connect(socket).await?.value("SELECT 1").await?;
    Ok(())
}

/// Nothing came true in time.
#[derive(Debug, thiserror::Error)]
#[error("wait for {what}: not within {} ms", patience.as_millis())]
pub(crate) struct Late {
    what: &'static str,
    patience: Duration,
}

/// Waits until a condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(
    what: &'static str,
    patience: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<(), Late> {
    let started = Instant::now();
    while !condition().await {
        if started.elapsed() >= patience {
            return Err(Late { what, patience });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn tail(log: &PathBuf) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(log)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => last_lines(&text),
        Err(error) => format!("(unreadable: {error})"),
    }
}

pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

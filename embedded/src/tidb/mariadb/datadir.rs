//! MariaDB's folder.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use super::{MariaDbError, Packages, Settings, options, process};

/// Longest path of a unix socket, its closing zero left out, in bytes.
const SOCKET_PATH_LIMIT: usize = 107;
/// How long a killed process may take to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// A table that every installed data folder has.
const INSTALLED_MARK: &str = "mysql/db.frm";

/// Paths within the folder.
#[derive(Debug, Clone)]
pub struct Layout {
    /// MariaDB's data.
    pub data: PathBuf,
    /// Its socket.
    pub socket: PathBuf,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Its temporary files.
    pub tmp: PathBuf,
    lock: PathBuf,
}

impl Layout {
    /// Within `dir`, which is made if it is missing.
    pub fn new(dir: &Path) -> Result<Self, MariaDbError> {
        fs::create_dir_all(dir).map_err(|e| MariaDbError::file("make the data folder", dir, e))?;
        let dir = dir
            .canonicalize()
            .map_err(|e| MariaDbError::file("find the data folder", dir, e))?;
        let layout = Self {
            data: dir.join("mariadb"),
            socket: dir.join("mariadb.sock"),
            pid_file: dir.join("mariadb.pid"),
            log: dir.join("mariadb.log"),
            tmp: dir.join("tmp"),
            lock: dir.join("LOCK"),
        };
        let len = layout.socket.as_os_str().len();
        if len > SOCKET_PATH_LIMIT {
            return Err(MariaDbError::SocketPath {
                path: layout.socket,
                len,
                limit: SOCKET_PATH_LIMIT,
            });
        }
        Ok(layout)
    }

    /// Claims the folder for this process until the lock is dropped.
    pub fn lock(&self) -> Result<Flock<File>, MariaDbError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.lock)
            .map_err(|e| MariaDbError::file("open", &self.lock, e))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => MariaDbError::InUse {
                path: self.lock.clone(),
            },
            other => MariaDbError::file("lock", &self.lock, other.into()),
        })
    }

    /// Ends a MariaDB that a killed run left on this folder, found by its pid file and recognised by its command line.
    /// Call it with the lock held.
    pub async fn end_stale(&self) -> Result<(), MariaDbError> {
        let Some(pid) = fs::read_to_string(&self.pid_file)
            .ok()
            .and_then(|text| text.trim().parse::<i32>().ok())
            .filter(|pid| *pid > 1)
        else {
            return Ok(());
        };
        if !self.is_ours(pid) {
            return Ok(());
        }
        tracing::warn!(pid, "ending a MariaDB that an earlier run left behind");
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                return Err(MariaDbError::Process {
                    what: "end a MariaDB that an earlier run left behind",
                    source: errno.into(),
                });
            }
        }
        process::until("its end", KILL_PATIENCE, || async { !self.is_ours(pid) })
            .await
            .map_err(|_| MariaDbError::Process {
                what: "end a MariaDB that an earlier run left behind",
                source: std::io::Error::other(format!(
                    "process {pid} is still there after SIGKILL"
                )),
            })
    }

    fn is_ours(&self, pid: i32) -> bool {
        let Ok(command_line) = fs::read(format!("/proc/{pid}/cmdline")) else {
            return false;
        };
        let mut mine = b"--datadir=".to_vec();
        mine.extend_from_slice(self.data.as_os_str().as_encoded_bytes());
        command_line.split(|b| *b == 0).any(|arg| arg == mine)
    }

    /// Whether MariaDB's data is there.
    pub fn is_installed(&self) -> bool {
        is_installed(&self.data)
    }

    /// Makes MariaDB's data from the template, or from scratch.
    pub async fn install(
        &self,
        packages: &Packages,
        settings: &Settings,
    ) -> Result<(), MariaDbError> {
        // What is made is made beside, then moved into place: a half-made folder is never taken for a whole one.
        let Some(template) = &settings.template else {
            return install_to(packages, &self.data).await;
        };
        if !is_installed(template) {
            install_to(packages, template).await?;
        }
        let fresh = beside(&self.data);
        let (from, to) = (template.clone(), fresh.clone());
        let copied = tokio::task::spawn_blocking(move || {
            remove(&to)?;
            copy(&from, &to)
        })
        .await;
        match copied {
            Ok(result) => result?,
            Err(panic) => {
                return Err(MariaDbError::file(
                    "copy the template to",
                    fresh,
                    std::io::Error::other(panic),
                ));
            }
        }
        put_in_place(&fresh, &self.data)
    }
}

fn is_installed(data: &Path) -> bool {
    data.join(INSTALLED_MARK).is_file()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    path.with_file_name(name)
}

async fn install_to(packages: &Packages, data: &Path) -> Result<(), MariaDbError> {
    let fresh = beside(data);
    remove(&fresh)?;
    let tmp = beside(&fresh);
    for folder in [&fresh, &tmp] {
        fs::create_dir_all(folder).map_err(|e| MariaDbError::file("make", folder, e))?;
    }
    let output = Command::new(&packages.install)
        .args(options::install(packages, &fresh))
        .env("LD_LIBRARY_PATH", packages.library_path())
        // In a folder that it shares it would remove the temporary tables of another one that starts.
        .env("TMPDIR", &tmp)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| MariaDbError::Process {
            what: "run mariadb-install-db",
            source,
        })?;
    remove(&tmp)?;
    if !output.status.success() || !is_installed(&fresh) {
        let mut said = output.stdout;
        said.extend_from_slice(&output.stderr);
        return Err(MariaDbError::Install {
            status: output.status.to_string(),
            tail: process::last_lines(&String::from_utf8_lossy(&said)),
        });
    }
    put_in_place(&fresh, data)
}

fn put_in_place(fresh: &Path, data: &Path) -> Result<(), MariaDbError> {
    match fs::rename(fresh, data) {
        Ok(()) => Ok(()),
        // Another process made the same template meanwhile.
        Err(_) if is_installed(data) => remove(fresh),
        Err(e) => Err(MariaDbError::file(
            "put MariaDB's data folder in place at",
            data,
            e,
        )),
    }
}

fn remove(dir: &Path) -> Result<(), MariaDbError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(MariaDbError::file("remove", dir, e))
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), MariaDbError> {
    fs::create_dir_all(to).map_err(|e| MariaDbError::file("make", to, e))?;
    let entries = fs::read_dir(from).map_err(|e| MariaDbError::file("read", from, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| MariaDbError::file("read", from, e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry
            .file_type()
            .map_err(|e| MariaDbError::file("look at", &source, e))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target).map_err(|e| MariaDbError::file("copy to", &target, e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path()).unwrap();
        let held = layout.lock().unwrap();
        assert!(matches!(layout.lock(), Err(MariaDbError::InUse { .. })));
        drop(held);
        layout.lock().unwrap();
    }

    #[test]
    fn a_socket_path_that_is_too_long_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        let error = Layout::new(&long).unwrap_err().to_string();
        assert!(error.contains("choose a shorter data folder"), "{error}");
    }

    #[tokio::test]
    async fn a_foreign_process_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path()).unwrap();
        fs::write(&layout.pid_file, std::process::id().to_string()).unwrap();
        layout.end_stale().await.unwrap();
    }
}

//! What is remembered of a lab between commands.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::error::LabError;
use super::paths::Paths;
use super::process::Id;
use super::topology::{Kind, Topology};

const FILE: &str = "lab.json";

/// A lab's memory, `lab.json` in its folder. Written before and after each start of a process.
///
/// What runs is found by the label that processes carry; what is written here says what they are and how they came up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The lab's name.
    pub name: String,
    /// What runs, or ran last, with all ports.
    pub topology: Topology,
    /// The ports of all components that this lab ever had.
    pub ports: BTreeMap<Kind, BTreeMap<String, u16>>,
    /// How each component was started.
    pub(crate) started: BTreeMap<Kind, Record>,
}

/// How a component was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Its program.
    pub(crate) program: PathBuf,
    /// Its version, as far as it is known better than from the topology.
    pub(crate) version: String,
    /// Its process; `None` while it is being started.
    pub(crate) process: Option<Id>,
    /// Milliseconds from its start until it was ready; `None` before.
    pub(crate) ready_ms: Option<u64>,
}

impl State {
    /// Reads a lab's memory; `None` if there is no such lab.
    ///
    /// # Errors
    /// [`LabError::File`], [`LabError::State`].
    pub fn load(name: &str, paths: &Paths) -> Result<Option<State>, LabError> {
        let path = paths.lab.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(LabError::file("read", &path))?,
        };
        let state = serde_json::from_slice(&text).map_err(|source| LabError::State {
            name: name.to_owned(),
            path,
            source,
        })?;
        Ok(Some(state))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// [`LabError::File`].
    pub(crate) fn save(&self, paths: &Paths) -> Result<(), LabError> {
        let path = paths.lab.join(FILE);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| LabError::file("write", &path)(error.into()))?;
        write_whole(&path, &text).map_err(LabError::file("write", path))
    }
}

/// Writes a file so that a reader sees the old or the new content, never a part.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}", std::process::id()));
    std::fs::write(&part, content)?;
    std::fs::rename(&part, path)
}

/// A lock on a folder; given back when it is dropped, also by a killed process.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code, reason = "held, never read")] Flock<File>);

impl Lock {
    /// Takes the lock; `None` if another process has it.
    pub(crate) fn try_take(folder: &Path) -> std::io::Result<Option<Lock>> {
        match Lock::take(folder, FlockArg::LockExclusiveNonblock) {
            Err(error) if error.raw_os_error() == Some(Errno::EWOULDBLOCK as i32) => Ok(None),
            taken => taken.map(Some),
        }
    }

    /// Takes the lock as soon as nobody else has it.
    pub(crate) fn wait(folder: &Path) -> std::io::Result<Lock> {
        Lock::take(folder, FlockArg::LockExclusive)
    }

    fn take(folder: &Path, how: FlockArg) -> std::io::Result<Lock> {
        std::fs::create_dir_all(folder)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(".lock"))?;
        Flock::lock(file, how)
            .map(Lock)
            .map_err(|(_, errno)| errno.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let held = Lock::try_take(dir.path()).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_take(dir.path()).unwrap().is_none());
        drop(held);
        assert!(Lock::try_take(dir.path()).unwrap().is_some());
    }

    #[test]
    fn a_damaged_memory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths {
            lab: dir.path().to_owned(),
        };
        assert!(State::load("x", &paths).unwrap().is_none());
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        let error = State::load("x", &paths).unwrap_err();
        assert!(
            error.to_string().contains("lab-down --purge --name x"),
            "{error}"
        );
    }
}

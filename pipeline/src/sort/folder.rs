//! Where on disk the sorters of a process may put rows.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Error;

/// The folder below a server's `--data-dir` that TiCDC has its sorters' data in.
const BELOW_DATA: &str = "tmp/sorter";
/// Held locked while a process uses the folder.
const LOCK: &str = "LOCK";

/// A folder for the sorters of one process; clones are the same. What is in it is of no use to anyone else, or later.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    places: AtomicU64,
    /// The lock goes with it.
    _lock: File,
}

impl Folder {
    /// Takes `tmp/sorter` below a data folder for this process, makes it if need be, and empties it of what a process
    /// that was killed has left.
    ///
    /// # Errors
    /// [`Error::Folder`] if it cannot be written, [`Error::FolderInUse`] if another process has it.
    pub fn open(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join(BELOW_DATA);
        let failed = |source| folder_error(&path, source);
        fs::create_dir_all(&path).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::FolderInUse { path: path.clone() },
            TryLockError::Error(source) => failed(source),
        })?;
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() == LOCK {
                continue;
            }
            let removed = match entry.file_type().map_err(failed)?.is_dir() {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            removed.map_err(|source| folder_error(&entry.path(), source))?;
        }
        Ok(Self(Arc::new(Inner {
            path,
            places: AtomicU64::new(1),
            _lock: lock,
        })))
    }

    /// A place for one sorter; `name` is for who looks into the folder. Nothing is made there before it is needed.
    #[must_use]
    pub fn place(&self, name: &str) -> Place {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = name
            .chars()
            .take(100)
            .map(|c| if plain(c) { c } else { '_' })
            .collect();
        let number = self.0.places.fetch_add(1, Ordering::Relaxed);
        Place {
            path: self.0.path.join(format!("{name}-{number}")),
            _folder: self.clone(),
        }
    }
}

/// The folder of one sorter. It is removed when this is dropped.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// Nobody else empties the folder meanwhile.
    _folder: Folder,
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what is there.
    pub(super) fn empty(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(folder_error(&self.path, source)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.empty() {
            tracing::warn!(%error, "rows that were sorted are left on disk until the next start");
        }
    }
}

fn folder_error(path: &Path, source: io::Error) -> Error {
    Error::Folder {
        path: path.to_owned(),
        source: Arc::new(source),
    }
}

//! MariaDB's programs and libraries in a folder of unpacked Debian packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::MariaDbError;

/// Where the parts are.
#[derive(Debug, Clone)]
pub struct Packages {
    /// `mariadbd`.
    pub server: PathBuf,
    /// `mariadb-install-db`.
    pub install: PathBuf,
    /// The `usr` folder: MariaDB's base directory.
    pub base: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Packages {
    /// Finds the parts under the folder into which the packages were unpacked.
    pub fn locate(dir: &Path) -> Result<Self, MariaDbError> {
        let base = dir.join("usr");
        let find = |what: &'static str, places: &[&str]| {
            places
                .iter()
                .map(|place| base.join(place))
                .find(|path| path.is_file())
                .ok_or(MariaDbError::Missing {
                    what,
                    dir: dir.to_owned(),
                })
        };
        let server = find("mariadbd", &["sbin/mariadbd", "bin/mariadbd"])?;
        let install = find(
            "mariadb-install-db",
            &["bin/mariadb-install-db", "scripts/mariadb-install-db"],
        )?;
        find(
            "mysql_system_tables.sql",
            &["share/mysql/mysql_system_tables.sql"],
        )?;
        Ok(Self {
            server,
            install,
            libraries: library_folders(dir),
            base,
        })
    }

    /// `LD_LIBRARY_PATH` for its programs: the packages' own libraries, then the caller's.
    pub fn library_path(&self) -> OsString {
        let mut path = OsString::new();
        let inherited = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        for part in self
            .libraries
            .iter()
            .map(|p| p.as_os_str())
            .chain((!inherited.is_empty()).then_some(&*inherited))
        {
            if !path.is_empty() {
                path.push(":");
            }
            path.push(part);
        }
        path
    }
}

/// `lib` and `usr/lib`, and the folders of an architecture (`x86_64-linux-gnu`) within.
fn library_folders(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for lib in ["usr/lib", "lib"].map(|l| dir.join(l)) {
        let inner = std::fs::read_dir(&lib).into_iter().flatten().flatten();
        let mut inner: Vec<PathBuf> = inner
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && path.to_string_lossy().contains("-linux-"))
            .collect();
        inner.sort();
        out.extend(inner);
        if lib.is_dir() {
            out.push(lib);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_mariadb_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Packages::locate(dir.path()).unwrap_err().to_string();
        assert!(error.contains("find mariadbd of MariaDB under"), "{error}");
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }
}

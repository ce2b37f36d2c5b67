//! Where the real etcd and MariaDB are: named by the environment, or in the lab's cache.

use std::path::{Path, PathBuf};

const DEPTH: usize = 6;

fn cache() -> PathBuf {
    if let Some(dir) = std::env::var_os("CDCLAB_CACHE") {
        return dir.into();
    }
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    base.unwrap_or_default().join("cdclab")
}

/// The folder under `root` that holds `file`.
fn holder(root: &Path, file: &str, depth: usize) -> Option<PathBuf> {
    if root.join(file).is_file() {
        return Some(root.to_owned());
    }
    if depth == 0 {
        return None;
    }
    let mut inner: Vec<PathBuf> = std::fs::read_dir(root)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .map(|entry| entry.path())
        .collect();
    inner.sort();
    inner.iter().find_map(|dir| holder(dir, file, depth - 1))
}

fn find(variable: &str, files: &[&str], what: &str) -> PathBuf {
    if let Some(dir) = std::env::var_os(variable) {
        return dir.into();
    }
    let cache = cache();
    files
        .iter()
        .find_map(|file| holder(&cache, file, DEPTH).map(|dir| dir.join(file)))
        .unwrap_or_else(|| {
            panic!(
                "{what} is missing: neither {variable} is set nor is it under {}; run `cargo xtask lab-up` once, which \
                 fetches it",
                cache.display()
            )
        })
}

/// The etcd program.
pub fn etcd() -> PathBuf {
    find("CDCLAB_ETCD", &["usr/bin/etcd", "etcd"], "etcd")
}

/// The folder of MariaDB's unpacked packages.
pub fn mariadb() -> PathBuf {
    let found = find("CDCLAB_MARIADB_DIR", &["usr/sbin/mariadbd"], "MariaDB");
    match found.ends_with("usr/sbin/mariadbd") {
        true => found.ancestors().nth(3).unwrap().to_owned(),
        false => found,
    }
}

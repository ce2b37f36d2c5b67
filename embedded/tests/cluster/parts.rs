//! The real etcd and MariaDB, and clients of TiDB's, from the lab's cache.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use embedded::tidb::mariadb::Packages;

/// Folders in the cache, by part.
static FETCHED: LazyLock<Mutex<HashMap<&str, PathBuf>>> = LazyLock::new(Mutex::default);

/// The folder of a part in the lab's cache, fetched if it is not there.
fn fetched(part: &'static str) -> PathBuf {
    let mut fetched = FETCHED.lock().unwrap();
    let folder = fetched.entry(part).or_insert_with(|| {
        let output = Command::new(env!("CARGO"))
            .args(["xtask", "fetch", part])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo xtask fetch {part}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().into()
    });
    folder.clone()
}

/// The etcd program.
pub fn etcd() -> PathBuf {
    fetched("etcd").join("usr/bin/etcd")
}

/// etcd's command line.
pub fn etcdctl() -> PathBuf {
    fetched("etcd").join("usr/bin/etcdctl")
}

/// The folder of MariaDB's unpacked packages.
pub fn mariadb() -> PathBuf {
    fetched("mariadb")
}

/// MariaDB's command line, as `mysql` was once called.
pub fn mysql() -> Command {
    let packages = Packages::locate(&mariadb()).unwrap();
    let mut command = Command::new(packages.base.join("bin/mariadb"));
    command
        .env("LD_LIBRARY_PATH", packages.library_path())
        .arg("--no-defaults");
    command
}

/// The jar of MySQL's driver for Java.
pub fn connector_j() -> PathBuf {
    fetched("mysql-connector-j-8.4.0").join("mysql-connector-j-8.4.0.jar")
}

/// The folder in which Python finds PyMySQL.
pub fn pymysql() -> PathBuf {
    fetched("pymysql").join("usr/lib/python3/dist-packages")
}

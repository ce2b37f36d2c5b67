//! MariaDB's command line.

use std::ffi::OsString;
use std::path::Path;

use super::Packages;
use super::datadir::Layout;
use super::sql_mode;
use crate::tidb::catalog::DEFAULT_SQL_MODE;

/// `max_allowed_packet`, TiDB's default, in bytes.
pub const MAX_ALLOWED_PACKET: usize = 64 << 20;
/// The server id in binlog events and GTIDs.
pub const SERVER_ID: u32 = 1;

/// What the reader of the binlog relies on: every change of every row, whole, with its columns' names, on disk before a
/// client hears of it.
const BINLOG: [&str; 9] = [
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--binlog-annotate-row-events=OFF",
    "--log-bin-compress=OFF",
    "--sync-binlog=1",
    "--innodb-flush-log-at-trx-commit=1",
    "--session-track-system-variables=last_gtid",
];

/// TiDB's defaults, where MariaDB's differ.
const LIKE_TIDB: [&str; 12] = [
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
    "--lower-case-table-names=1",
    "--default-storage-engine=InnoDB",
    "--explicit-defaults-for-timestamp=ON",
    "--transaction-isolation=REPEATABLE-READ",
    "--innodb-lock-wait-timeout=50",
    "--group-concat-max-len=1024",
    "--div-precision-increment=4",
    // TiDB has no limit on the row's size in a page.
    "--innodb-strict-mode=OFF",
    "--event-scheduler=OFF",
    "--local-infile=ON",
];

/// For a small private server.
const SMALL: [&str; 12] = [
    "--skip-networking",
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    // Not every machine lets a process have io_uring.
    "--innodb-use-native-aio=OFF",
    "--innodb-stats-persistent=OFF",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=8M",
    "--max-connections=2000",
];

/// The arguments of `mariadbd`.
pub fn server(packages: &Packages, layout: &Layout, version: &str) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--no-defaults".into()];
    args.extend(common(packages));
    args.push(with_path("--datadir=", &layout.data));
    args.push(with_path("--socket=", &layout.socket));
    args.push(with_path("--pid-file=", &layout.pid_file));
    args.push(with_path("--tmpdir=", &layout.tmp));
    args.push(with_path("--secure-file-priv=", &layout.tmp));
    args.extend(
        BINLOG
            .iter()
            .chain(&LIKE_TIDB)
            .chain(&SMALL)
            .map(Into::into),
    );
    args.push(format!("--server-id={SERVER_ID}").into());
    args.push(format!("--max-allowed-packet={MAX_ALLOWED_PACKET}").into());
    args.push(format!("--sql-mode={}", sql_mode::at_mariadb(DEFAULT_SQL_MODE)).into());
    args.push(format!("--version={version}").into());
    args
}

/// The arguments of `mariadb-install-db` for a data folder.
pub fn install(packages: &Packages, data: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--no-defaults".into()];
    args.extend(common(packages));
    args.push(with_path("--datadir=", data));
    args.extend(
        [
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--innodb-log-file-size=32M",
            "--innodb-use-native-aio=OFF",
            "--lower-case-table-names=1",
        ]
        .map(Into::into),
    );
    args
}

fn common(packages: &Packages) -> Vec<OsString> {
    let mut args = vec![
        with_path("--basedir=", &packages.base),
        with_path("--lc-messages-dir=", &packages.base.join("share/mysql")),
        with_path(
            "--character-sets-dir=",
            &packages.base.join("share/mysql/charsets"),
        ),
    ];
    if nix::unistd::Uid::effective().is_root() {
        // MariaDB runs as root only when it is told to.
        args.push("--user=root".into());
    }
    args
}

fn with_path(option: &str, path: &Path) -> OsString {
    let mut out = OsString::from(option);
    out.push(path);
    out
}

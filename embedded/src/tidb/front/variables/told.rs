//! Variables that MariaDB has, of which TiDB tells something else.

use crate::tidb::catalog::TidbVersion;

/// What all releases tell.
const ALWAYS: [(&str, &str); 8] = [
    (
        "character_sets_dir",
        "/usr/local/mysql-5.6.25-osx10.8-x86_64/share/charsets/",
    ),
    ("character_set_system", "utf8"),
    ("gtid_mode", "OFF"),
    ("license", "Apache License 2.0"),
    ("lower_case_table_names", "2"),
    ("storage_engine", "InnoDB"),
    ("version_compile_machine", "x86_64"),
    ("version_compile_os", "linux"),
];

const OF_4_0: [(&str, &str); 5] = [
    ("binlog_format", "STATEMENT"),
    ("log_bin", "OFF"),
    ("query_cache_size", "1048576"),
    ("server_id", "0"),
    (
        "version_comment",
        "TiDB Server (Apache License 2.0) Community Edition, MySQL 5.7 compatible",
    ),
];

const OF_8_5: [(&str, &str); 1] = [(
    "version_comment",
    "TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible",
)];

/// Variables, by the beginnings of their names, that TiDB does not know.
const MARIADBS_ALONE: [&str; 14] = [
    "aria_",
    "column_compression_",
    "encrypt_",
    "feedback_",
    "gtid_binlog_",
    "gtid_current_pos",
    "gtid_domain_id",
    "gtid_slave_pos",
    "gtid_strict_mode",
    "last_gtid",
    "skip_replication",
    "system_versioning_",
    "userstat",
    "wsrep_",
];

/// Variables with values of TiDB's in a release. `port` is where it serves.
pub(in super::super) fn told(release: TidbVersion, port: u16) -> Vec<(&'static str, String)> {
    let own: &[(&str, &str)] = match release {
        TidbVersion::V4_0 => &OF_4_0,
        TidbVersion::V8_5 => &OF_8_5,
    };
    let mut out: Vec<_> = ALWAYS
        .iter()
        .chain(own)
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    out.push(("port", port.to_string()));
    out
}

/// The beginnings of the names of variables that MariaDB knows and this release of TiDB does not.
pub(in super::super) fn mariadbs_alone(release: TidbVersion) -> impl Iterator<Item = &'static str> {
    let removed = (release >= TidbVersion::V8_5).then_some("log_bin");
    MARIADBS_ALONE.into_iter().chain(removed)
}

/// Whether MariaDB knows a variable and this release of TiDB does not.
pub(in super::super) fn is_mariadbs_alone(release: TidbVersion, name: &str) -> bool {
    mariadbs_alone(release).any(|start| name.starts_with(start))
}

//! The file of `cdc server --config` (since v5, `spec/cli-and-api.md §3`). A flag that is given goes before it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{file, golang};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::kafka::unsupported,
};

/// What the file says of this server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerFile {
    /// Where to listen, `host:port`.
    pub addr: Option<String>,
    /// How others reach it, `host:port`.
    pub advertise_addr: Option<String>,
    /// Where the log goes.
    pub log_file: Option<String>,
    /// How much of it.
    pub log_level: Option<String>,
    /// Where to keep what does not fit into memory.
    pub data_dir: Option<String>,
    /// How long changefeeds may hold garbage collection up, in seconds.
    pub gc_ttl: Option<u64>,
    /// In which TIMESTAMP values are written.
    pub tz: Option<String>,
    /// How long the session outlives the server, in seconds.
    pub capture_session_ttl: Option<i64>,
    /// The cluster of captures.
    pub cluster_id: Option<String>,
    security: Option<Credentials>,
    owner_flush_interval: Option<String>,
    processor_flush_interval: Option<String>,
    log: Option<Log>,
    sorter: Option<Sorter>,
    kv_client: Option<KvClient>,
    per_table_memory_quota: Option<u64>,
    max_memory_percentage: Option<i64>,
    gc_tuner_memory_threshold: Option<u64>,
    /// The original checks nothing below it.
    debug: Option<toml::Table>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Credentials {
    ca_path: String,
    cert_path: String,
    key_path: String,
    cert_allowed_cn: Option<Vec<String>>,
    mtls: bool,
    client_user_required: bool,
    client_allowed_user: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Log {
    file: Option<LogFile>,
    error_output: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct LogFile {
    max_size: Option<i64>,
    max_days: Option<i64>,
    max_backups: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sorter {
    sort_dir: Option<String>,
    cache_size_in_mb: Option<u64>,
    max_memory_percentage: Option<i64>,
    max_memory_consumption: Option<u64>,
    num_workerpool_goroutine: Option<i64>,
    num_concurrent_worker: Option<i64>,
    chunk_size_limit: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct KvClient {
    enable_multiplexing: Option<bool>,
    worker_concurrent: Option<u64>,
    grpc_stream_concurrent: Option<u64>,
    advance_interval_in_ms: Option<u64>,
    frontier_concurrent: Option<u64>,
    worker_pool_size: Option<i64>,
    region_scan_limit: Option<i64>,
    region_retry_duration: Option<String>,
}

/// Why a server's file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ServerFileError {
    /// It cannot be read, has unknown keys or values of another type.
    #[error(transparent)]
    File(#[from] file::FileError),
    /// It asks for what cannot be.
    #[error(transparent)]
    Refused(#[from] Coded),
}

/// The shortest session that PD's etcd grants, in seconds.
const LEAST_SESSION_TTL: i64 = 5;

impl ServerFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ServerFileError`]: `ErrInvalidServerOption` for lengths of time that are none, `ErrUnsupportedByPipeline` for TLS.
    pub fn read(path: &Path, compat: Compat) -> Result<Self, ServerFileError> {
        let invalid = |reason: String| Coded::wrap(Code::ErrInvalidServerOption, reason);
        let mut read: Self = file::read_server(path, &Self::default(), compat)?;
        let retry = read.kv_client.as_ref();
        let retry = retry.and_then(|client| client.region_retry_duration.as_deref());
        for (key, given) in [
            ("owner-flush-interval", read.owner_flush_interval.as_deref()),
            (
                "processor-flush-interval",
                read.processor_flush_interval.as_deref(),
            ),
            ("kv-client.region-retry-duration", retry),
        ] {
            if let Some(text) = given {
                golang::parse_duration(text).map_err(|error| invalid(format!("{key}: {error}")))?;
            }
        }
        if read.security.as_ref().is_some_and(Credentials::ask_for_tls) {
            return Err(unsupported("TLS between the server, PD and TiKV (security)").into());
        }
        if read
            .capture_session_ttl
            .is_some_and(|ttl| ttl < LEAST_SESSION_TTL)
        {
            eprintln!(
                "[HINT] capture-session-ttl is below {LEAST_SESSION_TTL} s and has no effect"
            );
            read.capture_session_ttl = None;
        }
        for key in read.without_effect() {
            eprintln!(
                "[HINT] {key} in {} has no effect in this pipeline",
                path.display()
            );
        }
        Ok(read)
    }

    /// Keys that are given and steer what this pipeline does not consist of.
    fn without_effect(&self) -> Vec<&'static str> {
        [
            ("owner-flush-interval", self.owner_flush_interval.is_some()),
            (
                "processor-flush-interval",
                self.processor_flush_interval.is_some(),
            ),
            ("log", self.log.is_some()),
            ("sorter", self.sorter.is_some()),
            ("kv-client", self.kv_client.is_some()),
            (
                "per-table-memory-quota",
                self.per_table_memory_quota.is_some(),
            ),
            (
                "max-memory-percentage",
                self.max_memory_percentage.is_some(),
            ),
            (
                "gc-tuner-memory-threshold",
                self.gc_tuner_memory_threshold.is_some(),
            ),
            ("debug", self.debug.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect()
    }
}

impl Credentials {
    fn ask_for_tls(&self) -> bool {
        let paths = [&self.ca_path, &self.cert_path, &self.key_path];
        self.mtls || self.client_user_required || paths.iter().any(|path| !path.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerFile, ServerFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        ServerFile::read(&path, Compat::V8_5)
    }

    #[test]
    fn what_has_a_meaning_is_taken() {
        let file = read(
            "addr = '127.0.0.1:9'\ngc-ttl = 60\ntz = 'UTC'\ncapture-session-ttl = 15\nowner-flush-interval = '100ms'\n\
             [sorter]\nsort-dir = '/x'\n[log.file]\nmax-size = 3\n[debug.any]\nthing = 1\n[security]\nca-path = ''\n",
        )
        .unwrap();
        assert_eq!(file.addr.as_deref(), Some("127.0.0.1:9"));
        assert_eq!(
            (file.gc_ttl, file.capture_session_ttl),
            (Some(60), Some(15))
        );
        assert_eq!(
            file.without_effect(),
            ["owner-flush-interval", "log", "sorter", "debug"]
        );
        assert_eq!(
            read("capture-session-ttl = 3").unwrap(),
            ServerFile::default()
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, words) in [
            (
                "no-such = 1\n[sorter]\nneither = 2\n",
                "contained unknown configuration options: no-such, sorter.neither",
            ),
            ("gc-ttl = 'x'", "toml"),
            ("owner-flush-interval = 'soon'", "owner-flush-interval"),
            (
                "[security]\nca-path = 'ca.pem'\n",
                "CDC:ErrUnsupportedByPipeline",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}

//! Parts of a changefeed's configuration beside the sink.

use serde::{Deserialize, Serialize};

/// Which tables and events a changefeed takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FilterConfig {
    /// Rules of the table filter.
    pub rules: Vec<String>,
    /// Transactions to leave out, by their start-ts.
    pub ignore_txn_start_ts: Option<Vec<u64>>,
    /// Events to leave out.
    pub event_filters: Option<Vec<EventFilterRule>>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self {
            rules: vec!["*.*".to_owned()],
            ignore_txn_start_ts: None,
            event_filters: None,
        }
    }
}

/// Events of some tables to leave out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct EventFilterRule {
    /// Which tables.
    pub matcher: Vec<String>,
    /// Kinds of events.
    pub ignore_event: Vec<String>,
    /// Regular expressions over the text of DDL.
    pub ignore_sql: Vec<String>,
    /// Rows inserted for which this holds.
    pub ignore_insert_value_expr: String,
    /// Updates whose new row makes this hold.
    pub ignore_update_new_value_expr: String,
    /// Updates whose old row makes this hold.
    pub ignore_update_old_value_expr: String,
    /// Rows deleted for which this holds.
    pub ignore_delete_value_expr: String,
}

/// Decoding of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct MounterConfig {
    /// Workers that decode.
    pub worker_num: i64,
}

impl Default for MounterConfig {
    fn default() -> Self {
        Self { worker_num: 16 }
    }
}

/// Redo logs; read and kept, used by other sinks only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ConsistentConfig {
    /// `none` or `eventual`.
    pub level: String,
    /// Largest file, MiB.
    pub max_log_size: i64,
    /// Milliseconds between flushes of rows.
    pub flush_interval: i64,
    /// Milliseconds between flushes of positions.
    pub meta_flush_interval: i64,
    /// Workers that encode.
    pub encoding_worker_num: i64,
    /// Workers that write.
    pub flush_worker_num: i64,
    /// Where to.
    pub storage: String,
    /// Local files instead of memory.
    pub use_file_backend: bool,
    /// Compression of files.
    pub compression: String,
    /// The most that one flush may take, of storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flush_concurrency: Option<i64>,
    /// Memory for logs.
    pub memory_usage: MemoryUsage,
}

impl Default for ConsistentConfig {
    fn default() -> Self {
        Self {
            level: "none".to_owned(),
            max_log_size: 64,
            flush_interval: 2000,
            meta_flush_interval: 200,
            encoding_worker_num: 16,
            flush_worker_num: 8,
            storage: String::new(),
            use_file_backend: false,
            compression: String::new(),
            flush_concurrency: None,
            memory_usage: MemoryUsage::default(),
        }
    }
}

/// Memory for redo logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct MemoryUsage {
    /// Share of the changefeed's quota, percent.
    pub memory_quota_percentage: u64,
}

impl Default for MemoryUsage {
    fn default() -> Self {
        Self {
            memory_quota_percentage: 50,
        }
    }
}

/// Spreading of tables over captures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct SchedulerConfig {
    /// Whether one table may be spread over captures.
    pub enable_table_across_nodes: bool,
    /// Regions from which a table is spread.
    pub region_threshold: i64,
    /// Keys written per minute from which a table is spread.
    pub write_key_threshold: i64,
    /// Regions in one part.
    pub region_per_span: i64,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            enable_table_across_nodes: false,
            region_threshold: 100_000,
            write_key_threshold: 0,
            region_per_span: 0,
        }
    }
}

/// Checks of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct IntegrityConfig {
    /// `none` or `correctness`.
    pub integrity_check_level: String,
    /// `warn` or `error`.
    pub corruption_handle_level: String,
}

impl IntegrityConfig {
    /// Whether rows are to be held against their checksums.
    #[must_use]
    pub fn checks(&self) -> bool {
        self.integrity_check_level != "none"
    }

    /// Whether a row with a wrong checksum ends the changefeed; else it is told in the log.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.corruption_handle_level == "error"
    }
}

impl Default for IntegrityConfig {
    fn default() -> Self {
        Self {
            integrity_check_level: "none".to_owned(),
            corruption_handle_level: "warn".to_owned(),
        }
    }
}

/// When data counts as synced; seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct SyncedStatus {
    /// Time without a new row.
    pub synced_check_interval: i64,
    /// Time that the checkpoint may lag.
    pub checkpoint_interval: i64,
}

impl Default for SyncedStatus {
    fn default() -> Self {
        Self {
            synced_check_interval: 300,
            checkpoint_interval: 15,
        }
    }
}

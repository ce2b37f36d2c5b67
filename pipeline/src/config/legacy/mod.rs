//! The configuration of a changefeed in v4.0.9: the file's contents, as stored in etcd and as printed.

mod kafka;

use serde::{Deserialize, Serialize};

pub use self::kafka::LegacyKafkaOptions;

/// The configuration of a changefeed. The order of fields is that of etcd's JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacyConfig {
    /// Whether filter and dispatch rules tell cases apart.
    pub case_sensitive: bool,
    /// Whether the change feed carries old values: canal-json needs them.
    pub enable_old_value: bool,
    /// Whether tables without a key are taken.
    pub force_replicate: bool,
    /// Whether creating looks at the GC safepoint.
    pub check_gc_safe_point: bool,
    /// Which tables.
    pub filter: LegacyFilter,
    /// Decoding of rows.
    pub mounter: LegacyMounter,
    /// Messages.
    pub sink: LegacySink,
    /// Replication in circles, between two clusters.
    pub cyclic_replication: CyclicConfig,
    /// Spreading of tables.
    pub scheduler: LegacyScheduler,
}

impl Default for LegacyConfig {
    fn default() -> Self {
        Self {
            case_sensitive: true,
            enable_old_value: false,
            force_replicate: false,
            check_gc_safe_point: true,
            filter: LegacyFilter::default(),
            mounter: LegacyMounter::default(),
            sink: LegacySink::default(),
            cyclic_replication: CyclicConfig::default(),
            scheduler: LegacyScheduler::default(),
        }
    }
}

/// Which tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacyFilter {
    /// Rules of the table filter.
    pub rules: Vec<String>,
    /// Transactions to leave out, by their start-ts.
    pub ignore_txn_start_ts: Option<Vec<u64>>,
    /// Kinds of DDL to send in addition, by their numbers.
    pub ddl_allow_list: Option<Vec<u8>>,
}

impl Default for LegacyFilter {
    fn default() -> Self {
        Self {
            rules: vec!["*.*".to_owned()],
            ignore_txn_start_ts: None,
            ddl_allow_list: None,
        }
    }
}

/// Decoding of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacyMounter {
    /// Workers that decode.
    pub worker_num: i64,
}

impl Default for LegacyMounter {
    fn default() -> Self {
        Self { worker_num: 16 }
    }
}

/// Messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacySink {
    /// Which rows go to which partition.
    pub dispatchers: Option<Vec<LegacyDispatchRule>>,
    /// The message format; the URI wins.
    pub protocol: String,
}

impl Default for LegacySink {
    fn default() -> Self {
        Self {
            dispatchers: None,
            protocol: "default".to_owned(),
        }
    }
}

/// Partition of some tables' rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacyDispatchRule {
    /// Which tables.
    pub matcher: Vec<String>,
    /// What decides the partition.
    pub dispatcher: String,
}

/// Replication in circles; read, kept, and refused if on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct CyclicConfig {
    /// Whether it is on.
    pub enable: bool,
    /// This cluster.
    pub replica_id: u64,
    /// Clusters whose rows are left out.
    pub filter_replica_ids: Option<Vec<u64>>,
    /// Buckets of mark tables.
    pub id_buckets: i64,
    /// Whether DDL is sent.
    pub sync_ddl: bool,
}

/// Spreading of tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LegacyScheduler {
    /// By what.
    #[serde(rename = "type")]
    pub kind: String,
    /// Minutes between looks, -1 for never.
    pub polling_time: i64,
}

impl Default for LegacyScheduler {
    fn default() -> Self {
        Self {
            kind: "table-number".to_owned(),
            polling_time: -1,
        }
    }
}

//! The configuration of a changefeed since v5: the file's contents, as stored in etcd and as shown by the API.
//!
//! The same values have three outer forms (`spec/sink-uri.md §3`, recordings): TOML and etcd's JSON share their
//! kebab-case names and are [`ReplicaConfig`] itself; the API's snake_case form is [`api::ReplicaConfig`].

pub mod api;
mod parts;
mod sink;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use self::{
    parts::{
        ConsistentConfig, EventFilterRule, FilterConfig, IntegrityConfig, MemoryUsage,
        MounterConfig, SchedulerConfig, SyncedStatus,
    },
    sink::{
        CodecConfig, ColumnSelector, CsvConfig, DebeziumConfig, DispatchRule, KafkaConfig,
        LargeMessageHandle, OpenConfig, SinkConfig,
    },
};
use super::golang;
use crate::compat::Compat;

/// A length of time in nanoseconds: a number in JSON; a file may also say `"10m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub i64);

impl Nanos {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Nanos;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as \"10m\" or a number of nanoseconds")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Nanos, E> {
                Ok(Nanos(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Nanos, E> {
                i64::try_from(value).map(Nanos).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Nanos, E> {
                golang::parse_duration(value).map(Nanos).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The configuration of a changefeed. The order of fields is that of etcd's JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ReplicaConfig {
    /// Bytes of memory that the changefeed may hold.
    #[serde(deserialize_with = "wrapping_u64")]
    pub memory_quota: u64,
    /// Whether filter and dispatch rules tell cases apart.
    pub case_sensitive: bool,
    /// Up to v6.5; never there since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_old_value: Option<bool>,
    /// Whether tables without a key are taken.
    pub force_replicate: bool,
    /// Whether creating looks at the GC safepoint.
    pub check_gc_safe_point: bool,
    /// For other sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_sync_point: Option<bool>,
    /// Whether tables are monitored one by one; written as `null` where it is not said.
    pub enable_table_monitor: Option<bool>,
    /// Whether tables without a key are left out without a word.
    pub ignore_ineligible_table: bool,
    /// For other sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bdr_mode: Option<bool>,
    /// For other sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_point_interval: Option<Nanos>,
    /// For other sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_point_retention: Option<Nanos>,
    /// Which tables and events.
    pub filter: FilterConfig,
    /// Decoding of rows.
    pub mounter: MounterConfig,
    /// Messages and where they go.
    pub sink: SinkConfig,
    /// Redo logs, for other sinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<ConsistentConfig>,
    /// Spreading of tables.
    pub scheduler: SchedulerConfig,
    /// Checks of rows.
    pub integrity: IntegrityConfig,
    /// How long a changefeed may be without progress before it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changefeed_error_stuck_duration: Option<Nanos>,
    /// When data counts as synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced_status: Option<SyncedStatus>,
    /// How DDL is parsed.
    pub sql_mode: String,
}

/// The least and the default `changefeed-error-stuck-duration`.
pub const MIN_STUCK_DURATION: Nanos = Nanos::seconds(30 * 60);
/// The default memory quota.
pub const DEFAULT_MEMORY_QUOTA: u64 = 1 << 30;
/// The default interval of sync points.
pub const DEFAULT_SYNC_POINT_INTERVAL: Nanos = Nanos::seconds(10 * 60);
/// How long sync points stay.
pub const DEFAULT_SYNC_POINT_RETENTION: Nanos = Nanos::seconds(24 * 3600);

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            memory_quota: DEFAULT_MEMORY_QUOTA,
            case_sensitive: false,
            enable_old_value: None,
            force_replicate: false,
            check_gc_safe_point: true,
            enable_sync_point: Some(false),
            enable_table_monitor: Some(false),
            ignore_ineligible_table: false,
            bdr_mode: Some(false),
            sync_point_interval: Some(DEFAULT_SYNC_POINT_INTERVAL),
            sync_point_retention: Some(DEFAULT_SYNC_POINT_RETENTION),
            filter: FilterConfig::default(),
            mounter: MounterConfig::default(),
            sink: SinkConfig::default(),
            consistent: Some(ConsistentConfig::default()),
            scheduler: SchedulerConfig::default(),
            integrity: IntegrityConfig::default(),
            changefeed_error_stuck_duration: Some(MIN_STUCK_DURATION),
            synced_status: Some(SyncedStatus::default()),
            sql_mode: String::new(),
        }
    }
}

impl ReplicaConfig {
    /// What a changefeed has that says nothing.
    #[must_use]
    pub fn defaults(compat: Compat) -> Self {
        match compat {
            Compat::V8_5 => Self::default(),
            // until v6.5.6 cases were told apart, and old values could still be turned off
            Compat::V6_5 | Compat::V4_0_9 => Self {
                case_sensitive: true,
                enable_old_value: Some(true),
                ..Self::default()
            },
        }
    }

    /// Forgets what only other kinds of sinks use: TiCDC does so whenever it reads a changefeed of Kafka.
    pub fn forget_unused(&mut self) {
        self.enable_sync_point = None;
        self.bdr_mode = None;
        self.sync_point_interval = None;
        self.sync_point_retention = None;
        self.consistent = None;
        let sink = &mut self.sink;
        sink.csv = None;
        sink.date_separator = None;
        sink.enable_partition_separator = None;
        sink.file_index_digit = None;
        sink.safe_mode = None;
        sink.schema_registry = None;
    }

    /// Fills what an update adds to a configuration that had forgotten it.
    pub fn recall_unused(&mut self) {
        self.sync_point_interval
            .get_or_insert(DEFAULT_SYNC_POINT_INTERVAL);
        self.sync_point_retention
            .get_or_insert(DEFAULT_SYNC_POINT_RETENTION);
        self.consistent.get_or_insert_default();
    }

    /// How long the changefeed may be without progress, in nanoseconds.
    #[must_use]
    pub fn stuck_duration(&self) -> Nanos {
        self.changefeed_error_stuck_duration
            .unwrap_or(MIN_STUCK_DURATION)
    }
}

/// The original takes a negative number for a large unsigned one.
#[allow(clippy::cast_sign_loss)]
fn wrapping_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = u64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of bytes")
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
            Ok(value as u64)
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }
    }
    deserializer.deserialize_any(Visitor)
}

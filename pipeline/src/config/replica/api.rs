//! The configuration of a changefeed as the HTTP API shows and takes it: snake_case, in an order of its own.

use serde::{Deserialize, Serialize};

use super::{self as file, Nanos};

/// Declares the API's form of a part: the same fields under the same Rust names, and the ways between both.
macro_rules! mirror {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$attr:meta])* $field:ident: $ty:ty,)*
        $(; $($(#[$nested_attr:meta])* $nested:ident: $nested_ty:ty,)*)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[allow(missing_docs)]
        pub struct $name {
            $($(#[$attr])* pub $field: $ty,)*
            $($($(#[$nested_attr])* pub $nested: Option<$nested_ty>,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                file::$name::default().into()
            }
        }

        impl From<file::$name> for $name {
            fn from(value: file::$name) -> Self {
                Self {
                    $($field: value.$field,)*
                    $($($nested: value.$nested.map(Into::into),)*)?
                }
            }
        }

        impl From<$name> for file::$name {
            #[allow(clippy::needless_update)]
            fn from(value: $name) -> Self {
                Self {
                    $($field: value.$field,)*
                    $($($nested: value.$nested.map(Into::into),)*)?
                    ..Self::default()
                }
            }
        }
    };
}

mirror! {
    /// Events to leave out.
    EventFilterRule {
        matcher: Vec<String>,
        ignore_event: Vec<String>,
        ignore_sql: Vec<String>,
        ignore_insert_value_expr: String,
        ignore_update_new_value_expr: String,
        ignore_update_old_value_expr: String,
        ignore_delete_value_expr: String,
    }
}
mirror! {
    /// Decoding of rows.
    MounterConfig { worker_num: i64, }
}
mirror! {
    /// Memory for redo logs.
    MemoryUsage { memory_quota_percentage: u64, }
}
mirror! {
    /// Spreading of tables.
    SchedulerConfig {
        enable_table_across_nodes: bool,
        region_threshold: i64,
        write_key_threshold: i64,
    }
}
mirror! {
    /// Checks of rows.
    IntegrityConfig { integrity_check_level: String, corruption_handle_level: String, }
}
mirror! {
    /// When data counts as synced.
    SyncedStatus { synced_check_interval: i64, checkpoint_interval: i64, }
}
mirror! {
    /// Topic and partition of some tables' rows.
    DispatchRule {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        matcher: Vec<String>,
        #[serde(skip_serializing_if = "String::is_empty")]
        dispatcher: String,
        partition: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        index: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        columns: Option<Vec<String>>,
        topic: String,
    }
}
mirror! {
    /// Columns of some tables.
    ColumnSelector { matcher: Vec<String>, columns: Vec<String>, }
}
mirror! {
    /// csv.
    CsvConfig {
        delimiter: String,
        quote: String,
        null: String,
        include_commit_ts: bool,
        binary_encoding_method: String,
        output_old_value: bool,
        output_handle_key: bool,
    }
}
mirror! {
    /// The open protocol.
    OpenConfig { output_old_value: bool, }
}
mirror! {
    /// debezium.
    DebeziumConfig { output_old_value: bool, }
}
mirror! {
    /// Messages that are too large.
    LargeMessageHandle {
        large_message_handle_option: String,
        large_message_handle_compression: String,
        claim_check_storage_uri: String,
        claim_check_raw_value: bool,
    }
}

/// As `mirror!`, for parts all of whose fields may be missing.
macro_rules! optional_mirror {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $ty:ty,)* $(; $($nested:ident: $nested_ty:ty,)*)? }) => {
        mirror! {
            $(#[$doc])*
            $name {
                $(#[serde(skip_serializing_if = "Option::is_none")] $field: Option<$ty>,)*
                $(; $(#[serde(skip_serializing_if = "Option::is_none")] $nested: $nested_ty,)*)?
            }
        }
    };
}

optional_mirror! {
    /// Parameters of the encoder.
    CodecConfig {
        enable_tidb_extension: bool,
        max_batch_size: i64,
        avro_enable_watermark: bool,
        avro_decimal_handling_mode: String,
        avro_bigint_unsigned_handling_mode: String,
        encoding_format: String,
    }
}
optional_mirror! {
    /// Parameters of Kafka.
    KafkaConfig {
        partition_num: i32,
        replication_factor: i16,
        kafka_version: String,
        max_message_bytes: i64,
        compression: String,
        kafka_client_id: String,
        auto_create_topic: bool,
        dial_timeout: String,
        write_timeout: String,
        read_timeout: String,
        required_acks: i64,
        sasl_user: String,
        sasl_password: String,
        sasl_mechanism: String,
        sasl_gssapi_auth_type: String,
        sasl_gssapi_keytab_path: String,
        sasl_gssapi_kerberos_config_path: String,
        sasl_gssapi_service_name: String,
        sasl_gssapi_user: String,
        sasl_gssapi_password: String,
        sasl_gssapi_realm: String,
        sasl_gssapi_disable_pafxfast: bool,
        sasl_oauth_client_id: String,
        sasl_oauth_client_secret: String,
        sasl_oauth_token_url: String,
        sasl_oauth_scopes: Vec<String>,
        sasl_oauth_grant_type: String,
        sasl_oauth_audience: String,
        enable_tls: bool,
        ca: String,
        cert: String,
        key: String,
        insecure_skip_verify: bool,
        output_raw_change_event: bool,
        ;
        codec_config: CodecConfig,
        large_message_handle: LargeMessageHandle,
    }
}

/// Which tables and events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct FilterConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_txn_start_ts: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_filters: Option<Vec<EventFilterRule>>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        file::FilterConfig::default().into()
    }
}

impl From<file::FilterConfig> for FilterConfig {
    fn from(value: file::FilterConfig) -> Self {
        Self {
            rules: value.rules,
            ignore_txn_start_ts: value.ignore_txn_start_ts.filter(|list| !list.is_empty()),
            event_filters: value.event_filters.map(convert_all),
        }
    }
}

impl From<FilterConfig> for file::FilterConfig {
    fn from(value: FilterConfig) -> Self {
        Self {
            rules: value.rules,
            ignore_txn_start_ts: value.ignore_txn_start_ts,
            event_filters: value.event_filters.map(convert_all),
        }
    }
}

/// Redo logs; empty texts are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ConsistentConfig {
    pub level: String,
    pub max_log_size: i64,
    pub flush_interval: i64,
    pub meta_flush_interval: i64,
    pub encoding_worker_num: i64,
    pub flush_worker_num: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub storage: String,
    pub use_file_backend: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub compression: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flush_concurrency: Option<i64>,
    pub memory_usage: MemoryUsage,
}

impl Default for ConsistentConfig {
    fn default() -> Self {
        file::ConsistentConfig::default().into()
    }
}

macro_rules! consistent {
    ($from:ty => $to:ty) => {
        impl From<$from> for $to {
            fn from(value: $from) -> Self {
                Self {
                    level: value.level,
                    max_log_size: value.max_log_size,
                    flush_interval: value.flush_interval,
                    meta_flush_interval: value.meta_flush_interval,
                    encoding_worker_num: value.encoding_worker_num,
                    flush_worker_num: value.flush_worker_num,
                    storage: value.storage,
                    use_file_backend: value.use_file_backend,
                    compression: value.compression,
                    flush_concurrency: value.flush_concurrency,
                    memory_usage: value.memory_usage.into(),
                }
            }
        }
    };
}
consistent!(file::ConsistentConfig => ConsistentConfig);
consistent!(ConsistentConfig => file::ConsistentConfig);

macro_rules! sink {
    ($($(#[$attr:meta])* $field:ident = $other:ident: $ty:ty $(as $how:ident)?,)*) => {
        /// Messages and where they go.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[allow(missing_docs)]
        pub struct SinkConfig {
            $($(#[$attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$ty>,)*
        }

        impl From<file::SinkConfig> for SinkConfig {
            fn from(value: file::SinkConfig) -> Self {
                Self { $($field: value.$other$(.map($how))?,)* }
            }
        }

        impl From<SinkConfig> for file::SinkConfig {
            fn from(value: SinkConfig) -> Self {
                Self { $($other: value.$field$(.map($how))?,)* }
            }
        }
    };
}

sink! {
    protocol = protocol: String,
    schema_registry = schema_registry: String,
    csv = csv: CsvConfig as convert,
    dispatchers = dispatchers: Vec<DispatchRule> as convert_all,
    column_selectors = column_selectors: Vec<ColumnSelector> as convert_all,
    transaction_atomicity = transaction_atomicity: String,
    encoder_concurrency = encoder_concurrency: i64,
    terminator = terminator: String,
    date_separator = date_separator: String,
    enable_partition_separator = enable_partition_separator: bool,
    file_index_width = file_index_digit: i64,
    enable_kafka_sink_v2 = enable_kafka_sink_v2: bool,
    only_output_updated_columns = only_output_updated_columns: bool,
    delete_only_output_handle_key_columns = delete_only_output_handle_key_columns: bool,
    content_compatible = content_compatible: bool,
    safe_mode = safe_mode: bool,
    kafka_config = kafka_config: KafkaConfig as convert,
    advance_timeout = advance_timeout_in_sec: u64,
    send_bootstrap_interval_in_sec = send_bootstrap_interval_in_sec: i64,
    send_bootstrap_in_msg_count = send_bootstrap_in_msg_count: i64,
    send_bootstrap_to_all_partition = send_bootstrap_to_all_partition: bool,
    #[serde(rename = "send-all-bootstrap-at-start")]
    send_all_bootstrap_at_start = send_all_bootstrap_at_start: bool,
    debezium_disable_schema = debezium_disable_schema: bool,
    debezium = debezium: DebeziumConfig as convert,
    open = open: OpenConfig as convert,
}

impl Default for SinkConfig {
    fn default() -> Self {
        file::SinkConfig::default().into()
    }
}

fn convert<A, B: From<A>>(value: A) -> B {
    value.into()
}

fn convert_all<A, B: From<A>>(values: Vec<A>) -> Vec<B> {
    values.into_iter().map(Into::into).collect()
}

/// The whole, as shown and taken. A field that is missing in a request stands for what the request is about: the
/// default when creating, nothing when updating.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ReplicaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_quota: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_old_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_replicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_ineligible_table: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_gc_safe_point: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_sync_point: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_table_monitor: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bdr_mode: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_point_interval: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_point_retention: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mounter: Option<MounterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<SinkConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<ConsistentConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<SchedulerConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<IntegrityConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changefeed_error_stuck_duration: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced_status: Option<SyncedStatus>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sql_mode: String,
}

impl From<file::ReplicaConfig> for ReplicaConfig {
    fn from(value: file::ReplicaConfig) -> Self {
        Self {
            memory_quota: Some(value.memory_quota),
            case_sensitive: Some(value.case_sensitive),
            enable_old_value: value.enable_old_value,
            force_replicate: Some(value.force_replicate),
            ignore_ineligible_table: Some(value.ignore_ineligible_table),
            check_gc_safe_point: Some(value.check_gc_safe_point),
            enable_sync_point: value.enable_sync_point,
            enable_table_monitor: value.enable_table_monitor,
            bdr_mode: value.bdr_mode,
            sync_point_interval: value.sync_point_interval,
            sync_point_retention: value.sync_point_retention,
            filter: Some(value.filter.into()),
            mounter: Some(value.mounter.into()),
            sink: Some(value.sink.into()),
            consistent: value.consistent.map(Into::into),
            scheduler: Some(value.scheduler.into()),
            integrity: Some(value.integrity.into()),
            changefeed_error_stuck_duration: value.changefeed_error_stuck_duration,
            synced_status: value.synced_status.map(Into::into),
            sql_mode: value.sql_mode,
        }
    }
}

impl ReplicaConfig {
    /// What a request to create says, over the defaults.
    #[must_use]
    pub fn over(self, base: file::ReplicaConfig) -> file::ReplicaConfig {
        file::ReplicaConfig {
            memory_quota: self.memory_quota.unwrap_or(base.memory_quota),
            case_sensitive: self.case_sensitive.unwrap_or(base.case_sensitive),
            enable_old_value: self.enable_old_value.or(base.enable_old_value),
            force_replicate: self.force_replicate.unwrap_or(base.force_replicate),
            check_gc_safe_point: self.check_gc_safe_point.unwrap_or(base.check_gc_safe_point),
            enable_sync_point: self.enable_sync_point.or(base.enable_sync_point),
            enable_table_monitor: self.enable_table_monitor.or(base.enable_table_monitor),
            ignore_ineligible_table: self
                .ignore_ineligible_table
                .unwrap_or(base.ignore_ineligible_table),
            bdr_mode: self.bdr_mode.or(base.bdr_mode),
            sync_point_interval: self.sync_point_interval.or(base.sync_point_interval),
            sync_point_retention: self.sync_point_retention.or(base.sync_point_retention),
            filter: self.filter.map_or(base.filter, Into::into),
            mounter: self.mounter.map_or(base.mounter, Into::into),
            sink: self.sink.map_or(base.sink, Into::into),
            consistent: self.consistent.map(Into::into).or(base.consistent),
            scheduler: self.scheduler.map_or(base.scheduler, Into::into),
            integrity: self.integrity.map_or(base.integrity, Into::into),
            changefeed_error_stuck_duration: self
                .changefeed_error_stuck_duration
                .or(base.changefeed_error_stuck_duration),
            synced_status: self.synced_status.map(Into::into).or(base.synced_status),
            sql_mode: if self.sql_mode.is_empty() {
                base.sql_mode
            } else {
                self.sql_mode
            },
        }
    }

    /// What a request to update says: it replaces the configuration, and a flag that it does not name is off.
    #[must_use]
    pub fn replacing(self) -> file::ReplicaConfig {
        let off = file::ReplicaConfig {
            check_gc_safe_point: false,
            enable_sync_point: None,
            enable_table_monitor: None,
            bdr_mode: None,
            ..file::ReplicaConfig::default()
        };
        self.over(off)
    }
}

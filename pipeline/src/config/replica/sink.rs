//! The `[sink]` part of a changefeed's configuration. Fields are in the order of etcd's JSON.

use serde::{Deserialize, Serialize};

/// Messages and where they go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct SinkConfig {
    /// How much of a transaction stays together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_atomicity: Option<String>,
    /// The message format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Which rows go to which topic and partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatchers: Option<Vec<DispatchRule>>,
    /// Which columns are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_selectors: Option<Vec<ColumnSelector>>,
    /// For avro.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_registry: Option<String>,
    /// Workers that encode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_concurrency: Option<i64>,
    /// End of a line, for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminator: Option<String>,
    /// Names of folders, for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_separator: Option<String>,
    /// Names of folders, for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_partition_separator: Option<bool>,
    /// Names of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_index_digit: Option<i64>,
    /// Another client inside TiCDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_kafka_sink_v2: Option<bool>,
    /// `old` holds changed columns only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_output_updated_columns: Option<bool>,
    /// A DELETE holds the key's columns only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_only_output_handle_key_columns: Option<bool>,
    /// Types as Canal itself writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_compatible: Option<bool>,
    /// For MySQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_mode: Option<bool>,
    /// Parameters of Kafka; those in the URI win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_config: Option<KafkaConfig>,
    /// Seconds without progress before the sink is made anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advance_timeout_in_sec: Option<u64>,
    /// For the simple protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_bootstrap_interval_in_sec: Option<i64>,
    /// For the simple protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_bootstrap_in_msg_count: Option<i64>,
    /// For the simple protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_bootstrap_to_all_partition: Option<bool>,
    /// For the simple protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_all_bootstrap_at_start: Option<bool>,
    /// For debezium.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debezium_disable_schema: Option<bool>,
    /// For csv.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvConfig>,
    /// For the open protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenConfig>,
    /// For debezium.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debezium: Option<DebeziumConfig>,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            transaction_atomicity: None,
            protocol: None,
            dispatchers: None,
            column_selectors: None,
            schema_registry: None,
            encoder_concurrency: Some(32),
            terminator: Some("\r\n".to_owned()),
            date_separator: Some("day".to_owned()),
            enable_partition_separator: Some(true),
            file_index_digit: None,
            enable_kafka_sink_v2: Some(false),
            only_output_updated_columns: Some(false),
            delete_only_output_handle_key_columns: Some(false),
            content_compatible: Some(false),
            safe_mode: None,
            kafka_config: None,
            advance_timeout_in_sec: Some(150),
            send_bootstrap_interval_in_sec: Some(120),
            send_bootstrap_in_msg_count: Some(10_000),
            send_bootstrap_to_all_partition: Some(true),
            send_all_bootstrap_at_start: Some(false),
            debezium_disable_schema: Some(false),
            csv: Some(CsvConfig::default()),
            open: Some(OpenConfig::default()),
            debezium: Some(DebeziumConfig::default()),
        }
    }
}

/// Topic and partition of some tables' rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct DispatchRule {
    /// Which tables.
    pub matcher: Vec<String>,
    /// The old name of `partition`.
    pub dispatcher: String,
    /// What decides the partition.
    pub partition: String,
    /// The index of an index-value rule.
    pub index: String,
    /// The columns of a columns rule.
    pub columns: Option<Vec<String>>,
    /// A topic expression.
    pub topic: String,
}

/// Columns of some tables.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ColumnSelector {
    /// Which tables.
    pub matcher: Vec<String>,
    /// Which of their columns.
    pub columns: Vec<String>,
}

/// csv; read and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct CsvConfig {
    /// Between fields.
    pub delimiter: String,
    /// Around fields.
    pub quote: String,
    /// For NULL.
    pub null: String,
    /// Whether rows carry their commit-ts.
    pub include_commit_ts: bool,
    /// `base64` or `hex`.
    pub binary_encoding_method: String,
    /// Whether updates carry the old row.
    pub output_old_value: bool,
    /// Whether rows carry their handle.
    pub output_handle_key: bool,
}

impl Default for CsvConfig {
    fn default() -> Self {
        Self {
            delimiter: ",".to_owned(),
            quote: "\"".to_owned(),
            null: "\\N".to_owned(),
            include_commit_ts: false,
            binary_encoding_method: "base64".to_owned(),
            output_old_value: false,
            output_handle_key: false,
        }
    }
}

/// The open protocol; read and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct OpenConfig {
    /// Whether updates carry the old row.
    pub output_old_value: bool,
}

impl Default for OpenConfig {
    fn default() -> Self {
        Self {
            output_old_value: true,
        }
    }
}

/// debezium; read and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct DebeziumConfig {
    /// Whether updates carry the old row.
    pub output_old_value: bool,
}

impl Default for DebeziumConfig {
    fn default() -> Self {
        Self {
            output_old_value: true,
        }
    }
}

macro_rules! optional {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$ty>,)*
        }
    };
}

optional! {
    /// Parameters of Kafka in the file (`[sink.kafka-config]`); the same names in the URI win.
    KafkaConfig {
        /// Partitions to use or create.
        partition_num: i32,
        /// Replicas to create.
        replication_factor: i16,
        /// The version of the brokers.
        kafka_version: String,
        /// The largest message.
        max_message_bytes: i64,
        /// Compression of batches.
        compression: String,
        /// How the producer calls itself.
        kafka_client_id: String,
        /// Whether missing topics are created.
        auto_create_topic: bool,
        /// Time to connect.
        dial_timeout: String,
        /// Time to write.
        write_timeout: String,
        /// Time to read.
        read_timeout: String,
        /// Acknowledgements.
        required_acks: i64,
        /// SASL.
        sasl_user: String,
        /// SASL.
        sasl_password: String,
        /// SASL.
        sasl_mechanism: String,
        /// SASL.
        sasl_gssapi_auth_type: String,
        /// SASL.
        sasl_gssapi_keytab_path: String,
        /// SASL.
        sasl_gssapi_kerberos_config_path: String,
        /// SASL.
        sasl_gssapi_service_name: String,
        /// SASL.
        sasl_gssapi_user: String,
        /// SASL.
        sasl_gssapi_password: String,
        /// SASL.
        sasl_gssapi_realm: String,
        /// SASL.
        sasl_gssapi_disable_pafxfast: bool,
        /// SASL.
        sasl_oauth_client_id: String,
        /// SASL.
        sasl_oauth_client_secret: String,
        /// SASL.
        sasl_oauth_token_url: String,
        /// SASL.
        sasl_oauth_scopes: Vec<String>,
        /// SASL.
        sasl_oauth_grant_type: String,
        /// SASL.
        sasl_oauth_audience: String,
        /// TLS.
        enable_tls: bool,
        /// TLS.
        ca: String,
        /// TLS.
        cert: String,
        /// TLS.
        key: String,
        /// TLS.
        insecure_skip_verify: bool,
        /// The encoder.
        codec_config: CodecConfig,
        /// What becomes of messages that are too large.
        large_message_handle: LargeMessageHandle,
        /// Updates that change a key stay updates.
        output_raw_change_event: bool,
    }
}

optional! {
    /// Parameters of the encoder in the file.
    CodecConfig {
        /// Whether messages carry `_tidb`, and watermarks are sent.
        enable_tidb_extension: bool,
        /// Rows in a message, for protocols that batch.
        max_batch_size: i64,
        /// For avro.
        avro_enable_watermark: bool,
        /// For avro.
        avro_decimal_handling_mode: String,
        /// For avro.
        avro_bigint_unsigned_handling_mode: String,
        /// For the simple protocol.
        encoding_format: String,
    }
}

/// What becomes of messages that are too large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct LargeMessageHandle {
    /// `none`, `claim-check`, `handle-key-only`.
    pub large_message_handle_option: String,
    /// `none`, `snappy`, `lz4`.
    pub large_message_handle_compression: String,
    /// Where claims are kept.
    pub claim_check_storage_uri: String,
    /// Whether claims are bare values.
    pub claim_check_raw_value: bool,
}

impl Default for LargeMessageHandle {
    fn default() -> Self {
        Self {
            large_message_handle_option: "none".to_owned(),
            large_message_handle_compression: "none".to_owned(),
            claim_check_storage_uri: String::new(),
            claim_check_raw_value: false,
        }
    }
}

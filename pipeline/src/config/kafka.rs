//! Parameters of Kafka and of the encoder since v5: from the URI over those in the file (`spec/sink-uri.md §2`).

use std::sync::LazyLock;

use regex::Regex;

use super::{
    golang,
    replica::{KafkaConfig, ReplicaConfig},
    security::{Security, invalid_client},
    uri::SinkUri,
    validate,
};
use crate::coded::{Code, Coded};

/// Bytes of a message that are not key or value (`spec/canal-json.md §12`).
pub const MAX_RECORD_OVERHEAD: usize = 36;

/// What the URI and the file say about Kafka, before the brokers were asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// `host:port` of each broker.
    pub brokers: Vec<String>,
    /// The default topic.
    pub topic: String,
    /// Partitions to use; none: all that the topic has.
    pub partition_num: Option<i32>,
    /// Replicas of topics that are created.
    pub replication_factor: i16,
    /// The brokers' version as given, `2.4.0` if not.
    pub version: String,
    /// Whether it was given.
    pub version_given: bool,
    /// The largest message in bytes.
    pub max_message_bytes: i64,
    /// Compression as given.
    pub compression: String,
    /// How the producer calls itself.
    pub client_id: String,
    /// Whether missing topics are created.
    pub auto_create: bool,
    /// 0, 1 or -1.
    pub required_acks: i64,
    /// Time to connect, nanoseconds.
    pub dial_timeout: i64,
    /// Time to read, nanoseconds.
    pub read_timeout: i64,
    /// Time to write, nanoseconds.
    pub write_timeout: i64,
    /// TLS and SASL.
    pub security: Security,
}

/// Who the producer is for: part of its default client id.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Address of the capture, empty when only validating.
    pub capture: &'a str,
    /// Namespace of the changefeed.
    pub namespace: &'a str,
    /// Its id.
    pub changefeed: &'a str,
}

/// A parameter by name: the URI's first value, else the file's. A zero in the URI (`false`, nothing) does not win over
/// the file, which the original's merge takes for missing. Errors are texts for the code that wraps them.
pub(super) struct Params<'a>(&'a SinkUri);

impl Params<'_> {
    pub(super) fn text(&self, key: &str, file: Option<&String>) -> Option<String> {
        match (self.0.param(key), file) {
            (None | Some(""), Some(file)) => Some(file.clone()),
            (given, _) => given.map(str::to_owned),
        }
    }

    /// An empty value is zero, as the original's binding has it.
    fn int(&self, key: &str, bits: u32, file: Option<i64>) -> Result<Option<i64>, String> {
        let given = match self.0.param(key) {
            Some("") => Some(0),
            Some(value) => Some(golang::parse_int(value, bits).map_err(unbound)?),
            None => None,
        };
        Ok(given.filter(|given| *given != 0 || file.is_none()).or(file))
    }

    pub(super) fn bool(&self, key: &str, file: Option<bool>) -> Result<Option<bool>, String> {
        let given = match self.0.param(key) {
            Some("") => Some(false),
            Some(value) => Some(golang::parse_bool(value).map_err(unbound)?),
            None => None,
        };
        Ok(given.filter(|given| *given || file.is_none()).or(file))
    }

    fn nanos(&self, key: &str, file: Option<&String>) -> Result<i64, String> {
        match self.text(key, file).filter(|text| !text.is_empty()) {
            Some(text) => golang::parse_duration(&text),
            None => Ok(10_000_000_000),
        }
    }
}

/// The original reports every value of a wrong type under this code.
fn unbound(reason: String) -> String {
    Coded::wrap(Code::ErrMySQLInvalidConfig, reason).to_string()
}

impl KafkaOptions {
    /// Reads URI and file.
    ///
    /// # Errors
    /// `ErrKafkaInvalidConfig` around what is wrong.
    pub fn parse(
        uri: &SinkUri,
        config: &ReplicaConfig,
        identity: Identity<'_>,
    ) -> Result<Self, Coded> {
        if uri.topic().is_empty() {
            return Err(Coded::new(
                Code::ErrKafkaInvalidConfig,
                "no topic is specified in sink-uri",
            ));
        }
        let none = KafkaConfig::default();
        let file = config.sink.kafka_config.as_ref().unwrap_or(&none);
        Self::merge(uri, file, identity)
            .map_err(|inner| Coded::wrap(Code::ErrKafkaInvalidConfig, inner))
    }

    fn merge(uri: &SinkUri, file: &KafkaConfig, identity: Identity<'_>) -> Result<Self, String> {
        let params = Params(uri);
        let partition_num = params.int("partition-num", 32, file.partition_num.map(i64::from))?;
        let replication_factor = params.int(
            "replication-factor",
            16,
            file.replication_factor.map(i64::from),
        )?;
        let max_message_bytes = params.int("max-message-bytes", 64, file.max_message_bytes)?;
        let auto_create = params.bool("auto-create-topic", file.auto_create_topic)?;
        let required_acks = params
            .int("required-acks", 64, file.required_acks)?
            .unwrap_or(-1);

        if let Some(number) = partition_num.filter(|number| *number <= 0) {
            return Err(invalid_partition_num(number).to_string());
        }
        let version = params.text("kafka-version", file.kafka_version.as_ref());
        let client_id = params.text("kafka-client-id", file.kafka_client_id.as_ref());
        let client_id = match client_id.filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => identity.default_client_id(),
        };
        check_client_id(&client_id).map_err(|error| error.to_string())?;
        let options = Self {
            brokers: uri.host().split(',').map(str::to_owned).collect(),
            topic: uri.topic().to_owned(),
            // checked against 32 and 16 bits above
            partition_num: partition_num.and_then(|number| i32::try_from(number).ok()),
            replication_factor: replication_factor
                .and_then(|number| i16::try_from(number).ok())
                .unwrap_or(1),
            version_given: version.is_some(),
            version: version.unwrap_or_else(|| DEFAULT_VERSION.to_owned()),
            max_message_bytes: max_message_bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
            compression: params
                .text("compression", file.compression.as_ref())
                .unwrap_or_else(|| "none".to_owned()),
            client_id,
            auto_create: auto_create.unwrap_or(true),
            required_acks,
            dial_timeout: params.nanos("dial-timeout", file.dial_timeout.as_ref())?,
            write_timeout: params.nanos("write-timeout", file.write_timeout.as_ref())?,
            read_timeout: params.nanos("read-timeout", file.read_timeout.as_ref())?,
            security: Security::default(),
        };
        if !matches!(required_acks, -1..=1) {
            let reason = format!(
                "invalid required acks {required_acks}, only support these values: \
                 0(NoResponse),1(WaitForLocal) and -1(WaitForAll)"
            );
            return Err(Coded::new(Code::ErrKafkaInvalidRequiredAcks, reason).to_string());
        }
        Ok(Self {
            security: Security::parse(&params, file)?,
            ..options
        })
    }

    /// What the original's client library refuses before it talks to a broker.
    ///
    /// # Errors
    /// `ErrKafkaNewProducer`; `ErrUnsupportedByPipeline` for GSSAPI and OAUTHBEARER.
    pub fn check_client(&self) -> Result<(), Coded> {
        let refuse = |inner: Coded| Coded::wrap(Code::ErrKafkaNewProducer, inner);
        check_version(&self.version)
            .map_err(|inner| refuse(Coded::wrap(Code::ErrKafkaInvalidVersion, inner)))?;
        self.security.check_files().map_err(refuse)?;
        for (name, nanos) in [
            ("Dial", self.dial_timeout),
            ("Read", self.read_timeout),
            ("Write", self.write_timeout),
        ] {
            if nanos <= 0 {
                return Err(invalid_client(&format!("Net.{name}Timeout must be > 0")));
            }
        }
        self.security.check_client()?;
        if self.max_message_bytes <= 0 {
            return Err(invalid_client("Producer.MaxMessageBytes must be > 0"));
        }
        let compression = self.compression.trim().to_lowercase();
        for (name, least, shown) in [
            ("lz4", [0, 10, 0, 0].as_slice(), "V0_10_0_0"),
            ("zstd", [2, 1, 0].as_slice(), "V2_1_0_0"),
        ] {
            if compression == name && version_numbers(&self.version).as_slice() < least {
                let reason = format!("{name} compression requires Version >= {shown}");
                return Err(invalid_client(&reason));
            }
        }
        Ok(())
    }
}

/// What TiCDC can and this pipeline cannot.
pub fn unsupported(what: impl std::fmt::Display) -> Coded {
    Coded::new(
        Code::ErrUnsupportedByPipeline,
        format!("{what} is not supported by this pipeline"),
    )
}

/// The version of the brokers if none is given.
const DEFAULT_VERSION: &str = "2.4.0";
const DEFAULT_MAX_MESSAGE_BYTES: i64 = 10_485_760;

/// `ErrKafkaInvalidPartitionNum`.
#[must_use]
pub fn invalid_partition_num(number: i64) -> Coded {
    Coded::new(
        Code::ErrKafkaInvalidPartitionNum,
        format!("invalid partition num {number}"),
    )
}

#[allow(clippy::unwrap_used)]
static CLIENT_ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[A-Za-z0-9._\-]+$").unwrap());
#[allow(clippy::unwrap_used)]
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(0\.[0-9]+\.[0-9]+\.[0-9]+|[1-9][0-9]*\.[0-9]+\.[0-9]+)$").unwrap()
});

impl Identity<'_> {
    fn default_client_id(&self) -> String {
        replace_special(&format!(
            "TiCDC_producer_{}_{}_{}",
            self.capture, self.namespace, self.changefeed
        ))
    }
}

/// Characters that a client id takes in but should not have.
#[must_use]
pub fn replace_special(id: &str) -> String {
    id.replace(['?', ':', ',', '"'], "_")
}

/// Whether Kafka takes this client id.
///
/// # Errors
/// `ErrKafkaInvalidClientID`.
pub fn check_client_id(id: &str) -> Result<(), Coded> {
    match CLIENT_ID.is_match(id) {
        true => Ok(()),
        false => Err(Coded::new(
            Code::ErrKafkaInvalidClientID,
            format!("invalid kafka client ID '{id}'"),
        )),
    }
}

/// Whether a version is written as Kafka writes versions: four numbers before 1.0, three since.
///
/// # Errors
/// The words of the original's client library.
pub fn check_version(version: &str) -> Result<(), String> {
    match VERSION.is_match(version) {
        true => Ok(()),
        false => Err(format!("invalid version `{version}`")),
    }
}

fn version_numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// What the encoder is told by URI and file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderOptions {
    /// Messages carry `_tidb`, and watermarks are sent.
    pub enable_tidb_extension: bool,
    /// Types as Canal itself writes them.
    pub content_compatible: bool,
    /// `old` holds changed columns only.
    pub only_output_updated_columns: bool,
    /// A DELETE holds the key's columns only.
    pub delete_only_handle_key_columns: bool,
    /// `_tidb` has the row's key in TiKV.
    pub output_row_key: bool,
    /// Updates that change a key stay updates.
    pub output_raw_change_event: bool,
    /// The largest message, overhead included.
    pub max_message_bytes: usize,
}

impl EncoderOptions {
    /// Reads URI and file; `max_message_bytes` is what the topic left of it.
    ///
    /// # Errors
    /// `ErrSinkInvalidConfig`; `ErrUnsupportedByPipeline` for other protocols.
    pub fn parse(
        uri: &SinkUri,
        config: &ReplicaConfig,
        max_message_bytes: i64,
    ) -> Result<Self, Coded> {
        let refuse = |inner: String| Coded::wrap(Code::ErrSinkInvalidConfig, inner);
        let options = Self::merge(uri, config, max_message_bytes).map_err(refuse)?;
        let protocol =
            validate::known_protocol(config.sink.protocol.as_deref().unwrap_or_default())?;
        match protocol {
            "canal-json" => {}
            "csv" => {
                let inner = Coded::new(
                    Code::ErrSinkUnknownProtocol,
                    "unknown 'csv' message protocol for sink",
                );
                return Err(Coded::wrap(Code::ErrKafkaNewProducer, inner));
            }
            other => {
                return Err(unsupported(format_args!(
                    "message protocol '{other}' (only canal-json is)"
                )));
            }
        }
        Ok(options)
    }

    fn merge(
        uri: &SinkUri,
        config: &ReplicaConfig,
        max_message_bytes: i64,
    ) -> Result<Self, String> {
        let params = Params(uri);
        let kafka = config.sink.kafka_config.as_ref();
        let codec = kafka.and_then(|kafka| kafka.codec_config.as_ref());
        let refuse = |reason: String| Coded::new(Code::ErrCodecInvalidConfig, reason).to_string();
        let invalid = |reason: String| Coded::wrap(Code::ErrCodecInvalidConfig, reason).to_string();
        let extension = params.bool(
            "enable-tidb-extension",
            codec.and_then(|codec| codec.enable_tidb_extension),
        )?;
        let batch = params.int(
            "max-batch-size",
            64,
            codec.and_then(|codec| codec.max_batch_size),
        )?;
        let compatible = params
            .bool("content-compatible", config.sink.content_compatible)?
            .unwrap_or(false);
        let updated = params
            .bool(
                "only-output-updated-columns",
                config.sink.only_output_updated_columns,
            )?
            .unwrap_or(false);
        let delete_only = config
            .sink
            .delete_only_output_handle_key_columns
            .unwrap_or(false);
        let protocol = config.sink.protocol.as_deref().unwrap_or_default();
        if protocol.ends_with("avro") && config.sink.schema_registry.is_none() {
            return Err(refuse(
                "Avro protocol requires parameter \"schema-registry\" or \"glue-schema-registry\" to specify the \
                 schema registry"
                    .to_owned(),
            ));
        }
        if let Some(size) = batch.filter(|size| *size <= 0) {
            return Err(invalid(format!("invalid max-batch-size {size}")));
        }
        if config.force_replicate && delete_only {
            return Err(refuse(
                "force-replicate must be disabled when configuration \"delete-only-output-handle-key-columns\" is true."
                    .to_owned(),
            ));
        }
        let option = kafka
            .and_then(|kafka| kafka.large_message_handle.as_ref())
            .map_or("", |handle| handle.large_message_handle_option.as_str());
        if config.force_replicate && !matches!(option, "" | "none") {
            return Err(refuse(format!(
                "force-replicate must be disabled, when the large message handle is enabled, large message handle: \"{option}\""
            )));
        }
        Ok(Self {
            enable_tidb_extension: extension.unwrap_or(false),
            content_compatible: compatible,
            only_output_updated_columns: updated || compatible,
            delete_only_handle_key_columns: delete_only,
            output_row_key: params.bool("output-row-key", None)?.unwrap_or(false),
            output_raw_change_event: kafka
                .and_then(|kafka| kafka.output_raw_change_event)
                .unwrap_or(false),
            max_message_bytes: usize::try_from(max_message_bytes)
                .map_err(|_| invalid(format!("invalid max-message-bytes {max_message_bytes}")))?,
        })
    }
}

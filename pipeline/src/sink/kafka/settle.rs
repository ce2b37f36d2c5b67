//! What a sink settles on, once the cluster has been asked (`spec/sink-uri.md §2`).

use std::time::Duration;

use super::{
    cluster::{Cluster, ClusterError},
    connection::Connection,
};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::{
        kafka::{EncoderOptions, KafkaOptions},
        large::LargeMessages,
        legacy::LegacyKafkaOptions,
        replica::ReplicaConfig,
        uri::SinkUri,
    },
};

/// Bytes that the limit of a topic is lowered by (since v7).
const MAX_MESSAGE_MARGIN: i64 = 128;
/// Partitions of a topic that is created without saying.
const DEFAULT_PARTITIONS: i32 = 3;
/// The same in v4.0.9.
const LEGACY_DEFAULT_PARTITIONS: i32 = 4;

/// The parameters in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How the brokers are reached.
    pub connection: Connection,
    /// The default topic.
    pub topic: String,
    /// How many of its partitions are used.
    pub partitions: u32,
    /// Partitions of further topics that are created.
    pub new_partitions: i32,
    /// Replicas of further topics that are created.
    pub replication_factor: i16,
    /// Whether missing topics are created.
    pub auto_create: bool,
    /// The largest message in bytes.
    pub max_message_bytes: i64,
    /// Compression as given.
    pub compression: String,
    /// Whose acknowledgement a message needs: nobody's (0), the leader's (1), that of all replicas in sync (-1).
    pub required_acks: i64,
    /// What the encoder is told.
    pub encoder: EncoderOptions,
    /// What becomes of messages that are too large.
    pub large: LargeMessages,
}

impl KafkaOptions {
    /// How the brokers are reached.
    #[must_use]
    pub fn connection(&self) -> Connection {
        // below zero was refused before
        let nanos = |nanos: i64| Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
        Connection {
            brokers: self.brokers.clone(),
            client_id: self.client_id.clone(),
            security: self.security.clone(),
            dial_timeout: nanos(self.dial_timeout),
            read_timeout: nanos(self.read_timeout),
            write_timeout: nanos(self.write_timeout),
        }
    }
}

impl LegacyKafkaOptions {
    /// How the brokers are reached.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection {
            security: self.security.clone(),
            ..Connection::plain(self.brokers.clone(), self.client_id.clone())
        }
    }
}

fn no_producer(inner: impl std::fmt::Display) -> Coded {
    Coded::wrap(Code::ErrKafkaNewProducer, inner)
}

/// Brings the parameters in line with the cluster, and makes the default topic if it is missing (since v5).
///
/// # Errors
/// With TiCDC's codes, nested as it nests them.
pub async fn settle<C: Cluster>(
    cluster: &C,
    mut options: KafkaOptions,
    uri: &SinkUri,
    config: &ReplicaConfig,
    compat: Compat,
) -> Result<Settled, Coded> {
    let existing = cluster
        .partitions(&options.topic)
        .await
        .map_err(no_producer)?;
    check_replicas(cluster, &options, existing.is_some()).await?;
    let limit = message_limit(cluster, &options.topic, existing.is_some()).await?;
    if let Some(limit) = limit {
        let adjusted = adjusted_max_message_bytes(options.max_message_bytes, limit, compat);
        if adjusted < options.max_message_bytes {
            tracing::warn!(
                topic = options.topic,
                asked = options.max_message_bytes,
                limit,
                adjusted,
                "max-message-bytes is above what the topic takes and is lowered"
            );
            options.max_message_bytes = adjusted;
        }
    }
    let partitions = match (existing, options.partition_num) {
        (Some(actual), Some(asked)) if i64::from(asked) > i64::from(actual) => {
            return Err(no_producer(Coded::new(
                Code::ErrKafkaInvalidPartitionNum,
                format!(
                    "the number of partition ({asked}) specified in sink-uri is more than that of actual topic ({actual})"
                ),
            )));
        }
        (Some(actual), None) => actual,
        (_, asked) => positive(asked.unwrap_or(DEFAULT_PARTITIONS)),
    };
    let encoder = EncoderOptions::parse(uri, config, options.max_message_bytes)?;
    let handle = config.sink.kafka_config.as_ref();
    let handle = handle.and_then(|kafka| kafka.large_message_handle.as_ref());
    let large = LargeMessages::read(handle, compat)?;
    if existing.is_none() {
        ensure_topic(
            cluster,
            &options.topic,
            to_i32(partitions),
            options.replication_factor,
            options.auto_create,
        )
        .await?;
    }
    Ok(Settled {
        new_partitions: options.partition_num.unwrap_or(DEFAULT_PARTITIONS),
        connection: options.connection(),
        required_acks: options.required_acks,
        topic: options.topic,
        partitions,
        replication_factor: options.replication_factor,
        auto_create: options.auto_create,
        max_message_bytes: options.max_message_bytes,
        compression: options.compression,
        encoder,
        large,
    })
}

fn positive(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(1).max(1)
}

fn to_i32(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// What the topic's limit leaves of the size asked for.
fn adjusted_max_message_bytes(asked: i64, limit: i64, compat: Compat) -> i64 {
    match compat {
        Compat::V8_5 => asked.min(limit - MAX_MESSAGE_MARGIN),
        Compat::V6_5 | Compat::V4_0_9 => asked.min(limit),
    }
}

async fn message_limit<C: Cluster>(
    cluster: &C,
    topic: &str,
    exists: bool,
) -> Result<Option<i64>, Coded> {
    let of_topic = match exists {
        true => cluster
            .topic_config(topic, "max.message.bytes")
            .await
            .map_err(no_producer)?,
        false => None,
    };
    let text = match of_topic {
        Some(text) => Some(text),
        None => cluster
            .broker_config("message.max.bytes")
            .await
            .map_err(no_producer)?,
    };
    text.map(|text| {
        text.parse::<i64>().map_err(|_| {
            no_producer(format_args!(
                "strconv.Atoi: parsing \"{text}\": invalid syntax"
            ))
        })
    })
    .transpose()
}

/// All replicas that must be there before a write counts have to exist.
async fn check_replicas<C: Cluster>(
    cluster: &C,
    options: &KafkaOptions,
    exists: bool,
) -> Result<(), Coded> {
    if options.required_acks != -1 {
        return Ok(());
    }
    let key = "min.insync.replicas";
    let (of, value) = match exists {
        true => (
            "topic",
            cluster
                .topic_config(&options.topic, key)
                .await
                .map_err(no_producer)?,
        ),
        false => (
            "broker",
            cluster.broker_config(key).await.map_err(no_producer)?,
        ),
    };
    match value.and_then(|value| value.parse::<i64>().ok()) {
        Some(least) if i64::from(options.replication_factor) < least => {
            Err(no_producer(Coded::new(
                Code::ErrKafkaInvalidConfig,
                format!(
                    "TiCDC Kafka producer's `request.required.acks` defaults to -1, TiCDC cannot deliver messages when the \
                 `replication-factor` {} is smaller than the `min.insync.replicas` {least} of {of}",
                    options.replication_factor
                ),
            )))
        }
        _ => Ok(()),
    }
}

/// Makes a topic that is missing (since v5).
///
/// # Errors
/// `ErrKafkaCreateTopic` around the reason.
pub async fn ensure_topic<C: Cluster>(
    cluster: &C,
    topic: &str,
    partitions: i32,
    replication: i16,
    auto_create: bool,
) -> Result<(), Coded> {
    let refuse = |inner: Coded| Coded::wrap(Code::ErrKafkaCreateTopic, inner);
    if !auto_create {
        let reason = format!("`auto-create-topic` is false, and {topic} not found");
        return Err(refuse(Coded::new(Code::ErrKafkaInvalidConfig, reason)));
    }
    cluster
        .create(topic, partitions, replication)
        .await
        .map_err(|error| refuse(Coded::wrap(Code::ErrKafkaCreateTopic, error)))
}

/// Brings v4.0.9's parameters in line with the cluster: no limit of size is looked at.
///
/// # Errors
/// With that release's codes.
pub async fn settle_legacy<C: Cluster>(
    cluster: &C,
    options: LegacyKafkaOptions,
) -> Result<Settled, Coded> {
    let failed =
        |error: ClusterError| Coded::new(Code::ErrKafkaNewSaramaProducer, legacy_text(&error));
    let partitions = match cluster.partitions(&options.topic).await.map_err(failed)? {
        Some(actual) if i64::from(options.partition_num) > i64::from(actual) => {
            return Err(Coded::new(
                Code::ErrKafkaInvalidPartitionNum,
                format!(
                    "partition number({}) assigned in sink-uri is more than that of topic({actual})",
                    options.partition_num
                ),
            ));
        }
        Some(actual) if options.partition_num == 0 => actual,
        Some(actual) => {
            if i64::from(options.partition_num) < i64::from(actual) {
                tracing::warn!(
                    actual,
                    used = options.partition_num,
                    "the topic has more partitions than are used"
                );
            }
            positive(options.partition_num)
        }
        None => {
            let number = match options.partition_num {
                0 => {
                    tracing::warn!(
                        topic = options.topic,
                        partition_num = LEGACY_DEFAULT_PARTITIONS,
                        "topic not found and partition number is not specified, using default partition number"
                    );
                    LEGACY_DEFAULT_PARTITIONS
                }
                number => number,
            };
            cluster
                .create(&options.topic, number, options.replication_factor)
                .await
                .map_err(failed)?;
            positive(number)
        }
    };
    Ok(Settled {
        connection: options.connection(),
        required_acks: -1,
        topic: options.topic,
        partitions,
        new_partitions: LEGACY_DEFAULT_PARTITIONS,
        replication_factor: options.replication_factor,
        auto_create: true,
        max_message_bytes: options.max_message_bytes,
        compression: options.compression,
        encoder: EncoderOptions {
            enable_tidb_extension: false,
            content_compatible: false,
            only_output_updated_columns: false,
            delete_only_handle_key_columns: false,
            output_row_key: false,
            output_raw_change_event: true,
            max_message_bytes: usize::MAX,
        },
        large: LargeMessages::none(),
    })
}

/// How that release says the same.
#[must_use]
pub fn legacy_text(error: &ClusterError) -> String {
    match error {
        ClusterError::Unreachable(_) => {
            "kafka: client has run out of available brokers to talk to (Is your cluster reachable?)"
                .to_owned()
        }
        ClusterError::Unwelcome(reason) => format!(
            "kafka: client has run out of available brokers to talk to (Is your cluster reachable?): {reason}"
        ),
        ClusterError::Refused(reason) => match reason.split_once(" - ") {
            Some((what, why)) => format!("kafka server: {what}. - {why}"),
            None => format!("kafka server: {reason}."),
        },
    }
}

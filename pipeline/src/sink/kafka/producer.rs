//! Delivery of messages: one producer, idempotent and acknowledged by all replicas unless less is asked for.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};
use tokio::task::AbortHandle;

use super::{
    connection::{Connection, DEFAULT_TIMEOUT},
    deliveries::{Deliveries, Mark, State, not_produced},
    outage,
    reasons::reason,
    settle::Settled,
};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    meters::FeedMeters,
};

/// Sends messages, in order per partition.
///
/// The producer keeps retrying on its own, without changing the order, until a message has timed out (with `required-acks` 0
/// and 1 it does not retry). The first message that fails for good fails every later call: whoever drives the sink makes a
/// new one and goes on from its checkpoint.
pub struct Producer {
    producer: Arc<ThreadedProducer<Deliveries>>,
    deliveries: Arc<State>,
    /// Looks after brokers that are gone.
    watch: Option<AbortHandle>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("pending", &self.deliveries.pending.load(Ordering::Relaxed))
            .finish()
    }
}

/// Of messages smaller than this the producer's queue takes fewer bytes.
const SMALL_MESSAGE: usize = 256;

/// How long brokers may not know a topic that is in use: one that was just made may not be known to all of them.
const PROPAGATION: Duration = Duration::from_secs(2);

/// How long a message may be on its way before it has failed. TiCDC gives up at the first failed attempt since v5, which
/// takes `read-timeout` or `write-timeout`, and tried for five minutes before. It is no less than the default of these: the
/// time that a message waits here for those before it counts too.
fn message_timeout(compat: Compat, connection: &Connection) -> Duration {
    match compat {
        Compat::V4_0_9 => Duration::from_secs(300),
        Compat::V6_5 | Compat::V8_5 => connection.request_timeout().max(DEFAULT_TIMEOUT),
    }
}

/// The name of a compression in the client's configuration; unknown ones mean none, with a warning.
fn compression(name: &str) -> &'static str {
    match name.to_lowercase().trim() {
        "" | "none" => "none",
        "gzip" => "gzip",
        "snappy" => "snappy",
        "lz4" => "lz4",
        "zstd" => "zstd",
        other => {
            tracing::warn!(compression = other, "Unsupported compression algorithm");
            "none"
        }
    }
}

/// What keeps messages in order over failures, by `required-acks`. The library's idempotence needs all replicas. With less, a
/// request that is sent again could be overtaken by one that the library has made ready, however few may be on their way; so
/// nothing is sent again, and the first failure fails the producer, as in TiCDC whatever the acknowledgements.
fn set_acks(config: &mut ClientConfig, required_acks: i64) {
    match required_acks {
        acks @ (0 | 1) => {
            tracing::warn!(
                required_acks = acks,
                "messages may be lost when a broker fails: not all replicas acknowledge them"
            );
            config
                .set("enable.idempotence", "false")
                .set("acks", acks.to_string())
                .set("max.in.flight.requests.per.connection", "1")
                .set("retries", "0")
        }
        _ => config.set("enable.idempotence", "true").set("acks", "all"),
    };
}

impl Producer {
    /// A producer of these parameters that takes `queue_bytes` of messages before they are sent, and at least the largest
    /// one. It connects when it is first used. What it delivers counts in `meters`.
    ///
    /// # Errors
    /// `ErrKafkaNewProducer`.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn new(
        settled: &Settled,
        compat: Compat,
        queue_bytes: usize,
        meters: FeedMeters,
    ) -> Result<Self, Coded> {
        let deliveries = Arc::new(State::new(meters));
        // the client's own limits; the message's size was compared with the topic's limit before
        let largest = settled.max_message_bytes.clamp(1_000, 1_000_000_000);
        let queue_kib = (queue_bytes as u64).max(largest as u64).div_ceil(1024);
        let queue_messages = (queue_bytes / SMALL_MESSAGE).clamp(1_000, 100_000);
        let mut config = settled.connection.client();
        set_acks(&mut config, settled.required_acks);
        let producer = config
            .set("linger.ms", "2")
            .set("message.max.bytes", largest.to_string())
            .set(
                "message.timeout.ms",
                message_timeout(compat, &settled.connection)
                    .as_millis()
                    .to_string(),
            )
            .set("compression.type", compression(&settled.compression))
            .set("queue.buffering.max.kbytes", queue_kib.to_string())
            // A message in the queue takes some hundred bytes besides its own.
            .set("queue.buffering.max.messages", queue_messages.to_string())
            .set("reconnect.backoff.max.ms", "1000")
            // A topic that was deleted is looked for no longer than this.
            .set(
                "topic.metadata.propagation.max.ms",
                PROPAGATION.as_millis().to_string(),
            )
            .create_with_context::<_, ThreadedProducer<_>>(Deliveries(Arc::clone(&deliveries)))
            .map_err(|error| Coded::wrap(Code::ErrKafkaNewProducer, error))?;
        let watch = outage::gives_up(compat).then(|| {
            let (connection, topic) = (settled.connection.clone(), settled.topic.clone());
            tokio::spawn(outage::watch(connection, topic, Arc::clone(&deliveries))).abort_handle()
        });
        Ok(Self {
            producer: Arc::new(producer),
            deliveries,
            watch,
        })
    }

    /// Hands a message over; waits while the producer's queue is full.
    ///
    /// # Errors
    /// `ErrKafkaAsyncSendMessage` if this or an earlier message failed.
    pub async fn send(
        &self,
        topic: &str,
        partition: u32,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<(), Coded> {
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        loop {
            let changed = self.deliveries.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(error) = self.deliveries.failure() {
                return Err(error);
            }
            let epoch = Arc::clone(&self.deliveries.epoch());
            epoch.pending.fetch_add(1, Ordering::AcqRel);
            epoch.since.get_or_init(Instant::now);
            let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Arc::clone(&epoch))
                .partition(partition)
                .payload(value);
            record.key = key;
            self.deliveries.pending.fetch_add(1, Ordering::AcqRel);
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    epoch.pending.fetch_sub(1, Ordering::AcqRel);
                    self.deliveries.pending.fetch_sub(1, Ordering::AcqRel);
                    changed.await;
                }
                Err((error, _)) => {
                    let error = not_produced(topic, reason(&error));
                    self.deliveries.fail(error.clone());
                    self.deliveries.pending.fetch_sub(1, Ordering::AcqRel);
                    return Err(error);
                }
            }
        }
    }

    /// Waits until every message handed over so far is acknowledged.
    ///
    /// # Errors
    /// `ErrKafkaAsyncSendMessage` if one failed.
    pub async fn flush(&self) -> Result<(), Coded> {
        self.until(|| self.deliveries.pending.load(Ordering::Acquire) == 0)
            .await
    }

    /// Marks this place in the order of messages: once this mark and all before it are acknowledged, so is every message
    /// handed over before it. A message that failed is never acknowledged.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(std::mem::take(&mut *self.deliveries.epoch()))
    }

    /// Waits until `mark` is acknowledged.
    ///
    /// # Errors
    /// `ErrKafkaAsyncSendMessage` if a message failed.
    pub async fn acknowledged_up_to(&self, mark: &Mark) -> Result<(), Coded> {
        self.until(|| mark.is_acknowledged()).await
    }

    async fn until(&self, done: impl Fn() -> bool) -> Result<(), Coded> {
        loop {
            let changed = self.deliveries.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(error) = self.deliveries.failure() {
                return Err(error);
            }
            if done() {
                return Ok(());
            }
            changed.await;
        }
    }

    /// The number of partitions of every topic there is now. What was added since can be sent to from now on.
    ///
    /// # Errors
    /// Why the brokers did not tell within `patience`.
    pub async fn partitions(&self, patience: Duration) -> Result<HashMap<String, u32>, KafkaError> {
        let producer = Arc::clone(&self.producer);
        let ask = move || {
            let metadata = producer.client().fetch_metadata(None, patience)?;
            let topics = metadata.topics().iter();
            Ok(topics
                .filter(|topic| topic.error().is_none())
                .map(|topic| {
                    let partitions = u32::try_from(topic.partitions().len());
                    (topic.name().to_owned(), partitions.unwrap_or(u32::MAX))
                })
                .collect())
        };
        tokio::task::spawn_blocking(ask)
            .await
            .unwrap_or(Err(KafkaError::Canceled))
    }

    /// Messages acknowledged since the producer was made.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged.load(Ordering::Relaxed)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        // what is still queued will be sent again from the checkpoint
        self.producer
            .purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}

#[cfg(test)]
mod tests;

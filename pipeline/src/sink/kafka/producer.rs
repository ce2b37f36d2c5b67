//! Delivery of messages: one producer, idempotent and acknowledged by all replicas unless less is asked for.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use tokio::{sync::Notify, task::AbortHandle};

use super::{
    connection::{Connection, DEFAULT_TIMEOUT},
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

/// Messages handed over between two [marks](Producer::mark) that are not acknowledged yet.
#[derive(Debug, Default)]
struct Epoch {
    pending: AtomicUsize,
    /// When the first of them was handed over.
    since: OnceLock<Instant>,
}

/// A point in the order of messages; see [`Producer::mark`].
#[derive(Debug)]
pub struct Mark(Arc<Epoch>);

impl Mark {
    /// Whether every message between this mark and the one before it is acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) == 0
    }

    /// For how long the first message between this mark and the one before it has been handed over, if there is any.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.0.since.get().map(Instant::elapsed)
    }
}

/// What is known of the messages handed over.
#[derive(Debug, Default)]
pub(super) struct State {
    pending: AtomicUsize,
    /// Where the next message belongs.
    epoch: Mutex<Arc<Epoch>>,
    acknowledged: AtomicU64,
    failed: Mutex<Option<Coded>>,
    /// What the client last said about its connections: the reason behind a bare "timed out".
    trouble: Mutex<Option<String>>,
    changed: Notify,
    /// Told when the client has lost every broker.
    pub(super) lost: Notify,
    meters: FeedMeters,
}

impl State {
    fn failure(&self) -> Option<Coded> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn epoch(&self) -> MutexGuard<'_, Arc<Epoch>> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: Coded) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            // What fails after it fails for the same reason.
            self.meters.sink_errors.inc();
            *failed = Some(error);
        }
    }

    /// Whether messages wait to be acknowledged.
    pub(super) fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) > 0
    }

    /// Fails every call from now on, those under way too.
    pub(super) fn give_up(&self, topic: &str, reason: impl std::fmt::Display) {
        self.fail(not_produced(topic, reason));
        self.changed.notify_waiters();
    }
}

/// A message that did not get to its topic.
fn not_produced(topic: &str, reason: impl std::fmt::Display) -> Coded {
    Coded::wrap(
        Code::ErrKafkaAsyncSendMessage,
        format_args!("kafka: Failed to produce message to topic {topic}: {reason}"),
    )
}

struct Deliveries(Arc<State>);

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client");
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            // not why: that was said before
            self.0.lost.notify_one();
            return;
        }
        *self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Epoch>;

    fn delivery(&self, result: &DeliveryResult<'_>, epoch: Arc<Epoch>) {
        match result {
            Ok(message) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.0.meters.written.inc_by(message.payload_len() as u64);
                epoch.pending.fetch_sub(1, Ordering::AcqRel);
            }
            // Given up with the producer.
            Err((error, _))
                if matches!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
                ) => {}
            Err((error, message)) => {
                let trouble = self
                    .0
                    .trouble
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let code = error.rdkafka_error_code();
                let reason = match (code, trouble) {
                    (Some(RDKafkaErrorCode::MessageTimedOut), Some(trouble)) => trouble,
                    _ => reason(error),
                };
                self.0.fail(not_produced(message.topic(), reason));
            }
        }
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
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
        let deliveries = Arc::new(State {
            meters,
            ..State::default()
        });
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
mod tests {
    use rdkafka::{
        consumer::{BaseConsumer, Consumer},
        mocking::MockCluster,
        topic_partition_list::{Offset, TopicPartitionList},
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    use super::*;
    use crate::config::kafka::EncoderOptions;

    fn settled(brokers: &str) -> Settled {
        Settled {
            connection: Connection::plain(vec![brokers.to_owned()], "test".to_owned()),
            required_acks: -1,
            topic: "t".to_owned(),
            partitions: 2,
            new_partitions: 3,
            replication_factor: 1,
            auto_create: true,
            max_message_bytes: 1_000_000,
            compression: "gzip".to_owned(),
            encoder: EncoderOptions {
                enable_tidb_extension: false,
                content_compatible: false,
                only_output_updated_columns: false,
                delete_only_handle_key_columns: false,
                output_row_key: false,
                output_raw_change_event: false,
                max_message_bytes: 1_000_000,
            },
            large: crate::config::large::LargeMessages::none(),
        }
    }

    fn read_all(brokers: &str, partition: i32, count: usize) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "g")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", partition, Offset::Beginning)
            .unwrap();
        consumer.assign(&list).unwrap();
        (0..count)
            .map(|at| {
                let message = consumer
                    .poll(Duration::from_secs(20))
                    .unwrap_or_else(|| panic!("no message {at}"))
                    .unwrap();
                (
                    message.key().map(<[u8]>::to_vec),
                    message.payload().unwrap_or_default().to_vec(),
                )
            })
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flush_means_that_all_is_there_in_order() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let producer = Producer::new(
            &settled(&cluster.bootstrap_servers()),
            Compat::V8_5,
            1 << 20,
            FeedMeters::default(),
        )
        .unwrap();
        for number in 0..500_u32 {
            let key: Option<&[u8]> = if number % 2 == 0 { Some(b"") } else { None };
            producer
                .send("t", number % 2, key, number.to_string().as_bytes())
                .await
                .unwrap();
        }
        producer.flush().await.unwrap();
        assert_eq!(producer.acknowledged(), 500);
        let counted = producer.partitions(Duration::from_secs(10)).await.unwrap();
        assert_eq!(counted.get("t"), Some(&2));
        let bytes: usize = (0..500_u32).map(|number| number.to_string().len()).sum();
        assert_eq!(producer.deliveries.meters.written.get(), bytes as u64);
        let expected: Vec<_> = (0..500_u32)
            .filter(|n| n % 2 == 1)
            .map(|n| (None, n.to_string().into_bytes()))
            .collect();
        assert_eq!(read_all(&cluster.bootstrap_servers(), 1, 250), expected);
        // an empty key is not the same as none
        assert_eq!(
            read_all(&cluster.bootstrap_servers(), 0, 1),
            [(Some(Vec::new()), b"0".to_vec())]
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn marks_are_acknowledged_one_after_the_other() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let producer = Producer::new(
            &settled(&cluster.bootstrap_servers()),
            Compat::V8_5,
            1 << 20,
            FeedMeters::default(),
        )
        .unwrap();
        assert!(producer.mark().is_acknowledged(), "nothing was sent");
        producer.send("t", 0, None, b"one").await.unwrap();
        let first = producer.mark();
        producer.send("t", 1, None, b"two").await.unwrap();
        let second = producer.mark();
        producer.acknowledged_up_to(&first).await.unwrap();
        producer.acknowledged_up_to(&second).await.unwrap();
        assert_eq!(producer.acknowledged(), 2);
        producer.send("t", 7, None, b"no partition").await.ok();
        let never = producer.mark();
        producer.acknowledged_up_to(&never).await.unwrap_err();
        assert!(!never.is_acknowledged());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn messages_that_are_given_up_with_the_producer_are_no_errors() {
        let meters = FeedMeters::default();
        let nobody = settled("127.0.0.1:1");
        let producer = Producer::new(&nobody, Compat::V8_5, 1 << 20, meters.clone()).unwrap();
        for _ in 0..5 {
            producer.send("t", 0, None, b"never sent").await.unwrap();
        }
        let state = Arc::clone(&producer.deliveries);
        drop(producer);
        assert!(!state.waits(), "all of them came back");
        assert_eq!(meters.sink_errors.get(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failure_is_told_and_stays() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("t", 2, 1).unwrap();
        let producer = Producer::new(
            &settled(&cluster.bootstrap_servers()),
            Compat::V8_5,
            1 << 20,
            FeedMeters::default(),
        )
        .unwrap();
        producer.send("t", 0, None, b"fine").await.unwrap();
        producer.flush().await.unwrap();
        producer
            .send("t", 7, None, b"there is no such partition")
            .await
            .ok();
        let error = producer.flush().await.unwrap_err();
        assert_eq!(error.code(), Code::ErrKafkaAsyncSendMessage);
        assert!(
            error
                .message()
                .contains("Failed to produce message to topic t: "),
            "{error}"
        );
        assert_eq!(
            producer.send("t", 0, None, b"later").await.unwrap_err(),
            error
        );
    }

    /// Sends sixty messages, so large that they are many requests, which could overtake one another.
    async fn send_large(producer: &Producer) -> Result<(), Coded> {
        for number in 0..60_u32 {
            let value = format!("{}{number}", "0".repeat(300_000));
            producer.send("t", 0, None, value.as_bytes()).await?;
        }
        producer.flush().await
    }

    /// A broker that fails for a while: what is sent again stays where it belongs, or all of it is sent again.
    #[tokio::test(flavor = "multi_thread")]
    async fn order_is_kept_over_failures() {
        for (required_acks, retries) in [(-1, true), (1, false)] {
            let cluster = MockCluster::new(1).unwrap();
            cluster.create_topic("t", 2, 1).unwrap();
            let brokers = cluster.bootstrap_servers();
            let settled = Settled {
                required_acks,
                ..settled(&brokers)
            };
            let open = || {
                let meters = FeedMeters::default();
                Producer::new(&settled, Compat::V8_5, 64 << 20, meters).unwrap()
            };
            cluster.request_errors(
                RDKafkaApiKey::Produce,
                &[
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                    RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                ],
            );
            let mut producer = open();
            let mut sent = send_large(&producer).await;
            assert_eq!(sent.is_ok(), retries, "acks {required_acks}: {sent:?}");
            for _ in 0..3 {
                if sent.is_ok() {
                    break;
                }
                // as a changefeed does, from its checkpoint
                producer = open();
                sent = send_large(&producer).await;
            }
            sent.unwrap();
            assert_eq!(producer.acknowledged(), 60);
            let (_, end) = producer
                .producer
                .client()
                .fetch_watermarks("t", 0, Duration::from_secs(10))
                .unwrap();
            let stored = usize::try_from(end).unwrap();
            assert!(!retries || stored == 60, "{stored} messages");
            let read = read_all(&brokers, 0, stored).into_iter();
            let read: Vec<u32> = read
                .map(|(_, value)| String::from_utf8(value).unwrap().parse().unwrap())
                .collect();
            let expected: Vec<u32> = (0..60).collect();
            assert_eq!(read[stored - 60..], expected, "acks {required_acks}");
        }
    }

    #[test]
    fn acknowledgements() {
        let set = |required_acks| {
            let mut config = ClientConfig::new();
            set_acks(&mut config, required_acks);
            config.create_native_config().unwrap();
            let get = |key| config.get(key).map(str::to_owned);
            (
                get("acks"),
                get("enable.idempotence"),
                get("max.in.flight.requests.per.connection"),
                get("retries"),
            )
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(set(-1), (some("all"), some("true"), None, None));
        assert_eq!(set(1), (some("1"), some("false"), some("1"), some("0")));
        assert_eq!(set(0), (some("0"), some("false"), some("1"), some("0")));
    }

    #[test]
    fn a_message_may_take_as_long_as_a_request() {
        let mut connection = Connection::plain(Vec::new(), "x".to_owned());
        let seconds =
            |compat, connection: &Connection| message_timeout(compat, connection).as_secs();
        assert_eq!(seconds(Compat::V8_5, &connection), 10);
        connection.write_timeout = Duration::from_secs(120);
        assert_eq!(seconds(Compat::V8_5, &connection), 120);
        assert_eq!(seconds(Compat::V4_0_9, &connection), 300);
    }

    #[test]
    fn compressions() {
        assert_eq!(compression("LZ4"), "lz4");
        assert_eq!(compression(" zstd"), "zstd");
        assert_eq!(compression("brotli"), "none");
        for name in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let mut config = ClientConfig::new();
            config.set("compression.type", compression(name));
            config.create_native_config().unwrap();
        }
    }
}

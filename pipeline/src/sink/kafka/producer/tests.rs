//! Against a mock cluster of the client library.

use rdkafka::{
    Message as _,
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
    let seconds = |compat, connection: &Connection| message_timeout(compat, connection).as_secs();
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

//! Topics and the records in them, through a client that is independent of the pipeline's.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{DefaultProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use thiserror::Error;

use super::poll;

const DEADLINE: Duration = Duration::from_secs(30);

/// What failed at Kafka.
#[derive(Debug, Error)]
pub enum KafkaFailure {
    /// A call was refused or did not come back.
    #[error("{what} at Kafka {bootstrap}: {source}")]
    Call {
        /// What was tried.
        what: String,
        /// The brokers.
        bootstrap: String,
        /// The cause.
        source: Box<KafkaError>,
    },
    /// A topic operation was refused.
    #[error("{what} at Kafka {bootstrap}: {code}")]
    Topic {
        /// What was tried.
        what: String,
        /// The brokers.
        bootstrap: String,
        /// Kafka's code.
        code: RDKafkaErrorCode,
    },
    /// Something did not become true in time.
    #[error("{what} at Kafka {bootstrap} in {}s: {missing}", DEADLINE.as_secs())]
    Late {
        /// What was waited for.
        what: String,
        /// The brokers.
        bootstrap: String,
        /// What was missing at the end.
        missing: String,
    },
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key; canal-json has none.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// How many headers it has; canal-json has none.
    pub headers: usize,
}

/// A Kafka cluster.
#[derive(Clone)]
pub struct Kafka {
    bootstrap: String,
}

impl Kafka {
    /// The cluster behind `host:port[,…]`.
    pub fn new(bootstrap: &str) -> Kafka {
        Kafka {
            bootstrap: bootstrap.to_owned(),
        }
    }

    /// Its brokers.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("broker.address.family", "v4")
            .set("log_level", "3")
            .set("allow.auto.create.topics", "false");
        config
    }

    fn call(&self, what: &str) -> impl FnOnce(KafkaError) -> KafkaFailure + use<> {
        let (what, bootstrap) = (what.to_owned(), self.bootstrap.clone());
        move |source| KafkaFailure::Call {
            what,
            bootstrap,
            source: Box::new(source),
        }
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>, KafkaFailure> {
        self.config()
            .create()
            .map_err(self.call("open an admin client"))
    }

    /// Creates a topic and waits until every partition has a leader.
    ///
    /// # Errors
    /// [`KafkaFailure`], also if it exists.
    pub async fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<(), KafkaFailure> {
        let what = format!("create topic `{topic}`");
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (name, value) in configs {
            new = new.set(name, value);
        }
        let results = self
            .admin()?
            .create_topics([&new], &options())
            .await
            .map_err(self.call(&what))?;
        self.accepted(&what, results, &[])?;
        self.wait(&format!("find topic `{topic}`"), || async {
            let found = self.partitions(topic).await?;
            Ok(if found.len() == partitions as usize {
                Ok(())
            } else {
                Err(format!("it has {} partitions", found.len()))
            })
        })
        .await
    }

    /// Deletes a topic, if there is one, and waits until it is gone.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub async fn delete_topic(&self, topic: &str) -> Result<(), KafkaFailure> {
        let what = format!("delete topic `{topic}`");
        let results = self
            .admin()?
            .delete_topics(&[topic], &options())
            .await
            .map_err(self.call(&what))?;
        self.accepted(
            &what,
            results,
            &[
                RDKafkaErrorCode::UnknownTopicOrPartition,
                RDKafkaErrorCode::UnknownTopic,
            ],
        )?;
        self.wait(&what, || async {
            let found = self.partitions(topic).await?;
            Ok(if found.is_empty() {
                Ok(())
            } else {
                Err("it is still listed".to_owned())
            })
        })
        .await
    }

    fn accepted(
        &self,
        what: &str,
        results: Vec<Result<String, (String, RDKafkaErrorCode)>>,
        tolerated: &[RDKafkaErrorCode],
    ) -> Result<(), KafkaFailure> {
        for result in results {
            if let Err((_, code)) = result
                && !tolerated.contains(&code)
            {
                return Err(KafkaFailure::Topic {
                    what: what.to_owned(),
                    bootstrap: self.bootstrap.clone(),
                    code,
                });
            }
        }
        Ok(())
    }

    async fn wait<Fut>(
        &self,
        what: &str,
        condition: impl FnMut() -> Fut,
    ) -> Result<(), KafkaFailure>
    where
        Fut: Future<Output = Result<Result<(), String>, KafkaFailure>>,
    {
        poll::until(DEADLINE, condition)
            .await?
            .map_err(|missing| KafkaFailure::Late {
                what: what.to_owned(),
                bootstrap: self.bootstrap.clone(),
                missing,
            })
    }

    /// The partitions of a topic that have a leader; none if there is no such topic.
    ///
    /// # Errors
    /// [`KafkaFailure::Call`].
    pub async fn partitions(&self, topic: &str) -> Result<Vec<i32>, KafkaFailure> {
        let (config, name) = (self.config(), topic.to_owned());
        blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let metadata = consumer.fetch_metadata(Some(&name), DEADLINE)?;
            let topics = metadata
                .topics()
                .iter()
                .filter(|found| found.name() == name && found.error().is_none());
            Ok(topics
                .flat_map(|found| found.partitions())
                .filter(|p| p.leader() >= 0)
                .map(|p| p.id())
                .collect())
        })
        .await
        .map_err(self.call(&format!("list topic `{topic}`")))
    }

    /// Whether the cluster has a controller: it is asked to check, not to create, a topic.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub async fn ready(&self) -> Result<(), KafkaFailure> {
        let (what, quick) = ("ask the controller", Duration::from_secs(2));
        let new = NewTopic::new("cdclab-ready", 1, TopicReplication::Fixed(1));
        let options = AdminOptions::new()
            .request_timeout(Some(quick))
            .operation_timeout(Some(quick))
            .validate_only(true);
        let results = self
            .admin()?
            .create_topics([&new], &options)
            .await
            .map_err(self.call(what))?;
        self.accepted(what, results, &[])
    }

    /// The names of all topics that are not Kafka's own, sorted.
    ///
    /// # Errors
    /// [`KafkaFailure::Call`].
    pub async fn topics(&self) -> Result<Vec<String>, KafkaFailure> {
        let config = self.config();
        let listed = blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let metadata = consumer.fetch_metadata(None, DEADLINE)?;
            Ok(metadata
                .topics()
                .iter()
                .map(|topic| topic.name().to_owned())
                .collect::<Vec<_>>())
        });
        let mut topics = listed.await.map_err(self.call("list topics"))?;
        topics.retain(|name| !name.starts_with("__"));
        topics.sort();
        Ok(topics)
    }

    /// A topic's partitions and the settings that were made for it, in the words of Kafka's own tool.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub async fn describe(&self, topic: &str) -> Result<Vec<String>, KafkaFailure> {
        let (what, name, config) = (
            format!("describe topic `{topic}`"),
            topic.to_owned(),
            self.config(),
        );
        let resource = ResourceSpecifier::Topic(topic);
        let described = self
            .admin()?
            .describe_configs([&resource], &options())
            .await
            .map_err(self.call(&what))?;
        let mut settings = Vec::new();
        for result in described {
            let resource = result.map_err(|code| KafkaFailure::Topic {
                what: what.clone(),
                bootstrap: self.bootstrap.clone(),
                code,
            })?;
            let own = resource
                .entries
                .into_iter()
                .filter(|entry| matches!(entry.source, ConfigSource::DynamicTopic));
            settings.extend(
                own.map(|entry| format!("{}={}", entry.name, entry.value.unwrap_or_default())),
            );
        }
        settings.sort();
        blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let metadata = consumer.fetch_metadata(Some(&name), DEADLINE)?;
            let Some(topic) = metadata.topics().first() else { return Ok(Vec::new()) };
            let replicas = topic.partitions().first().map_or(0, |partition| partition.replicas().len());
            let count = topic.partitions().len();
            let mut lines = vec![format!(
                "Topic: {name}\tPartitionCount: {count}\tReplicationFactor: {replicas}\tConfigs: {}",
                settings.join(",")
            )];
            lines.extend(topic.partitions().iter().map(|p| {
                let (id, leader, replicas, isr) = (p.id(), p.leader(), p.replicas(), p.isr());
                format!("\tTopic: {name}\tPartition: {id}\tLeader: {leader}\tReplicas: {replicas:?}\tIsr: {isr:?}")
            }));
            Ok(lines)
        })
        .await
        .map_err(self.call(&what))
    }

    /// A consumer of all that comes to a topic from now on.
    ///
    /// # Errors
    /// [`KafkaFailure::Call`].
    pub async fn follow(&self, topic: &str) -> Result<BaseConsumer, KafkaFailure> {
        let partitions = self.partitions(topic).await?;
        let (mut config, name) = (self.config(), topic.to_owned());
        config
            .set("group.id", "cdclab-follower")
            .set("enable.auto.commit", "false");
        blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                let (_, end) = consumer.fetch_watermarks(&name, partition, DEADLINE)?;
                list.add_partition_offset(&name, partition, Offset::Offset(end))?;
            }
            consumer.assign(&list)?;
            Ok(consumer)
        })
        .await
        .map_err(self.call(&format!("follow topic `{topic}`")))
    }

    /// A producer of ours, with these settings beside the address.
    ///
    /// # Errors
    /// [`KafkaFailure::Call`].
    pub fn producer(
        &self,
        settings: &[(&str, &str)],
    ) -> Result<ThreadedProducer<DefaultProducerContext>, KafkaFailure> {
        let mut config = self.config();
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config.create().map_err(self.call("open a producer"))
    }

    /// Everything in a topic from the given offset of each partition (missing: its start) up to the ends that the
    /// partitions have now, by partition and offset.
    ///
    /// # Errors
    /// [`KafkaFailure`].
    pub async fn read(
        &self,
        topic: &str,
        from: &[(i32, i64)],
    ) -> Result<Vec<Record>, KafkaFailure> {
        let what = format!("read topic `{topic}` to its end");
        let partitions = self.partitions(topic).await?;
        let (mut config, name, from) = (self.config(), topic.to_owned(), from.to_vec());
        config
            .set("group.id", "cdclab-observer")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed");
        let (records, missing) = blocking(move || {
            let consumer: BaseConsumer = config.create()?;
            let mut open: Vec<(i32, i64)> = Vec::new();
            let mut list = TopicPartitionList::new();
            for partition in partitions {
                let (low, end) = consumer.fetch_watermarks(&name, partition, DEADLINE)?;
                let start = from
                    .iter()
                    .find(|(p, _)| *p == partition)
                    .map_or(low, |(_, offset)| *offset);
                if start < end {
                    list.add_partition_offset(&name, partition, Offset::Offset(start))?;
                    open.push((partition, end));
                }
            }
            let mut records = Vec::new();
            if open.is_empty() {
                return Ok((records, None));
            }
            consumer.assign(&list)?;
            let give_up = std::time::Instant::now() + DEADLINE;
            while !open.is_empty() {
                if std::time::Instant::now() > give_up {
                    return Ok((
                        records,
                        Some(format!("partitions and ends still to be reached: {open:?}")),
                    ));
                }
                let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                    continue;
                };
                let message = message?;
                open.retain(|(p, end)| *p != message.partition() || message.offset() + 1 < *end);
                records.push(Record {
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: message.headers().map_or(0, |headers| headers.count()),
                });
            }
            records.sort_by_key(|record| (record.partition, record.offset));
            Ok((records, None))
        })
        .await
        .map_err(self.call(&what))?;
        match missing {
            None => Ok(records),
            Some(missing) => Err(KafkaFailure::Late {
                what,
                bootstrap: self.bootstrap.clone(),
                missing,
            }),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(DEADLINE))
        .operation_timeout(Some(DEADLINE))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(KafkaError::Canceled),
    }
}

//! What a sink has to know of a Kafka cluster and have done there, and rdkafka doing it.

use std::{collections::HashMap, future::Future, io, sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};
use tokio::net::TcpStream;

use super::{connection::Connection, reach::reach};

/// Why a cluster did not do as asked; prints in the words of TiCDC's client library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No broker can be reached.
    #[error("kafka: client has run out of available brokers to talk to: {0}")]
    Unreachable(String),
    /// A broker can be reached, and does not take us: TLS, SASL, or neither where it wants them.
    #[error("kafka: client has run out of available brokers to talk to: {0}")]
    Unwelcome(String),
    /// The cluster refused.
    #[error("kafka server: {0}")]
    Refused(String),
}

/// A Kafka cluster, as far as opening a sink needs it.
pub trait Cluster: Send + Sync {
    /// The number of partitions of a topic, none if it does not exist.
    fn partitions(
        &self,
        topic: &str,
    ) -> impl Future<Output = Result<Option<u32>, ClusterError>> + Send;

    /// A setting of a topic, none if it cannot be seen.
    fn topic_config(
        &self,
        topic: &str,
        key: &str,
    ) -> impl Future<Output = Result<Option<String>, ClusterError>> + Send;

    /// A setting of the brokers, none if it cannot be seen.
    fn broker_config(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Option<String>, ClusterError>> + Send;

    /// Makes a topic; one that exists already is fine.
    fn create(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
    ) -> impl Future<Output = Result<(), ClusterError>> + Send;
}

/// A real cluster.
#[derive(Clone)]
pub struct KafkaCluster {
    admin: Arc<AdminClient<DefaultClientContext>>,
    /// How long a question may take.
    patience: Duration,
}

impl std::fmt::Debug for KafkaCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KafkaCluster")
    }
}

impl KafkaCluster {
    /// Connects to the first broker that takes us.
    ///
    /// # Errors
    /// [`ClusterError::Unreachable`] and [`ClusterError::Unwelcome`] with what the last one said.
    pub async fn connect(connection: &Connection) -> Result<Self, ClusterError> {
        dial_any(connection).await?;
        Self::open(connection.clone()).await
    }

    async fn open(connection: Connection) -> Result<Self, ClusterError> {
        // opening a client reads files, closing one waits for its threads
        let opened = tokio::task::spawn_blocking(move || {
            reach(&connection).map_err(ClusterError::Unwelcome)?;
            let admin = connection
                .client()
                .create()
                .map_err(|error| ClusterError::Refused(error.to_string()))?;
            Ok(Self {
                admin: Arc::new(admin),
                patience: connection.request_timeout().max(Duration::from_secs(1)),
            })
        });
        opened.await.unwrap_or_else(|error| {
            Err(ClusterError::Refused(format!(
                "connecting broke off: {error}"
            )))
        })
    }

    /// All topics with their number of partitions, and the ids of the brokers. Asking for one topic by name could make
    /// the brokers create it.
    async fn metadata(&self) -> Result<(HashMap<String, u32>, Vec<i32>), ClusterError> {
        let (admin, patience) = (Arc::clone(&self.admin), self.patience);
        let ask = move || {
            let metadata = admin
                .inner()
                .fetch_metadata(None, patience)
                .map_err(|error| ClusterError::Unreachable(format!("no metadata: {error}")))?;
            let topics = metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none())
                .map(|topic| {
                    (
                        topic.name().to_owned(),
                        u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX),
                    )
                })
                .collect();
            Ok((
                topics,
                metadata
                    .brokers()
                    .iter()
                    .map(rdkafka::metadata::MetadataBroker::id)
                    .collect(),
            ))
        };
        tokio::task::spawn_blocking(ask)
            .await
            .unwrap_or_else(|error| {
                Err(ClusterError::Refused(format!(
                    "asking for metadata broke off: {error}"
                )))
            })
    }

    async fn config(
        &self,
        of: ResourceSpecifier<'_>,
        key: &str,
    ) -> Result<Option<String>, ClusterError> {
        let options = AdminOptions::new().request_timeout(Some(self.patience));
        let resources = self
            .admin
            .describe_configs([&of], &options)
            .await
            .map_err(|error| ClusterError::Refused(format!("settings of {of:?}: {error}")))?;
        match resources.into_iter().next() {
            Some(Ok(resource)) => {
                let mut entries = resource.entries.into_iter();
                Ok(entries
                    .find(|entry| entry.name == key)
                    .and_then(|entry| entry.value))
            }
            // the original goes on without what it may not see
            Some(Err(code)) => {
                tracing::warn!(%code, setting = key, resource = ?of, "setting of kafka cannot be seen");
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

impl Cluster for KafkaCluster {
    async fn partitions(&self, topic: &str) -> Result<Option<u32>, ClusterError> {
        Ok(self.metadata().await?.0.get(topic).copied())
    }

    async fn topic_config(&self, topic: &str, key: &str) -> Result<Option<String>, ClusterError> {
        self.config(ResourceSpecifier::Topic(topic), key).await
    }

    async fn broker_config(&self, key: &str) -> Result<Option<String>, ClusterError> {
        match self.metadata().await?.1.first() {
            Some(broker) => self.config(ResourceSpecifier::Broker(*broker), key).await,
            None => Ok(None),
        }
    }

    async fn create(
        &self,
        topic: &str,
        partitions: i32,
        replication: i16,
    ) -> Result<(), ClusterError> {
        if topic.is_empty() {
            return Err(ClusterError::Refused(INVALID_TOPIC.to_owned()));
        }
        let options = AdminOptions::new()
            .request_timeout(Some(self.patience))
            .operation_timeout(Some(self.patience));
        let new = NewTopic::new(
            topic,
            partitions,
            TopicReplication::Fixed(replication.into()),
        );
        let results = self
            .admin
            .create_topics([&new], &options)
            .await
            .map_err(|error| ClusterError::Refused(format!("creating topic {topic}: {error}")))?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(()),
            Some(Err((_, code))) => {
                let brokers = self.metadata().await?.1.len();
                Err(ClusterError::Refused(create_fault(
                    code,
                    topic,
                    replication,
                    brokers,
                )))
            }
        }
    }
}

const INVALID_TOPIC: &str = "The request attempted to perform an operation on an invalid topic";

/// Why a topic could not be made. The message of the brokers does not reach us through rdkafka, so theirs is said again.
fn create_fault(code: RDKafkaErrorCode, topic: &str, replication: i16, brokers: usize) -> String {
    match code {
        RDKafkaErrorCode::InvalidReplicationFactor => format!(
            "Replication-factor is invalid - Unable to replicate the partition {replication} time(s): The target \
             replication factor of {replication} cannot be reached because only {brokers} broker(s) are registered."
        ),
        RDKafkaErrorCode::InvalidTopic => format!(
            "{INVALID_TOPIC} - Topic name is invalid: '{topic}' contains one or more characters other than ASCII \
             alphanumerics, '.', '_' and '-'"
        ),
        other => format!("{other} (topic {topic})"),
    }
}

/// Whether any broker can be reached.
///
/// # Errors
/// [`ClusterError::Unreachable`] with what is wrong with the last one.
pub(super) async fn dial_any(connection: &Connection) -> Result<(), ClusterError> {
    let mut last = "dial tcp: missing address".to_owned();
    for broker in &connection.brokers {
        match dial(broker, connection.dial_timeout).await {
            Ok(()) => return Ok(()),
            Err(reason) => last = reason,
        }
    }
    Err(ClusterError::Unreachable(last))
}

/// Opens and closes a connection; what is wrong is said as Go says it.
async fn dial(address: &str, timeout: Duration) -> Result<(), String> {
    if address.is_empty() {
        return Err("dial tcp: missing address".to_owned());
    }
    let bare = address.rsplit_once(']').map_or(address, |(_, port)| port);
    if !bare.contains(':') {
        return Err(format!(
            "dial tcp: address {address}: missing port in address"
        ));
    }
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                format!("dial tcp {address}: connect: connection refused")
            }
            io::ErrorKind::NetworkUnreachable => {
                format!("dial tcp {address}: connect: network is unreachable")
            }
            io::ErrorKind::HostUnreachable => {
                format!("dial tcp {address}: connect: no route to host")
            }
            _ => format!("dial tcp {address}: {error}"),
        }),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_reached_is_named() {
        for (broker, reason) in [
            (
                "127.0.0.1:1",
                "dial tcp 127.0.0.1:1: connect: connection refused",
            ),
            (
                "127.0.0.1",
                "dial tcp: address 127.0.0.1: missing port in address",
            ),
            ("", "dial tcp: missing address"),
        ] {
            let mut connection = Connection::plain(vec![broker.to_owned()], "x".to_owned());
            connection.dial_timeout = Duration::from_secs(1);
            let error = KafkaCluster::connect(&connection).await.unwrap_err();
            assert_eq!(error, ClusterError::Unreachable(reason.to_owned()));
        }
    }
}

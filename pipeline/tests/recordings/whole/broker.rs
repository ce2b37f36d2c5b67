//! What the mock broker cannot be asked: it has one topic with Kafka's default limits.

use pipeline::sink::{
    kafka::{
        cluster::{Cluster, ClusterError},
        connection::Connection,
    },
    prepare::Connect,
};

use super::{PARTITIONS, TOPIC};

pub(super) struct Broker;

impl Connect for Broker {
    type Cluster = Broker;

    async fn connect(&self, _: &Connection) -> Result<Broker, ClusterError> {
        Ok(Broker)
    }
}

impl Cluster for Broker {
    async fn partitions(&self, topic: &str) -> Result<Option<u32>, ClusterError> {
        Ok((topic == TOPIC).then_some(PARTITIONS.cast_unsigned()))
    }

    async fn topic_config(&self, _: &str, key: &str) -> Result<Option<String>, ClusterError> {
        let value = match key {
            "max.message.bytes" => "1048588",
            "min.insync.replicas" => "1",
            _ => return Ok(None),
        };
        Ok(Some(value.to_owned()))
    }

    async fn broker_config(&self, _: &str) -> Result<Option<String>, ClusterError> {
        Ok(None)
    }

    async fn create(&self, topic: &str, _: i32, _: i16) -> Result<(), ClusterError> {
        Err(ClusterError::Refused(format!(
            "no topic {topic} can be made here"
        )))
    }
}

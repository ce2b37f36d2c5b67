//! Parameters of Kafka in v4.0.9: from the URI only (`spec/sink-uri.md §2`).

use super::LegacyConfig;
use crate::{
    coded::{Code, Coded},
    config::{
        golang,
        kafka::{
            Identity, check_client_id, check_version, invalid_partition_num, replace_special,
            unsupported,
        },
        security::Security,
        uri::SinkUri,
    },
};

/// What the URI says about Kafka, before the brokers were asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyKafkaOptions {
    /// `host:port` of each broker.
    pub brokers: Vec<String>,
    /// The one topic, not checked here.
    pub topic: String,
    /// Partitions to use, 0 for all that the topic has.
    pub partition_num: i32,
    /// Replicas of a topic that is created.
    pub replication_factor: i16,
    /// The largest message in bytes; not compared with what the brokers take.
    pub max_message_bytes: i64,
    /// Compression as given.
    pub compression: String,
    /// How the producer calls itself.
    pub client_id: String,
    /// TLS.
    pub security: Security,
}

impl LegacyKafkaOptions {
    /// Reads the URI; writes the protocol it names into `config` and what it says about sizes into `opts`, as the
    /// original does.
    ///
    /// # Errors
    /// `ErrKafkaInvalidConfig`, `ErrKafkaInvalidVersion`, `ErrKafkaInvalidClientID`, `ErrKafkaInvalidPartitionNum`;
    /// `ErrToTLSConfigFailed`.
    pub fn parse(
        uri: &SinkUri,
        config: &mut LegacyConfig,
        mut set_option: impl FnMut(&str, &str),
        identity: Identity<'_>,
    ) -> Result<Self, Coded> {
        let given = |key: &str| uri.param(key).filter(|value| !value.is_empty());
        let int = |key: &str| {
            given(key)
                .map(golang::atoi)
                .transpose()
                .map_err(|reason| Coded::new(Code::ErrKafkaInvalidConfig, reason))
        };
        // the original casts without a look
        #[allow(clippy::cast_possible_truncation)]
        let partition_num = int("partition-num")?.unwrap_or(0) as i32;
        #[allow(clippy::cast_possible_truncation)]
        let replication_factor = int("replication-factor")?.unwrap_or(1) as i16;
        let max_message_bytes = int("max-message-bytes")?.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES);
        for key in ["max-message-bytes", "max-batch-size"] {
            if let Some(value) = given(key) {
                set_option("max-message-bytes", value);
            }
        }
        if let Some(protocol) = given("protocol") {
            protocol.clone_into(&mut config.sink.protocol);
        }
        check_version(given("kafka-version").unwrap_or("2.4.0"))
            .map_err(|reason| Coded::new(Code::ErrKafkaInvalidVersion, reason))?;
        let client_id = match given("kafka-client-id") {
            Some(id) => id.to_owned(),
            None => replace_special(&format!(
                "TiCDC_sarama_producer_processor_{}_{}",
                identity.capture, identity.changefeed
            )),
        };
        check_client_id(&client_id)?;
        let security = Security::legacy(given("ca"), given("cert"), given("key"));
        security.check_files()?;
        if partition_num < 0 {
            return Err(invalid_partition_num(partition_num.into()));
        }
        Ok(Self {
            brokers: uri.host().split(',').map(str::to_owned).collect(),
            topic: uri.topic().to_owned(),
            partition_num,
            replication_factor,
            max_message_bytes,
            compression: given("compression").unwrap_or("none").to_owned(),
            client_id,
            security,
        })
    }
}

/// The code's, not the documentation's: 512 MiB.
const DEFAULT_MAX_MESSAGE_BYTES: i64 = 536_870_912;

impl LegacyConfig {
    /// Whether the message format can be served. An unknown name meant the open protocol in v4.0.9.
    ///
    /// # Errors
    /// `ErrKafkaInvalidConfig` without old values; `ErrUnsupportedByPipeline` for anything but canal-json.
    pub fn check_protocol(&self) -> Result<(), Coded> {
        match self.sink.protocol.to_lowercase().as_str() {
            "canal-json" | "canal" if !self.enable_old_value => Err(Coded::new(
                Code::ErrKafkaInvalidConfig,
                "Canal requires old value to be enabled",
            )),
            "canal-json" => Ok(()),
            known @ ("default" | "canal" | "avro" | "maxwell") => Err(unsupported(format_args!(
                "message protocol '{known}' (only canal-json is)"
            ))),
            unknown => Err(unsupported(format_args!(
                "message protocol '{unknown}' (v4.0.9 takes an unknown name for the open protocol; only canal-json is)"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity<'_> = Identity {
        capture: "127.0.0.1:8300",
        namespace: "",
        changefeed: "x",
    };

    fn parse(query: &str) -> Result<(LegacyKafkaOptions, LegacyConfig, Vec<String>), Coded> {
        let uri = SinkUri::parse(&format!(
            "kafka://127.0.0.1:9092/four4?protocol=canal-json&{query}"
        ))
        .unwrap();
        let mut config = LegacyConfig {
            enable_old_value: true,
            ..LegacyConfig::default()
        };
        let mut opts = Vec::new();
        let options = LegacyKafkaOptions::parse(
            &uri,
            &mut config,
            |key, value| opts.push(format!("{key}={value}")),
            IDENTITY,
        )?;
        Ok((options, config, opts))
    }

    #[test]
    fn the_articles_parameters() {
        let (options, config, opts) =
            parse("kafka-version=2.7.0&partition-num=1&max-message-bytes=67108864&replication-factor=1&enable-old-value=true")
                .unwrap();
        assert_eq!(
            (options.partition_num, options.max_message_bytes),
            (1, 67_108_864)
        );
        assert_eq!(
            options.client_id,
            "TiCDC_sarama_producer_processor_127.0.0.1_8300_x"
        );
        assert_eq!(config.sink.protocol, "canal-json");
        assert_eq!(opts, ["max-message-bytes=67108864"]);
        assert!(config.check_protocol().is_ok());
    }

    #[test]
    fn refusals_are_those_recorded() {
        for (query, error) in [
            (
                "partition-num=abc",
                "[CDC:ErrKafkaInvalidConfig]strconv.Atoi: parsing \"abc\": invalid syntax",
            ),
            (
                "partition-num=-1",
                "[CDC:ErrKafkaInvalidPartitionNum]invalid partition num -1",
            ),
            (
                "kafka-version=abc",
                "[CDC:ErrKafkaInvalidVersion]invalid version `abc`",
            ),
            (
                "kafka-client-id=bad%20id",
                "[CDC:ErrKafkaInvalidClientID]invalid kafka client ID 'bad id'",
            ),
        ] {
            assert_eq!(parse(query).unwrap_err().to_string(), error);
        }
        let mut config = LegacyConfig::default();
        config.sink.protocol = "canal-json".to_owned();
        assert_eq!(
            config.check_protocol().unwrap_err().to_string(),
            "[CDC:ErrKafkaInvalidConfig]Canal requires old value to be enabled"
        );
    }
}

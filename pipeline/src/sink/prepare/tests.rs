//! Sink URIs and changefeed files against what TiCDC v8.4.0 made of them with a real broker.

use serde::Deserialize;

use super::*;
use crate::{
    config::{file, golang, validate},
    testing::recording,
};

#[derive(Debug, Deserialize)]
struct Case {
    sink_uri: String,
    #[serde(default)]
    config: String,
    refused_at: Option<String>,
    code: Option<String>,
    error: Option<String>,
    resolved: Option<Resolved>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Resolved {
    auto_create: bool,
    brokers: Vec<String>,
    client_id: String,
    content_compatible: bool,
    delete_only_handle_key_columns: bool,
    enable_tidb_extension: bool,
    max_message_bytes: i64,
    only_output_updated_columns: bool,
    partition_num: u32,
    replication_factor: i16,
    protocol: String,
    compression: String,
    required_acks: i64,
    enable_tls: bool,
    sasl_mechanism: String,
    dial_timeout: String,
    read_timeout: String,
    write_timeout: String,
}

/// The broker of the recording, as its first line describes it.
struct Recorded;

struct Topic {
    partitions: u32,
    max_message_bytes: &'static str,
    min_insync_replicas: &'static str,
}

fn topic(name: &str) -> Option<Topic> {
    let of = |partitions, max_message_bytes, min_insync_replicas| {
        Some(Topic {
            partitions,
            max_message_bytes,
            min_insync_replicas,
        })
    };
    match name {
        "small" => of(1, "1000012", "1"),
        "four" => of(4, "12800000", "1"),
        "ticdc-test" => of(1, "12800000", "1"),
        "minisr" => of(1, "12800000", "2"),
        "m10485760" => of(1, "10485760", "1"),
        "m10485888" => of(1, "10485888", "1"),
        "m10485800" => of(1, "10485800", "1"),
        _ => None,
    }
}

impl Cluster for Recorded {
    async fn partitions(&self, name: &str) -> Result<Option<u32>, ClusterError> {
        Ok(topic(name).map(|topic| topic.partitions))
    }

    async fn topic_config(&self, name: &str, key: &str) -> Result<Option<String>, ClusterError> {
        let topic = topic(name).expect("settings are asked of topics that exist");
        Ok(match key {
            "max.message.bytes" => Some(topic.max_message_bytes.to_owned()),
            "min.insync.replicas" => Some(topic.min_insync_replicas.to_owned()),
            _ => None,
        })
    }

    async fn broker_config(&self, key: &str) -> Result<Option<String>, ClusterError> {
        Ok(match key {
            "message.max.bytes" => Some("12800000".to_owned()),
            "min.insync.replicas" => Some("1".to_owned()),
            _ => None,
        })
    }

    async fn create(&self, name: &str, _: i32, replication: i16) -> Result<(), ClusterError> {
        use rdkafka::types::RDKafkaErrorCode::{InvalidReplicationFactor, InvalidTopic};
        let fault = |code| {
            Err(ClusterError::Refused(
                super::super::kafka::cluster::create_fault(code, name, replication, 1),
            ))
        };
        match name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        {
            false => fault(InvalidTopic),
            true if replication > 1 => fault(InvalidReplicationFactor),
            true => Ok(()),
        }
    }
}

/// Hands out the recorded broker for its own address and dials any other.
struct Recording;

impl Connect for Recording {
    type Cluster = Recorded;

    async fn connect(&self, connection: &Connection) -> Result<Recorded, ClusterError> {
        if !connection
            .brokers
            .iter()
            .any(|broker| broker == "127.0.0.1:9092")
        {
            return KafkaCluster::connect(connection).await.map(|_| Recorded);
        }
        // that broker listened in plain text; `tests/secured` has the words from one that runs
        let welcome = match (&connection.security.tls, &connection.security.sasl) {
            (None, None) => return Ok(Recorded),
            (Some(_), _) => {
                "EOF (127.0.0.1:9092 does not speak TLS: its listener may be in plain text)"
            }
            (None, Some(_)) => "kafka server: SASL handshake failed",
        };
        Err(ClusterError::Unwelcome(welcome.to_owned()))
    }
}

fn shown(timeout: std::time::Duration) -> String {
    golang::duration_text(i64::try_from(timeout.as_nanos()).expect("a timeout that was parsed"))
}

/// Where and how a case was refused, or what it settled on.
async fn judge(case: &Case) -> Result<Resolved, (&'static str, Option<&'static str>, String)> {
    let compat = Compat::V8_5;
    // The recorded machine's own folder; it is made.
    let folder = tempfile::tempdir().expect("a folder");
    let claims = format!("file://{}", folder.path().display());
    let mut config = file::parse(
        &case.config.replace("file:///claim", &claims),
        "changefeed.toml",
        &ReplicaConfig::defaults(compat),
        compat,
    )
    .map_err(|error| ("config file", None, error.to_string()))?;
    let coded =
        |at: &'static str| move |error: Coded| (at, Some(error.code().as_str()), error.to_string());
    let uri = SinkUri::parse(&case.sink_uri).map_err(|error| ("uri", None, error.to_string()))?;
    validate::adjust(&mut config, &uri).map_err(coded("validate"))?;
    let identity = Identity {
        capture: "",
        namespace: "default",
        changefeed: "rec",
    };
    let Prepared { settled, .. } = prepare(&Recording, &uri, &config, compat, identity)
        .await
        .map_err(coded("sink"))?;
    Ok(Resolved {
        auto_create: settled.auto_create,
        dial_timeout: shown(settled.connection.dial_timeout),
        read_timeout: shown(settled.connection.read_timeout),
        write_timeout: shown(settled.connection.write_timeout),
        enable_tls: settled.connection.security.tls.is_some(),
        sasl_mechanism: settled
            .connection
            .security
            .sasl
            .map_or(String::new(), |sasl| sasl.mechanism.name().to_owned()),
        brokers: settled.connection.brokers,
        client_id: settled.connection.client_id,
        required_acks: settled.required_acks,
        content_compatible: settled.encoder.content_compatible,
        delete_only_handle_key_columns: settled.encoder.delete_only_handle_key_columns,
        enable_tidb_extension: settled.encoder.enable_tidb_extension,
        max_message_bytes: settled.max_message_bytes,
        only_output_updated_columns: settled.encoder.only_output_updated_columns,
        partition_num: settled.partitions,
        replication_factor: settled.replication_factor,
        protocol: validate::known_protocol(config.sink.protocol.as_deref().unwrap_or_default())
            .expect("a protocol that was settled on")
            .to_owned(),
        compression: settled.compression,
    })
}

/// What TiCDC takes (or fails at later, for want of an OAuth server) and this pipeline names as its own limit.
fn is_our_limit(case: &Case) -> bool {
    let uri = &case.sink_uri;
    let other_protocol = [
        "canal",
        "open-protocol",
        "default",
        "maxwell",
        "debezium",
        "simple",
        "craft",
    ]
    .iter()
    .any(|name| {
        uri.contains("protocol=")
            && uri.ends_with(&format!("protocol={name}"))
            && !uri.contains("canal-json")
    });
    let token = case.config.contains("OAUTHBEARER");
    other_protocol || token
}

#[tokio::test]
async fn recorded_verdicts() {
    let cases: Vec<Case> = recording("ticdc/sink-verdicts.jsonl.gz");
    assert_eq!(cases.len(), 172);
    let (mut agreed, mut limits) = (0, 0);
    for case in &cases {
        let shown = format!("{} {:?}", case.sink_uri, case.config);
        match judge(case).await {
            Err((_, Some(code), _)) if is_our_limit(case) => {
                assert_eq!(code, Code::ErrUnsupportedByPipeline.as_str(), "{shown}");
                limits += 1;
            }
            Ok(resolved) => {
                assert_eq!(
                    Some(resolved),
                    case.resolved.as_ref().map(copied),
                    "{shown}: {:?}",
                    case.error
                );
                agreed += 1;
            }
            Err((at, code, error)) => {
                assert_eq!(Some(at), case.refused_at.as_deref(), "{shown}: {error}");
                assert_eq!(code, case.code.as_deref(), "{shown}: {error}");
                let expected = case.error.clone().unwrap_or_default();
                // which token a TOML reader stumbles over is its own affair
                // why a broker does not take us is said in more words than the recorded ones
                let unwelcome =
                    |more: &str| more.starts_with(" (") || more.starts_with(": kafka server: SASL");
                let same = error == expected
                    || !expected.is_empty() && error.strip_prefix(&expected).is_some_and(unwelcome)
                    || expected.starts_with("toml: ") && error.starts_with("toml: line 1: ");
                assert!(same, "{shown}\n  ours     {error}\n  recorded {expected}");
                agreed += 1;
            }
        }
    }
    assert_eq!((agreed, limits), (164, 8));
}

fn copied(resolved: &Resolved) -> Resolved {
    Resolved {
        brokers: resolved.brokers.clone(),
        client_id: resolved.client_id.clone(),
        protocol: resolved.protocol.clone(),
        compression: resolved.compression.clone(),
        sasl_mechanism: resolved.sasl_mechanism.clone(),
        dial_timeout: resolved.dial_timeout.clone(),
        read_timeout: resolved.read_timeout.clone(),
        write_timeout: resolved.write_timeout.clone(),
        ..*resolved
    }
}

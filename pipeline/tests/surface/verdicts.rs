//! Sink URIs and changefeed files against what TiCDC v8.4.0 made of them with a real broker.

use std::collections::BTreeMap;

use pipeline::{
    coded::{Code, Coded},
    compat::Compat,
    config::{file, golang, kafka::Identity, replica::ReplicaConfig, uri::SinkUri, validate},
    sink::prepare::{Kafka, Prepared, prepare},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    cluster::{Cluster, block},
    load::recording,
    topics::{create, topics},
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

/// The topics that the recording's first line names.
fn make_topics(port: u16) {
    let size = "max.message.bytes";
    create(port, "small", 1, &[(size, "1000012")]);
    create(port, "four", 4, &[]);
    create(port, "ticdc-test", 1, &[]);
    create(port, "minisr", 1, &[("min.insync.replicas", "2")]);
    for bytes in ["10485760", "10485888", "10485800"] {
        create(port, &format!("m{bytes}"), 1, &[(size, bytes)]);
    }
}

fn shown(timeout: std::time::Duration) -> String {
    golang::duration_text(i64::try_from(timeout.as_nanos()).expect("a timeout that was parsed"))
}

/// The address of the recorded broker.
const RECORDED: &str = "127.0.0.1:9092";

fn in_their_words(brokers: Vec<String>, broker: &str) -> Vec<String> {
    brokers
        .iter()
        .map(|text| text.replace(broker, RECORDED))
        .collect()
}

/// Where and how a case was refused, or what it settled on.
async fn judge(
    case: &Case,
    broker: &str,
) -> Result<Resolved, (&'static str, Option<&'static str>, String)> {
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
    let sink_uri = case.sink_uri.replace(RECORDED, broker);
    let uri = SinkUri::parse(&sink_uri).map_err(|error| ("uri", None, error.to_string()))?;
    validate::adjust(&mut config, &uri).map_err(coded("validate"))?;
    let identity = Identity {
        capture: "",
        namespace: "default",
        changefeed: "rec",
    };
    let Prepared { settled, .. } = prepare(&Kafka, &uri, &config, compat, identity)
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
        brokers: in_their_words(settled.connection.brokers, broker),
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

#[test]
fn recorded_verdicts() {
    let cluster = Cluster::kafka_alone("message.max.bytes=12800000\n");
    make_topics(cluster.kafka);
    let lines = recording("sink-verdicts");
    let (head, cases) = lines.split_first().unwrap();
    block(compare(cases, &format!("127.0.0.1:{}", cluster.kafka)));
    let after: BTreeMap<String, usize> =
        serde_json::from_value(head["topics_after"].clone()).unwrap();
    assert_eq!(topics(cluster.kafka), after);
}

async fn compare(cases: &[Value], broker: &str) {
    assert_eq!(cases.len(), 172);
    let (mut agreed, mut limits) = (0, 0);
    for case in cases {
        let case: &Case = &Case::deserialize(case).unwrap();
        let shown = format!("{} {:?}", case.sink_uri, case.config);
        match judge(case, broker).await {
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
                let error = error.replace(broker, RECORDED);
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

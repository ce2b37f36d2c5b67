//! What arrives, and how the broker stored it.

use std::fs;

use pipeline::compat::Compat;

use super::lab::{Lab, PASSWORD, open, open_legacy, sasl, send};

/// One batch of records in a log of Kafka's.
#[derive(Debug)]
struct Batch {
    /// 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    compression: u16,
    /// -1 of a producer that is not idempotent.
    producer_id: i64,
}

/// The batches of a topic's only partition: `baseOffset` (8 bytes), `batchLength` (4), `partitionLeaderEpoch` (4), `magic`
/// (1), `crc` (4), `attributes` (2), `lastOffsetDelta` (4), two timestamps (16), `producerId` (8).
fn batches(lab: &Lab, topic: &str) -> Vec<Batch> {
    let log = fs::read(lab.segment(topic)).unwrap();
    let (mut batches, mut at) = (Vec::new(), 0);
    while at < log.len() {
        let take = |from: usize, count: usize| &log[at + from..at + from + count];
        assert_eq!(take(16, 1), [2], "{topic}: magic");
        batches.push(Batch {
            compression: u16::from_be_bytes(take(21, 2).try_into().unwrap()) & 7,
            producer_id: i64::from_be_bytes(take(43, 8).try_into().unwrap()),
        });
        let length = u32::from_be_bytes(take(8, 4).try_into().unwrap());
        at += 12 + usize::try_from(length).unwrap();
    }
    assert!(!batches.is_empty(), "{topic}: nothing is stored");
    batches
}

/// Messages that compress well.
fn messages(topic: &str) -> Vec<String> {
    (0..500)
        .map(|number| format!("{{\"number\":{number},\"text\":\"{}\"}}", topic.repeat(20)))
        .collect()
}

fn arrives(lab: &Lab, endpoint: &str, topic: &str, options: &str) {
    let uri = lab.uri(endpoint, topic, &format!("{options}&partition-num=1"));
    let settled = open(&uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
    let messages = messages(topic);
    send(&settled, Compat::V8_5, &messages);
    assert_eq!(lab.read(topic, messages.len()), messages, "{uri}");
}

pub fn every_listener(lab: &Lab) {
    arrives(lab, "bootstrap", "plain", "");
    arrives(lab, "ssl", "ssl", &lab.tls());
    for mechanism in ["plain", "scram-sha-256", "SCRAM-SHA-512"] {
        let sasl = sasl(mechanism, PASSWORD);
        arrives(lab, "sasl-plaintext", &format!("p-{mechanism}"), &sasl);
        let both = lab.tls() + &sasl;
        arrives(lab, "sasl-ssl", &format!("s-{mechanism}"), &both);
    }
    // the certificate of nobody whom the system knows
    let unverified = sasl("plain", PASSWORD) + "&enable-tls=true&insecure-skip-verify=true";
    arrives(lab, "sasl-ssl", "unverified", &unverified);
}

pub fn every_compression(lab: &Lab) {
    for (stored, name) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        arrives(lab, "bootstrap", name, &format!("&compression={name}"));
        for batch in batches(lab, name) {
            assert_eq!(usize::from(batch.compression), stored, "{name}: {batch:?}");
        }
    }
    arrives(lab, "bootstrap", "brotli", "&compression=brotli");
    assert!(
        batches(lab, "brotli")
            .iter()
            .all(|batch| batch.compression == 0)
    );
}

pub fn every_acknowledgement(lab: &Lab) {
    for (acks, idempotent) in [("-1", true), ("1", false), ("0", false)] {
        let topic = format!("acks{acks}");
        arrives(lab, "bootstrap", &topic, &format!("&required-acks={acks}"));
        for batch in batches(lab, &topic) {
            assert_eq!(batch.producer_id >= 0, idempotent, "{topic}: {batch:?}");
        }
    }
}

/// TLS, zstd and the idempotence of that release, which has no SASL.
pub fn of_v4_0_9(lab: &Lab) {
    let uri = lab.uri(
        "ssl",
        "old",
        &format!("{}&partition-num=1&compression=zstd", lab.tls()),
    );
    let settled = open_legacy(&uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
    let messages = messages("old");
    send(&settled, Compat::V4_0_9, &messages);
    assert_eq!(lab.read("old", messages.len()), messages);
    for batch in batches(lab, "old") {
        assert!(
            batch.compression == 4 && batch.producer_id >= 0,
            "{batch:?}"
        );
    }
}

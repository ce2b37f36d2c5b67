//! Brokers that do not take us: a code of TiCDC's, the reason in words, and no waiting for ever.

use std::time::{Duration, Instant};

use pipeline::coded::Coded;

use super::lab::{Lab, PASSWORD, open, open_legacy, sasl};

/// No refusal takes as long as a timeout: brokers answer.
const SOON: Duration = Duration::from_secs(8);

fn refused<T: std::fmt::Debug>(uri: &str, open: impl Fn(&str) -> Result<T, Coded>) -> String {
    let started = Instant::now();
    let error = open(uri).unwrap_err();
    let took = started.elapsed();
    assert!(took < SOON, "{uri}: {took:?}: {error}");
    error.to_string()
}

/// What is said since v5 behind the code and the words that are always there.
fn reason(uri: &str) -> String {
    let error = refused(uri, open);
    let lead = "[CDC:ErrKafkaNewProducer]new kafka producer: kafka: client has run out of available brokers to talk to: ";
    let reason = error.strip_prefix(lead);
    reason
        .unwrap_or_else(|| panic!("{uri}: {error}"))
        .to_owned()
}

pub fn credentials(lab: &Lab) {
    for (endpoint, tls) in [("sasl-plaintext", String::new()), ("sasl-ssl", lab.tls())] {
        for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
            let wrong = tls.clone() + &sasl(mechanism, "wrong-password");
            let reason = reason(&lab.uri(endpoint, "t", &wrong));
            let said = "kafka server: SASL Authentication failed: Authentication failed";
            assert!(reason.starts_with(said), "{reason}");
            assert!(reason.ends_with(&format!("({})", lab.address(endpoint))));
            assert!(!reason.contains("wrong-password"), "{reason}");
        }
    }
}

pub fn certificates(lab: &Lab) {
    let broker = lab.address("ssl");
    let unverified = format!("tls: failed to verify certificate of {broker}: ");
    let said = |options: &str| reason(&lab.uri("ssl", "t", options));
    // the system trusts others, and so does who has a file of another authority
    assert!(said("&enable-tls=true").starts_with(&unverified));
    let another = lab.tls().replace("ca.pem", "broker.pem");
    assert!(said(&another).starts_with(&unverified));
    // the listener wants a certificate of ours
    let none = said("&enable-tls=true&insecure-skip-verify=true");
    assert!(none.contains("may want a certificate of ours"), "{none}");
    // a key that is not the certificate's
    let unlike = lab.tls().replace("client-key.pem", "broker-key.pem");
    let unlike = said(&unlike);
    assert!(unlike.contains("key values mismatch"), "{unlike}");
    let missing = lab.tls().replace("/ca.pem", "/no.pem");
    assert_eq!(
        refused(&lab.uri("ssl", "t", &missing), open),
        format!(
            "[CDC:ErrKafkaNewProducer]new kafka producer: [CDC:ErrToTLSConfigFailed]generate tls config failed: could not \
             read ca certificate: open {}: no such file or directory",
            lab.file("no.pem").display()
        )
    );
}

pub fn other_listeners(lab: &Lab) {
    let said = |endpoint, options: &str| reason(&lab.uri(endpoint, "t", options));
    let plain = lab.address("bootstrap");
    assert_eq!(
        said("bootstrap", &lab.tls()),
        format!("EOF ({plain} does not speak TLS: its listener may be in plain text)")
    );
    let sasl = sasl("plain", PASSWORD);
    let handshake = said("bootstrap", &sasl);
    assert!(
        handshake.starts_with("kafka server: SASL PLAIN mechanism handshake failed"),
        "{handshake}"
    );
    for (endpoint, options, wanted) in [
        ("ssl", "", "it may want TLS"),
        ("sasl-plaintext", "", "or SASL (sasl-mechanism"),
        ("sasl-ssl", "", "it may want TLS"),
        ("sasl-ssl", sasl.as_str(), "it may want TLS"),
    ] {
        let reason = said(endpoint, options);
        assert!(
            reason.starts_with("EOF (") && reason.contains(wanted),
            "{endpoint}: {reason}"
        );
    }
}

/// The words of that release say nothing of the reason; ours follows them.
pub fn of_v4_0_9(lab: &Lab) {
    let another = lab.tls().replace("/ca.pem", "/broker.pem");
    let error = refused(&lab.uri("ssl", "t", &another), open_legacy);
    let lead = "[CDC:ErrKafkaNewSaramaProducer]kafka: client has run out of available brokers to talk to (Is your \
                cluster reachable?): tls: failed to verify certificate of ";
    assert!(error.starts_with(lead), "{error}");
    let missing = lab.tls().replace("/ca.pem", "/no.pem");
    let error = refused(&lab.uri("ssl", "t", &missing), open_legacy);
    assert!(
        error.starts_with("[CDC:ErrToTLSConfigFailed]generate tls config failed: "),
        "{error}"
    );
}

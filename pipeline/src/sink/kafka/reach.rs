//! Whether brokers take us: the client library tries for ever and says nothing, so a first connection is watched here and
//! what is wrong with it is said in words.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, Producer as _, ProducerContext},
};

use super::connection::Connection;

/// The first time that is waited for an answer; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// Events of the client library that are taken at a time; an idle one has none.
const EVENTS: usize = 64;

/// What the client library said of a connection.
#[derive(Debug, Default)]
struct Trouble {
    /// The last thing that went wrong.
    reason: Option<(RDKafkaErrorCode, String)>,
    /// Every broker was tried in vain.
    all_down: bool,
}

#[derive(Debug, Default)]
struct Watch(Mutex<Trouble>);

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match code {
            RDKafkaErrorCode::AllBrokersDown => trouble.all_down = true,
            code => trouble.reason = Some((code, reason.to_owned())),
        }
    }
}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Connects to the first broker that takes us: with TLS and SASL, if they are asked for, up to a first answer. Blocks, for as
/// long as connecting and an answer may take.
///
/// # Errors
/// Why none does, for people: what the last one said.
pub(super) fn reach(connection: &Connection) -> Result<(), String> {
    let client: BaseProducer<Watch> = connection
        .client()
        .create_with_context(Watch::default())
        .map_err(|error| unusable(connection, &error))?;
    let patience = connection.dial_timeout + connection.request_timeout();
    let (started, mut step) = (Instant::now(), FIRST);
    loop {
        let left = patience.saturating_sub(started.elapsed());
        let answer = client
            .client()
            .fetch_metadata(None, step.min(left.max(Duration::from_millis(1))));
        for _ in 0..EVENTS {
            client.poll(Duration::ZERO);
        }
        let error = match answer {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let context = client.context();
        let trouble = context.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &trouble.reason {
            // a broker may be gone for a moment; credentials and certificates stay what they are
            Some((code, reason)) if trouble.all_down => {
                return Err(explain(connection, *code, reason));
            }
            None if trouble.all_down => return Err(closed(connection)),
            Some((code, reason)) if left.is_zero() => {
                return Err(explain(connection, *code, reason));
            }
            None if left.is_zero() => return Err(format!("i/o timeout ({error})")),
            _ => step *= 2,
        }
    }
}

/// A configuration that the client library does not take: files of TLS that are not what they should be.
fn unusable(connection: &Connection, error: &KafkaError) -> String {
    match &connection.security.tls {
        Some(tls) => {
            let files: Vec<&str> = [
                tls.ca.as_deref(),
                tls.pair.as_ref().map(|(cert, _)| cert.as_str()),
                tls.pair.as_ref().map(|(_, key)| key.as_str()),
            ]
            .into_iter()
            .flatten()
            .collect();
            format!("tls: {error} (files: {})", files.join(", "))
        }
        None => error.to_string(),
    }
}

/// A connection that a broker closed without a word.
fn closed(connection: &Connection) -> String {
    let brokers = connection.brokers.join(",");
    match (&connection.security.tls, &connection.security.sasl) {
        (None, None) => format!(
            "EOF ({brokers} closes connections in plain text: it may want TLS (enable-tls, ca, cert, key) or SASL \
             (sasl-mechanism, sasl-user, sasl-password))"
        ),
        (None, Some(_)) => format!(
            "EOF ({brokers} closes connections in plain text: it may want TLS (enable-tls, ca, cert, key))"
        ),
        (Some(_), _) => format!("EOF ({brokers} closes the connection)"),
    }
}

/// What the client library said, in the words of the original's where it is the same, and what to do about it.
fn explain(connection: &Connection, code: RDKafkaErrorCode, said: &str) -> String {
    let (broker, reason) = bare(said);
    if reason.contains("certificate verify failed") {
        return format!(
            "tls: failed to verify certificate of {broker}: its authority is not the one in `ca` (without `ca`: none that \
             the system trusts), or it is for another host, or it has expired"
        );
    }
    if reason.contains("connecting to a PLAINTEXT broker listener")
        || connection.security.tls.is_some() && reason.contains("wrong version number")
        || connection.security.tls.is_some() && reason.contains("SSL connection closed by peer")
    {
        return format!("EOF ({broker} does not speak TLS: its listener may be in plain text)");
    }
    if code == RDKafkaErrorCode::Authentication {
        return match reason.strip_prefix("SASL authentication error: ") {
            Some(reason) => {
                format!("kafka server: SASL Authentication failed: {reason} ({broker})")
            }
            None => {
                format!("kafka server: {reason} ({broker} may want no SASL, or another mechanism)")
            }
        };
    }
    match &connection.security.tls {
        Some(tls) if tls.pair.is_none() && reason.starts_with("Receive failed: error:") => format!(
            "tls: {broker} breaks off the handshake and may want a certificate of ours (cert, key): {reason}"
        ),
        Some(_) if reason.starts_with("Receive failed: error:") => format!(
            "tls: {broker} breaks off the handshake and may not trust our certificate (cert, key): {reason}"
        ),
        _ => format!("{reason} ({broker})"),
    }
}

/// The broker and what went wrong in `sasl_ssl://host:port/bootstrap: what went wrong (after 4ms in state …)`.
fn bare(said: &str) -> (&str, &str) {
    let said = said.rfind(" (after ").map_or(said, |at| &said[..at]);
    let Some((broker, reason)) = said.split_once(": ") else {
        return ("a broker", said);
    };
    let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest);
    let broker = broker.split('/').next().unwrap_or(broker);
    (broker, reason.trim_end_matches([' ', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::security::{Security, Tls};

    #[test]
    fn what_the_library_says_is_put_into_words() {
        let mut connection = Connection::plain(vec!["127.0.0.1:9093".to_owned()], "x".to_owned());
        let say = |connection: &Connection, code, said: &str| explain(connection, code, said);
        assert_eq!(
            say(
                &connection,
                RDKafkaErrorCode::Authentication,
                "sasl_plaintext://127.0.0.1:9094/bootstrap: SASL authentication error: Authentication failed: Invalid \
                 username or password (after 301ms in state AUTH_REQ)"
            ),
            "kafka server: SASL Authentication failed: Authentication failed: Invalid username or password (127.0.0.1:9094)"
        );
        assert!(closed(&connection).starts_with("EOF (127.0.0.1:9093 closes"));
        connection.security = Security {
            tls: Some(Tls::default()),
            sasl: None,
        };
        assert_eq!(
            say(
                &connection,
                RDKafkaErrorCode::BrokerTransportFailure,
                "ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: \
                 connecting to a PLAINTEXT broker listener? (after 4ms in state SSL_HANDSHAKE)"
            ),
            "EOF (127.0.0.1:9092 does not speak TLS: its listener may be in plain text)"
        );
        assert!(
            say(
                &connection,
                RDKafkaErrorCode::BrokerTransportFailure,
                "ssl://h:1/bootstrap: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert \
                 number 42 (after 1ms in state APIVERSION_QUERY)"
            )
            .starts_with("tls: h:1 breaks off the handshake and may want a certificate of ours (cert, key): Receive")
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_said_panics(said in ".*") {
            let (broker, reason) = bare(&said);
            proptest::prop_assert!(broker == "a broker" || said.contains(broker));
            proptest::prop_assert!(said.contains(reason));
        }
    }
}

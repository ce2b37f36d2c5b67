//! How brokers are reached: addresses, TLS, SASL and timeouts, as the client library takes them.

use std::time::Duration;

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::config::security::{Sasl, Security, Tls};

/// Everything that a client of ours has to know to speak to the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// `host:port` of each broker.
    pub brokers: Vec<String>,
    /// How the client calls itself.
    pub client_id: String,
    /// TLS and SASL.
    pub security: Security,
    /// How long connecting may take (`dial-timeout`).
    pub dial_timeout: Duration,
    /// How long an answer may take (`read-timeout`).
    pub read_timeout: Duration,
    /// How long sending a request may take (`write-timeout`).
    pub write_timeout: Duration,
}

/// TiCDC's default of all three timeouts.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl Connection {
    /// Brokers in the clear, with the default timeouts.
    #[must_use]
    pub fn plain(brokers: Vec<String>, client_id: String) -> Self {
        Self {
            brokers,
            client_id,
            security: Security::default(),
            dial_timeout: DEFAULT_TIMEOUT,
            read_timeout: DEFAULT_TIMEOUT,
            write_timeout: DEFAULT_TIMEOUT,
        }
    }

    /// How long a request may take from being sent until it is answered. The client library has one timeout for both: the
    /// longer of the two, as the shorter one would cut off what the other allows.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        self.read_timeout.max(self.write_timeout)
    }

    /// The client library's configuration, to which a producer or an admin client adds its own.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // the library takes no less than 1 s to connect, and no more than 5 min for a request
        let millis = |timeout: Duration, most: u64| {
            timeout
                .clamp(Duration::from_secs(1), Duration::from_millis(most))
                .as_millis()
                .to_string()
        };
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", &self.client_id)
            .set(
                "socket.connection.setup.timeout.ms",
                millis(self.dial_timeout, i32::MAX.unsigned_abs().into()),
            )
            .set("socket.timeout.ms", millis(self.request_timeout(), 300_000))
            .set(
                "security.protocol",
                match (&self.security.tls, &self.security.sasl) {
                    (None, None) => "plaintext",
                    (Some(_), None) => "ssl",
                    (None, Some(_)) => "sasl_plaintext",
                    (Some(_), Some(_)) => "sasl_ssl",
                },
            )
            .set_log_level(RDKafkaLogLevel::Warning);
        if let Some(tls) = &self.security.tls {
            set_tls(&mut config, tls);
        }
        if let Some(Sasl {
            mechanism,
            user,
            password,
        }) = &self.security.sasl
        {
            config
                .set("sasl.mechanism", mechanism.name())
                .set("sasl.username", user)
                .set("sasl.password", password.reveal());
        }
        config
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) {
    // where the system keeps what it trusts is looked for
    config.set("ssl.ca.location", tls.ca.as_deref().unwrap_or("probe"));
    if let Some((cert, key)) = &tls.pair {
        config
            .set("ssl.certificate.location", cert)
            .set("ssl.key.location", key);
    }
    if tls.skip_verify {
        config
            .set("enable.ssl.certificate.verification", "false")
            .set("ssl.endpoint.identification.algorithm", "none");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::security::{Mechanism, Secret};

    #[test]
    fn passwords_are_not_shown() {
        let mut connection = Connection::plain(vec!["127.0.0.1:9095".to_owned()], "x".to_owned());
        connection.security = Security {
            tls: Some(Tls {
                skip_verify: true,
                ..Tls::default()
            }),
            sasl: Some(Sasl {
                mechanism: Mechanism::ScramSha512,
                user: "someone".to_owned(),
                password: Secret::new("open sesame"),
            }),
        };
        let shown = format!("{connection:?}");
        assert!(
            shown.contains("someone") && !shown.contains("sesame"),
            "{shown}"
        );
        let config = connection.client();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.password"), Some("open sesame"));
        assert_eq!(
            config.get("enable.ssl.certificate.verification"),
            Some("false")
        );
    }

    #[test]
    fn timeouts_stay_within_what_the_library_takes() {
        let mut connection = Connection::plain(Vec::new(), "x".to_owned());
        for (dial, read, write, setup, request) in [
            (10_000, 10_000, 10_000, "10000", "10000"),
            (300, 300, 500, "1000", "1000"),
            (2_000, 120_000, 300, "2000", "120000"),
            (2_000, 3_600_000, 300, "2000", "300000"),
        ] {
            connection.dial_timeout = Duration::from_millis(dial);
            connection.read_timeout = Duration::from_millis(read);
            connection.write_timeout = Duration::from_millis(write);
            let config = connection.client();
            assert_eq!(
                config.get("socket.connection.setup.timeout.ms"),
                Some(setup)
            );
            assert_eq!(config.get("socket.timeout.ms"), Some(request));
            config.create_native_config().unwrap();
        }
    }
}

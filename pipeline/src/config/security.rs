//! TLS and SASL of a Kafka sink: from the URI over the file (`spec/sink-uri.md §2`).

use std::{
    fmt, fs,
    io::{self, Read as _},
};

use super::{
    kafka::{Params, unsupported},
    replica::KafkaConfig,
};
use crate::coded::{Code, Coded};

/// How a connection to the brokers is secured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS, if it is on.
    pub tls: Option<Tls>,
    /// SASL, if it is on.
    pub sasl: Option<Sasl>,
}

/// TLS to the brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authority that vouches for the brokers, a path; none: those that the system trusts.
    pub ca: Option<String>,
    /// Our certificate and its key, paths.
    pub pair: Option<(String, String)>,
    /// Whether any certificate of a broker will do.
    pub skip_verify: bool,
}

/// SASL to the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sasl {
    /// How we prove who we are.
    pub mechanism: Mechanism,
    /// Who we are.
    pub user: String,
    /// What only we know.
    pub password: Secret,
}

/// A mechanism of SASL that TiCDC knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password as it is.
    Plain,
    /// A proof of the password.
    ScramSha256,
    /// A proof of the password.
    ScramSha512,
    /// Kerberos; known and refused. Says whether the service was named.
    Gssapi {
        /// Whether `sasl-gssapi-service-name` is there.
        service: bool,
    },
    /// A token of an OAuth server; known and refused.
    OauthBearer,
}

impl Mechanism {
    /// By its name in any case.
    fn parse(name: &str, service: bool) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "plain" => Self::Plain,
            "scram-sha-256" => Self::ScramSha256,
            "scram-sha-512" => Self::ScramSha512,
            "gssapi" => Self::Gssapi { service },
            "oauthbearer" => Self::OauthBearer,
            _ => return None,
        })
    }

    /// As Kafka calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Gssapi { .. } => "GSSAPI",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// A text that is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for who has to send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

impl Security {
    /// Reads URI and file.
    ///
    /// # Errors
    /// What the code of the caller wraps: `ErrKafkaInvalidConfig`, and the one of a value of a wrong type.
    pub(super) fn parse(params: &Params<'_>, file: &KafkaConfig) -> Result<Self, String> {
        let enable = params.bool("enable-tls", file.enable_tls)?;
        let skip = params.bool("insecure-skip-verify", file.insecure_skip_verify)?;
        params.bool(
            "sasl-gssapi-disable-pafxfast",
            file.sasl_gssapi_disable_pafxfast,
        )?;
        let sasl = sasl(params, file)?;
        Ok(Self {
            tls: tls(params, file, enable, skip)?,
            sasl,
        })
    }

    /// TLS of v4.0.9, which is on if an authority is given; there is no SASL.
    #[must_use]
    pub(super) fn legacy(ca: Option<&str>, cert: Option<&str>, key: Option<&str>) -> Self {
        let owned = |text: &str| text.to_owned();
        Self {
            tls: ca.map(|ca| Tls {
                ca: Some(owned(ca)),
                pair: cert.map(owned).zip(key.map(owned)),
                skip_verify: false,
            }),
            sasl: None,
        }
    }

    /// Whether the files that TLS needs are there and are what they should be.
    ///
    /// # Errors
    /// `ErrToTLSConfigFailed` with the file. The original's words for a file that cannot be opened; which of two missing
    /// files it names first is inferred.
    pub fn check_files(&self) -> Result<(), Coded> {
        let Some(tls) = &self.tls else {
            return Ok(());
        };
        let failed = |reason: String| Coded::wrap(Code::ErrToTLSConfigFailed, reason);
        if let Some((cert, key)) = &tls.pair {
            let pair = |reason| failed(format!("could not load client key pair: {reason}"));
            pem(cert, "CERTIFICATE-----").map_err(pair)?;
            pem(key, "PRIVATE KEY-----").map_err(pair)?;
        }
        if let Some(ca) = &tls.ca {
            pem(ca, "CERTIFICATE-----")
                .map_err(|reason| failed(format!("could not read ca certificate: {reason}")))?;
        }
        Ok(())
    }

    /// What the original's client library refuses before it talks to a broker.
    ///
    /// # Errors
    /// `ErrKafkaNewProducer`; `ErrUnsupportedByPipeline` for GSSAPI and OAUTHBEARER.
    pub(super) fn check_client(&self) -> Result<(), Coded> {
        let Some(sasl) = &self.sasl else {
            return Ok(());
        };
        let missing = match sasl.mechanism {
            Mechanism::Gssapi { service: false } => {
                "Net.SASL.GSSAPI.ServiceName must not be empty when GSS-API mechanism is used"
            }
            mechanism @ (Mechanism::Gssapi { .. } | Mechanism::OauthBearer) => {
                return Err(unsupported(format_args!(
                    "SASL ({}) to Kafka (PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are)",
                    mechanism.name()
                )));
            }
            _ if sasl.user.is_empty() => "Net.SASL.User must not be empty when SASL is enabled",
            _ if sasl.password.reveal().is_empty() => {
                "Net.SASL.Password must not be empty when SASL is enabled"
            }
            _ => return Ok(()),
        };
        Err(invalid_client(missing))
    }
}

/// What the original's client library says of a configuration that it does not take.
pub(super) fn invalid_client(reason: &str) -> Coded {
    Coded::wrap(
        Code::ErrKafkaNewProducer,
        format_args!("kafka: invalid configuration ({reason})"),
    )
}

/// Bytes of a file in PEM that are looked at.
const LONGEST_PEM: u64 = 4 << 20;

/// Reads a file in PEM, in the words of Go where it cannot be read.
fn pem(path: &str, holds: &str) -> Result<(), String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("open {path}: no such file or directory"),
        io::ErrorKind::PermissionDenied => format!("open {path}: permission denied"),
        io::ErrorKind::IsADirectory => format!("read {path}: is a directory"),
        _ => format!("open {path}: {error}"),
    };
    let kind = fs::metadata(path).map_err(failed)?.file_type();
    // Others may never end.
    if !kind.is_file() && !kind.is_dir() {
        return Err(format!("read {path}: is no file"));
    }
    let mut text = Vec::new();
    let mut file = fs::File::open(path).map_err(failed)?.take(LONGEST_PEM);
    file.read_to_end(&mut text).map_err(failed)?;
    let holds = holds.as_bytes();
    match text.windows(holds.len()).any(|part| part == holds) {
        true => Ok(()),
        false => Err(format!(
            "{path} holds no `{}` in PEM form",
            String::from_utf8_lossy(holds).trim_end_matches('-')
        )),
    }
}

fn nested(reason: impl fmt::Display) -> String {
    Coded::wrap(Code::ErrKafkaInvalidConfig, reason).to_string()
}

fn sasl(params: &Params<'_>, file: &KafkaConfig) -> Result<Option<Sasl>, String> {
    let text = |key, file: Option<&String>| params.text(key, file).unwrap_or_default();
    let mechanism = text("sasl-mechanism", file.sasl_mechanism.as_ref());
    if mechanism.is_empty() {
        // user and password alone are passed over
        return Ok(None);
    }
    let service = text(
        "sasl-gssapi-service-name",
        file.sasl_gssapi_service_name.as_ref(),
    );
    let mechanism = Mechanism::parse(&mechanism, !service.is_empty())
        .ok_or_else(|| nested(format_args!("unknown {mechanism} SASL mechanism")))?;
    Ok(Some(Sasl {
        mechanism,
        user: text("sasl-user", file.sasl_user.as_ref()),
        password: Secret(text("sasl-password", file.sasl_password.as_ref())),
    }))
}

fn tls(
    params: &Params<'_>,
    file: &KafkaConfig,
    enable: Option<bool>,
    skip: Option<bool>,
) -> Result<Option<Tls>, String> {
    let given = |key, file: Option<&String>| params.text(key, file).filter(|text| !text.is_empty());
    let files = (
        given("ca", file.ca.as_ref()),
        given("cert", file.cert.as_ref()),
        given("key", file.key.as_ref()),
    );
    let mut tls = Tls {
        skip_verify: skip.unwrap_or(false),
        ..Tls::default()
    };
    match (files, enable) {
        ((Some(_), Some(_), Some(_)), Some(false)) => Err(nested(
            "credential files are supplied, but 'enable-tls' is set to false",
        )),
        ((Some(ca), Some(cert), Some(key)), _) => {
            tls.ca = Some(ca);
            tls.pair = Some((cert, key));
            Ok(Some(tls))
        }
        ((None, None, None), enable) => Ok(enable.unwrap_or(false).then_some(tls)),
        _ => Err(nested("ca, cert and key files should all be supplied")),
    }
}

#[cfg(test)]
mod tests;

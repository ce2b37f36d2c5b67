//! Kafka's listeners with TLS and SASL, beside the plain one that the chain itself uses: certificates of a throw-away
//! authority in the lab's folder, and one user who is known to PLAIN and to SCRAM.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use super::super::{Context, Endpoint, Scheme};
use super::PLAIN;
use crate::lab::error::LabError;
use crate::lab::paths::Paths;
use crate::lab::topology::{Kind, Topology};

/// The user of the listeners with SASL.
pub(crate) const USER: &str = "lab";
/// His password: no secret, everything listens on loopback.
pub(crate) const PASSWORD: &str = "lab-secret";

/// All listeners: the plain one, TLS with certificates of both sides, SASL in the clear, SASL under TLS.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    PLAIN,
    Endpoint::new("ssl", 9093, Scheme::Other),
    Endpoint::new("sasl-plaintext", 9094, Scheme::Other),
    Endpoint::new("sasl-ssl", 9095, Scheme::Other),
];
/// Endpoints with Kafka's name of their protocol.
const PROTOCOLS: [(&str, &str); 3] = [
    ("ssl", "SSL"),
    ("sasl-plaintext", "SASL_PLAINTEXT"),
    ("sasl-ssl", "SASL_SSL"),
];

/// The files that a client needs, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The authority's certificate.
    pub(crate) ca: PathBuf,
    /// A client's certificate.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// The broker's certificate.
    broker: PathBuf,
    /// Its key.
    broker_key: PathBuf,
}

/// Files with what is in them, or has to be written into them.
pub(super) type Texts = Vec<(PathBuf, String)>;

impl Files {
    pub(crate) fn of(paths: &Paths) -> Files {
        let conf = paths.conf(Kind::Kafka);
        Files {
            ca: conf.join("ca.pem"),
            cert: conf.join("client.pem"),
            key: conf.join("client-key.pem"),
            broker: conf.join("broker.pem"),
            broker_key: conf.join("broker-key.pem"),
        }
    }

    /// All of them: as they are, so that what a client was given stays valid, or made anew if one is missing.
    pub(super) fn texts(&self) -> Result<Texts, LabError> {
        let all = [
            &self.ca,
            &self.cert,
            &self.key,
            &self.broker,
            &self.broker_key,
        ];
        if all.iter().all(|file| file.is_file()) {
            let read = |file: &PathBuf| match std::fs::read_to_string(file) {
                Ok(text) => Ok((file.clone(), text)),
                Err(error) => Err(LabError::file("read", file)(error)),
            };
            return all.into_iter().map(read).collect();
        }
        let failed = |error: rcgen::Error| {
            LabError::file("make the certificate", &self.ca)(std::io::Error::other(error))
        };
        self.make().map_err(failed)
    }

    fn make(&self) -> Result<Texts, rcgen::Error> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "cdclab, for one lab");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let signed = |name: &str, names: Vec<String>, usage| {
            let mut params = CertificateParams::new(names)?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &authority)?;
            Ok::<_, rcgen::Error>((certificate.pem(), key.serialize_pem()))
        };
        let names = ["127.0.0.1", "localhost"].map(str::to_owned).to_vec();
        let (broker, broker_key) = signed("kafka", names, ExtendedKeyUsagePurpose::ServerAuth)?;
        let (client, client_key) = signed(USER, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(vec![
            (self.ca.clone(), authority.pem()),
            (self.cert.clone(), client),
            (self.key.clone(), client_key),
            (self.broker.clone(), broker),
            (self.broker_key.clone(), broker_key),
        ])
    }
}

/// `,PROTOCOL://address` of each listener.
pub(super) fn listeners(topology: &Topology) -> Result<String, LabError> {
    PROTOCOLS
        .iter()
        .try_fold(String::new(), |text, (endpoint, protocol)| {
            let address = topology.address(Kind::Kafka, endpoint)?;
            Ok(format!("{text},{protocol}://{address}"))
        })
}

/// The broker's settings for them. They hold its certificate and key themselves: Kafka 2.7.0 takes a file in PEM only with a
/// password.
pub(super) fn settings(files: &Files, texts: &Texts) -> BTreeMap<&'static str, String> {
    let text = |wanted: &PathBuf| {
        let found = texts.iter().find(|(file, _)| file == wanted);
        // as Java's properties write the end of a line
        found.map_or(String::new(), |(_, text)| text.replace('\n', "\\n"))
    };
    let plain = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
    );
    let scram = || "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned();
    BTreeMap::from([
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.key", text(&files.broker_key)),
        ("ssl.keystore.certificate.chain", text(&files.broker)),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", files.ca.display().to_string()),
        ("listener.name.ssl.ssl.client.auth", "required".to_owned()),
        (
            "sasl.enabled.mechanisms",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        ),
        (
            "listener.name.sasl_plaintext.plain.sasl.jaas.config",
            plain.clone(),
        ),
        (
            "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config",
            scram(),
        ),
        (
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config",
            scram(),
        ),
        ("listener.name.sasl_ssl.plain.sasl.jaas.config", plain),
        (
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
            scram(),
        ),
        (
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
            scram(),
        ),
    ])
}

/// Kafka's own tool, with which SCRAM's user is put into ZooKeeper while no broker runs.
pub(super) fn scram_user(context: &Context<'_>) -> Result<Vec<String>, LabError> {
    let credential = |mechanism: &str| format!("{mechanism}=[password={PASSWORD}]");
    let arguments = [
        "kafka.admin.ConfigCommand",
        "--zookeeper",
        &context.topology.address(Kind::Zookeeper, "client")?,
        "--alter",
        "--entity-type",
        "users",
        "--entity-name",
        USER,
        "--add-config",
        &[credential("SCRAM-SHA-256"), credential("SCRAM-SHA-512")].join(","),
    ];
    Ok(arguments.map(str::to_owned).to_vec())
}

/// The sink URIs of a lab's secured listeners, complete but for the topic; none if it has no such listeners.
///
/// # Errors
/// [`LabError::UnknownEndpoint`], if a port was not given.
pub(crate) fn sinks(
    topology: &Topology,
    paths: &Paths,
    topic: &str,
) -> Result<Vec<String>, LabError> {
    if !topology
        .components
        .get(&Kind::Kafka)
        .is_some_and(|kafka| kafka.secured)
    {
        return Ok(Vec::new());
    }
    let files = Files::of(paths);
    let tls = format!(
        "&ca={}&cert={}&key={}",
        files.ca.display(),
        files.cert.display(),
        files.key.display()
    );
    let sasl = |mechanism: &str| {
        format!("&sasl-mechanism={mechanism}&sasl-user={USER}&sasl-password={PASSWORD}")
    };
    [
        ("ssl", tls.clone()),
        ("sasl-plaintext", sasl("plain")),
        ("sasl-ssl", tls + &sasl("scram-sha-512")),
    ]
    .into_iter()
    .map(|(endpoint, options)| {
        let address = topology.address(Kind::Kafka, endpoint)?;
        Ok(format!(
            "kafka://{address}/{topic}?protocol=canal-json{options}"
        ))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths {
            lab: folder.path().to_owned(),
        };
        std::fs::create_dir_all(paths.conf(Kind::Kafka)).unwrap();
        let files = Files::of(&paths);
        let made = files.texts().unwrap();
        assert_eq!(made.len(), 5);
        for (file, text) in &made {
            assert!(text.starts_with("-----BEGIN "), "{}", file.display());
            std::fs::write(file, text).unwrap();
        }
        assert!(files.texts().unwrap() == made, "they stay as they are");
        let chain = &settings(&files, &made)["ssl.keystore.certificate.chain"];
        assert!(
            chain.starts_with("-----BEGIN CERTIFICATE-----\\n"),
            "{chain}"
        );
        std::fs::remove_file(&files.key).unwrap();
        let anew = files.texts().unwrap();
        assert!(
            anew.iter().all(|text| !made.contains(text)),
            "they belong together"
        );
    }
}

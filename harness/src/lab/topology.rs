//! What a lab consists of: one typed model, read from TOML. A profile is a ready topology.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::components::{Endpoint, Scheme};
use super::error::LabError;

/// The profiles: names and files.
const PROFILES: &[(&str, &str)] = &[
    (
        "current",
        include_str!("../../../fixtures/topologies/current.toml"),
    ),
    (
        "seed",
        include_str!("../../../fixtures/topologies/seed.toml"),
    ),
];

/// The profile that is taken when none is named.
pub const DEFAULT_PROFILE: &str = "current";

/// A component of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// PD's storage.
    Etcd,
    /// The placement driver.
    Pd,
    /// The store.
    Tikv,
    /// The SQL front.
    Tidb,
    /// Kafka's coordination.
    Zookeeper,
    /// The broker.
    Kafka,
    /// Job manager, task manager, SQL gateway.
    Flink,
    /// The pipeline.
    Cdc,
}

impl Kind {
    /// All, each behind what it needs.
    pub const ALL: [Kind; 8] = [
        Kind::Etcd,
        Kind::Pd,
        Kind::Tikv,
        Kind::Tidb,
        Kind::Zookeeper,
        Kind::Kafka,
        Kind::Flink,
        Kind::Cdc,
    ];

    /// As topologies, commands and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Etcd => "etcd",
            Kind::Pd => "pd",
            Kind::Tikv => "tikv",
            Kind::Tidb => "tidb",
            Kind::Zookeeper => "zookeeper",
            Kind::Kafka => "kafka",
            Kind::Flink => "flink",
            Kind::Cdc => "cdc",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The TiCDC whose observable behaviour the pipeline has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compat {
    /// 4.0.9.
    #[serde(rename = "v4.0.9")]
    V4,
    /// 6.5.
    #[serde(rename = "v6.5")]
    V6,
    /// 8.5.
    #[serde(rename = "v8.5")]
    V8,
}

impl Compat {
    /// As `cdc server --compat` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Compat::V4 => "v4.0.9",
            Compat::V6 => "v6.5",
            Compat::V8 => "v8.5",
        }
    }
}

/// What a lab consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Topology {
    /// Its name.
    pub profile: String,
    /// Whose behaviour the pipeline has.
    pub compat: Compat,
    /// The pipeline's time zone, e.g. `UTC`.
    pub time_zone: String,
    /// The components.
    pub components: BTreeMap<Kind, Component>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Component {
    /// Its version.
    pub version: String,
    /// Ports on loopback by endpoint. Those left out are the well-known ones in the lab `default`, free ones in others.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// A Java runtime of its own; else `JAVA_HOME`, else the `java` on the `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub java_home: Option<PathBuf>,
    /// Whether Kafka has listeners with TLS and SASL beside the plain one, for clients of a throw-away authority and one
    /// user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secured: bool,
    /// Settings in the component's own names, which replace the lab's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

/// The file's form: with places, for messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    profile: Spanned<String>,
    compat: Compat,
    #[serde(default = "utc")]
    time_zone: String,
    components: BTreeMap<Kind, FileComponent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileComponent {
    version: Spanned<String>,
    #[serde(default)]
    ports: BTreeMap<Spanned<String>, Spanned<u16>>,
    java_home: Option<Spanned<PathBuf>>,
    secured: Option<Spanned<bool>>,
    config: Option<Spanned<BTreeMap<String, String>>>,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Topology {
    /// The names of the profiles.
    pub fn profiles() -> impl Iterator<Item = &'static str> {
        PROFILES.iter().map(|(name, _)| *name)
    }

    /// A profile.
    ///
    /// # Errors
    /// [`LabError::UnknownProfile`].
    pub fn profile(name: &str) -> Result<Topology, LabError> {
        match PROFILES.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => Topology::parse(&format!("fixtures/topologies/{name}.toml"), text),
            None => Err(LabError::UnknownProfile {
                name: name.to_owned(),
                known: Topology::profiles().collect(),
            }),
        }
    }

    /// Reads a topology; `origin` is the file's name in messages.
    ///
    /// # Errors
    /// [`LabError::Topology`] with line and hint.
    pub fn parse(origin: &str, text: &str) -> Result<Topology, LabError> {
        let wrong = |at: usize, what: String, hint: &str| LabError::Topology {
            origin: origin.to_owned(),
            line: text[..at.min(text.len())].matches('\n').count() + 1,
            what,
            hint: hint.to_owned(),
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(
                at,
                error.message().to_owned(),
                "see the files in fixtures/topologies",
            )
        })?;
        let mut components = BTreeMap::new();
        let mut taken: BTreeMap<u16, String> = BTreeMap::new();
        for (kind, found) in file.components {
            let spec = kind.spec();
            let version = found.version.get_ref();
            if version.is_empty() || !version.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(wrong(
                    found.version.span().start,
                    format!("`{version}` is no version of {kind}"),
                    "a version is written like \"3.9.2\"",
                ));
            }
            let secured = found.secured.as_ref().is_some_and(|given| *given.get_ref());
            let known: Vec<&str> = (spec.endpoints)(version, secured)
                .iter()
                .map(|e| e.name)
                .collect();
            let mut ports = BTreeMap::new();
            for (endpoint, port) in found.ports {
                let (at, place) = (
                    endpoint.span().start,
                    format!("{kind}.{endpoint}", endpoint = endpoint.get_ref()),
                );
                if !known.contains(&endpoint.get_ref().as_str()) {
                    let hint = format!("{kind} {version} has {}", known.join(", "));
                    return Err(wrong(
                        at,
                        format!("`{}` is no endpoint of {kind}", endpoint.get_ref()),
                        &hint,
                    ));
                }
                if let Some(other) = taken.insert(*port.get_ref(), place.clone()) {
                    let what = format!("{place} and {other} have the same port {}", port.get_ref());
                    return Err(wrong(
                        port.span().start,
                        what,
                        "give each endpoint a port of its own",
                    ));
                }
                if *port.get_ref() == 0 {
                    let hint = "leave the port out to get a free one";
                    return Err(wrong(
                        port.span().start,
                        format!("{place} has port 0"),
                        hint,
                    ));
                }
                ports.insert(endpoint.into_inner(), port.into_inner());
            }
            if let Some(home) = &found.java_home
                && !spec.java
            {
                let what = format!("{kind} does not run on Java");
                return Err(wrong(home.span().start, what, "remove `java-home`"));
            }
            if let Some(given) = &found.secured
                && kind != Kind::Kafka
            {
                let what = format!("{kind} has no listeners with TLS and SASL");
                return Err(wrong(given.span().start, what, "remove `secured`"));
            }
            if let Some(config) = &found.config
                && !spec.java
            {
                let what = format!("{kind} takes no settings here");
                return Err(wrong(config.span().start, what, "remove `config`"));
            }
            let component = Component {
                version: found.version.into_inner(),
                ports,
                java_home: found.java_home.map(Spanned::into_inner),
                secured,
                config: found.config.map(Spanned::into_inner).unwrap_or_default(),
            };
            components.insert(kind, component);
        }
        for kind in components.keys() {
            if let Some(needed) = kind
                .spec()
                .needs
                .iter()
                .find(|needed| !components.contains_key(needed))
            {
                let at = text.find(&format!("components.{kind}")).unwrap_or(0);
                let hint = format!("add [components.{needed}]");
                return Err(wrong(
                    at,
                    format!("{kind} needs {needed}, which is not there"),
                    &hint,
                ));
            }
        }
        if file.profile.get_ref().is_empty() {
            return Err(wrong(
                file.profile.span().start,
                "the profile has no name".to_owned(),
                "name it",
            ));
        }
        Ok(Topology {
            profile: file.profile.into_inner(),
            compat: file.compat,
            time_zone: file.time_zone,
            components,
        })
    }

    /// Keeps the given components and what they need; all if none is given.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`].
    pub fn select(&mut self, only: &[Kind]) -> Result<(), LabError> {
        let mut wanted: BTreeSet<Kind> = BTreeSet::new();
        let mut open: Vec<Kind> = only.to_vec();
        while let Some(kind) = open.pop() {
            self.component(kind)?;
            if wanted.insert(kind) {
                open.extend(kind.spec().needs);
            }
        }
        if !wanted.is_empty() {
            self.components.retain(|kind, _| wanted.contains(kind));
        }
        Ok(())
    }

    /// A component that must be there.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`].
    pub fn component(&self, kind: Kind) -> Result<&Component, LabError> {
        self.components
            .get(&kind)
            .ok_or_else(|| LabError::UnknownComponent {
                name: kind.name().to_owned(),
                known: self.components.keys().map(|kind| kind.name()).collect(),
            })
    }

    /// Gives Kafka listeners with TLS and SASL.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`], if there is no Kafka.
    pub fn secure_kafka(&mut self) -> Result<(), LabError> {
        self.component(Kind::Kafka)?;
        if let Some(kafka) = self.components.get_mut(&Kind::Kafka) {
            kafka.secured = true;
        }
        Ok(())
    }

    /// The endpoints that a component has in its version.
    pub(crate) fn endpoints(&self, kind: Kind) -> &'static [Endpoint] {
        let (version, secured) = self
            .components
            .get(&kind)
            .map_or(("", false), |found| (&found.version, found.secured));
        (kind.spec().endpoints)(version, secured)
    }

    /// The port of an endpoint, once it is given.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`], [`LabError::UnknownEndpoint`].
    pub fn port(&self, kind: Kind, endpoint: &str) -> Result<u16, LabError> {
        let ports = &self.component(kind)?.ports;
        let unknown = || LabError::UnknownEndpoint {
            component: kind,
            name: endpoint.to_owned(),
            known: ports.keys().cloned().collect(),
        };
        ports.get(endpoint).copied().ok_or_else(unknown)
    }

    /// `127.0.0.1:port` of an endpoint.
    ///
    /// # Errors
    /// As [`Topology::port`].
    pub fn address(&self, kind: Kind, endpoint: &str) -> Result<String, LabError> {
        Ok(format!("127.0.0.1:{}", self.port(kind, endpoint)?))
    }

    /// The address with its scheme, where it has one: `http://127.0.0.1:8081`.
    ///
    /// # Errors
    /// As [`Topology::port`].
    pub fn url(&self, kind: Kind, endpoint: &str) -> Result<String, LabError> {
        let address = self.address(kind, endpoint)?;
        let http = self
            .endpoints(kind)
            .iter()
            .any(|known| known.name == endpoint && known.scheme == Scheme::Http);
        Ok(if http {
            format!("http://{address}")
        } else {
            address
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, String) {
        match Topology::parse("x.toml", text).unwrap_err() {
            LabError::Topology {
                line, what, hint, ..
            } => (line, format!("{what}; {hint}")),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn profiles_are_good() {
        for name in Topology::profiles() {
            assert_eq!(Topology::profile(name).unwrap().profile, name);
        }
        let error = Topology::profile("sead").unwrap_err();
        assert_eq!(
            error.to_string(),
            "find profile `sead`; there are current, seed"
        );
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn mistakes_are_named_with_line_and_hint() {
        let head = "profile = \"x\"\ncompat = \"v8.5\"\n[components.zookeeper]\nversion = \"3.9.5\"\n[components.kafka]\n";
        let kafka = |rest: &str| wrong(&format!("{head}{rest}"));
        assert_eq!(
            kafka("version = \"3.9.2\"\nports = { client = 9092 }"),
            (
                7,
                "`client` is no endpoint of kafka; kafka 3.9.2 has bootstrap".to_owned()
            )
        );
        let (line, what) = kafka("versoin = \"2.7.0\"");
        assert_eq!(line, 6);
        assert!(what.contains("versoin"), "{what}");
        assert_eq!(kafka("version = \"new\"").0, 6);
        assert_eq!(
            kafka("version = \"3.9.2\"\nports = { bootstrap = 0 }"),
            (
                7,
                "kafka.bootstrap has port 0; leave the port out to get a free one".to_owned()
            )
        );
        let (line, what) =
            wrong("profile = \"x\"\ncompat = \"v9\"\n[components.kafka]\nversion = \"3.9.2\"");
        assert_eq!(line, 2);
        assert!(what.contains("v4.0.9"), "{what}");
        let (line, what) =
            wrong("profile = \"x\"\ncompat = \"v8.5\"\n[components.kafak]\nversion = \"3.9.2\"");
        assert_eq!(line, 3);
        assert!(
            what.contains("kafak") && what.contains("zookeeper"),
            "{what}"
        );
        let (line, what) =
            wrong("profile = \"x\"\ncompat = \"v8.5\"\n\n[components.kafka]\nversion = \"3.9.2\"");
        assert_eq!(line, 4);
        assert_eq!(
            what,
            "kafka needs zookeeper, which is not there; add [components.zookeeper]"
        );
        let (_, what) = wrong(
            "profile = \"x\"\ncompat = \"v8.5\"\n[components.etcd]\nversion = \"3.4\"\njava-home = \"/opt/java\"",
        );
        assert!(what.contains("etcd does not run on Java"), "{what}");
        assert_eq!(
            kafka("version = \"3.9.2\"\nsecured = true\nports = { tls = 9093 }"),
            (
                8,
                "`tls` is no endpoint of kafka; kafka 3.9.2 has bootstrap, ssl, sasl-plaintext, sasl-ssl"
                    .to_owned()
            )
        );
        let (line, what) = wrong(
            "profile = \"x\"\ncompat = \"v8.5\"\n[components.etcd]\nversion = \"3.4\"\nsecured = true",
        );
        assert_eq!(line, 5);
        assert!(
            what.contains("etcd has no listeners with TLS and SASL"),
            "{what}"
        );
        let both = "ports = { client = 7, peer = 7 }";
        let (line, what) = wrong(&format!(
            "profile = \"x\"\ncompat = \"v8.5\"\n[components.etcd]\nversion = \"3.4\"\n{both}"
        ));
        assert_eq!(line, 5);
        assert!(what.contains("the same port 7"), "{what}");
    }

    #[test]
    fn what_is_needed_comes_along() {
        let mut topology = Topology::profile("current").unwrap();
        topology.select(&[Kind::Kafka, Kind::Tidb]).unwrap();
        let kinds: Vec<Kind> = topology.components.keys().copied().collect();
        assert_eq!(
            kinds,
            [
                Kind::Etcd,
                Kind::Pd,
                Kind::Tikv,
                Kind::Tidb,
                Kind::Zookeeper,
                Kind::Kafka
            ]
        );
        let error = topology.select(&[Kind::Flink]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn every_kind_stands_behind_what_it_needs() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
            for needed in kind.spec().needs {
                assert!(Kind::ALL[..index].contains(needed), "{kind} needs {needed}");
            }
        }
    }
}

//! What each component is started with and when it is ready; a file each.

mod cdc;
mod etcd;
mod flink;
pub(crate) mod jvm;
mod kafka;
mod pd;
mod tidb;
mod tikv;
mod zookeeper;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

pub(crate) use jvm::{beside_flink, from_source};
pub(crate) use kafka::secured;

use super::error::LabError;
use super::fetch::Fetcher;
use super::fetch::build::Builder;
use super::paths::Paths;
use super::topology::{Component, Kind, Topology};

/// What stands behind a component's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Implementation {
    /// The real one.
    Real,
    /// A part of the embedded TiDB cluster.
    Embedded,
    /// The pipeline: what the lab is for.
    Pipeline,
}

impl Implementation {
    /// As commands show it.
    pub fn name(self) -> &'static str {
        match self {
            Implementation::Real => "real",
            Implementation::Embedded => "embedded",
            Implementation::Pipeline => "pipeline",
        }
    }
}

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Other,
}

/// An address that a component listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) name: &'static str,
    /// The well-known port.
    pub(crate) port: u16,
    pub(crate) scheme: Scheme,
    /// Between the component's own parts: not shown.
    pub(crate) inner: bool,
}

impl Endpoint {
    const fn new(name: &'static str, port: u16, scheme: Scheme) -> Endpoint {
        Endpoint {
            name,
            port,
            scheme,
            inner: false,
        }
    }

    const fn inner(name: &'static str, port: u16) -> Endpoint {
        Endpoint {
            name,
            port,
            scheme: Scheme::Other,
            inner: true,
        }
    }
}

/// What is known when a component is planned.
pub(crate) struct Context<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) paths: &'a Paths,
    pub(crate) programs: &'a Builder,
    pub(crate) fetcher: &'a Fetcher,
}

impl Context<'_> {
    fn component(&self, kind: Kind) -> Result<&Component, LabError> {
        self.topology.component(kind)
    }

    /// The plan of one of our own programs: a subcommand and its options.
    fn ours(
        &self,
        program: &std::path::Path,
        subcommand: &str,
        options: Vec<(&str, String)>,
        version: String,
    ) -> Plan {
        let options = options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        Plan {
            program: program.to_owned(),
            arguments: std::iter::once(subcommand.to_owned())
                .chain(options)
                .collect(),
            environment: Vec::new(),
            files: Vec::new(),
            first: Vec::new(),
            version,
        }
    }
}

/// How a component is started.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Configuration, written before each start.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// Arguments of the same program for runs that have to end well before each start.
    pub(crate) first: Vec<Vec<String>>,
    /// Its version, for people.
    pub(crate) version: String,
}

/// What a probe says: it is so, or what is missing.
pub(crate) type Probed = Result<(), String>;
pub(crate) type Probe =
    for<'a> fn(&'a Topology) -> Pin<Box<dyn Future<Output = Probed> + Send + 'a>>;

/// A kind of component.
pub(crate) struct Spec {
    /// What must be ready before it starts.
    pub(crate) needs: &'static [Kind],
    /// What it talks to later on, and so is ended after it.
    pub(crate) uses: &'static [Kind],
    pub(crate) implementation: Implementation,
    /// Whether it runs on Java, and so may have a runtime and settings of its own.
    pub(crate) java: bool,
    /// Its endpoints in a version, and with listeners that are secured or without.
    pub(crate) endpoints: fn(&str, bool) -> &'static [Endpoint],
    /// Fetches what it needs and says how to start it. Blocks.
    pub(crate) plan: fn(&Context<'_>) -> Result<Plan, LabError>,
    /// What has to be so before it is started, beyond the readiness of what it needs.
    pub(crate) before: Option<Probe>,
    /// Whether it does its work: not that a port is open, but that it answers.
    pub(crate) ready: Probe,
}

impl Kind {
    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Kind::Etcd => &etcd::ETCD,
            Kind::Pd => &pd::PD,
            Kind::Tikv => &tikv::TIKV,
            Kind::Tidb => &tidb::TIDB,
            Kind::Zookeeper => &zookeeper::ZOOKEEPER,
            Kind::Kafka => &kafka::KAFKA,
            Kind::Flink => &flink::FLINK,
            Kind::Cdc => &cdc::CDC,
        }
    }
}

/// An error as a probe's answer.
fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// `GET` of a JSON document.
async fn get<T: serde::de::DeserializeOwned>(url: &str) -> Result<T, String> {
    let reply = reqwest::get(url)
        .await
        .and_then(reqwest::Response::error_for_status);
    reply.map_err(text)?.json().await.map_err(text)
}

//! `lab-up`, `lab-down`, `lab-status`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failure, Json, Name, Profile, print, table};
use crate::lab::{self, Kind, LabError, Options, Topology};

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    lab: Name,
    #[command(flatten)]
    profile: Profile,
    /// A topology of your own instead of a profile (see fixtures/topologies)
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    topology: Option<PathBuf>,
    /// Where the components run
    #[arg(long, value_enum, default_value = "auto")]
    backend: Backend,
    /// Only these components and what they need, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "COMPONENT", value_parser = kind)]
    only: Vec<Kind>,
    /// Give Kafka listeners with TLS and SASL beside the plain one
    #[arg(long)]
    secure_kafka: bool,
    /// Do not send a row through the chain at the end
    #[arg(long)]
    no_smoke: bool,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// The best that this machine has
    Auto,
    /// Processes on this machine
    Native,
}

pub(super) fn kind(name: &str) -> Result<Kind, String> {
    Kind::parse(name).ok_or_else(|| format!("there are {}", Kind::ALL.map(Kind::name).join(", ")))
}

impl Up {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut topology = match &self.topology {
            None => Topology::profile(&self.profile.profile)?,
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| Failure {
                    message: format!("read topology {}: {error}", path.display()),
                    code: 2,
                })?;
                Topology::parse(&path.display().to_string(), &text)?
            }
        };
        if self.secure_kafka {
            topology.secure_kafka()?;
        }
        let options = Options {
            name: self.lab.name,
            topology,
            only: self.only,
            smoke: !self.no_smoke,
            quiet: self.json.json,
        };
        if !options.quiet && self.backend == Backend::Auto {
            eprintln!(
                "backend native: real ZooKeeper, Kafka, Flink, etcd and MariaDB as processes, an embedded TiDB cluster"
            );
        }
        let started = lab::up(&options).await?;
        if self.json.json {
            return table::json(&started.status);
        }
        if started.already {
            eprintln!("lab `{}` is already running", options.name);
        }
        print(&table::status(&started.status))?;
        let uris = lab::Lab::attach(&options.name)?.secured_sinks()?;
        if !uris.is_empty() {
            eprintln!("\nsink URIs of Kafka's secured listeners, with a topic `t`:");
            uris.iter().for_each(|uri| eprintln!("  {uri}"));
        }
        if !started.already {
            let up = started.took.as_secs_f32();
            match started.smoke {
                Some(smoke) => {
                    let smoke = smoke.as_secs_f32();
                    eprintln!(
                        "\nup in {up:.1} s; a row went through the whole chain in {smoke:.1} s"
                    );
                }
                None => eprintln!("\nup in {up:.1} s"),
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Down {
    #[command(flatten)]
    lab: Name,
    /// Remove its data, logs and configuration too
    #[arg(long)]
    purge: bool,
}

impl Down {
    pub(super) fn run(self) -> Result<(), Failure> {
        let name = self.lab.name;
        let known = lab::Paths::of(&name)?.lab.exists();
        let ended = lab::down(&name)?;
        let names: Vec<&str> = ended.into_iter().map(Kind::name).collect();
        print(&match (names.is_empty(), known) {
            (true, false) => format!("there is no lab `{name}`"),
            (true, true) => format!("lab `{name}` was not running"),
            (false, _) => format!("lab `{name}`: stopped {}", names.join(", ")),
        })?;
        if self.purge && known {
            lab::purge(&name)?;
            print(&format!("lab `{name}`: data removed"))?;
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    lab: Name,
    #[command(flatten)]
    json: Json,
}

impl Status {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let status = lab::status(&self.lab.name).await?;
        match self.json.json {
            true => table::json(&status),
            false => print(&table::status(&status)),
        }
    }
}

/// A component of a lab by name, for commands that take one.
pub(super) fn component_of(lab: &str, name: &str) -> Result<Kind, LabError> {
    let paths = lab::Paths::of(lab)?;
    let state = lab::State::load(lab, &paths)?.ok_or_else(|| LabError::NoLab(lab.to_owned()))?;
    let unknown = || LabError::UnknownComponent {
        name: name.to_owned(),
        known: state
            .topology
            .components
            .keys()
            .map(|kind| kind.name())
            .collect(),
    };
    let kind = Kind::parse(name).ok_or_else(unknown)?;
    state.topology.component(kind).map(|_| kind)
}

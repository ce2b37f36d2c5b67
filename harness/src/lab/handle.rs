//! A lab in the hands of a program: where its parts are, and breaking and mending them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::error::LabError;
use super::fetch::build::{Builder, Programs};
use super::fetch::{Fetcher, maven};
use super::paths::Paths;
use super::process::{self, Found, Id};
use super::state::State;
use super::status::{Status, status};
use super::topology::{Compat, Kind, Topology};
use super::up::{Launcher, Options, Started, blocking, up};
use crate::observe::changefeed::Cdc;
use crate::observe::flink::gateway::Gateway;
use crate::observe::flink::runner::Runner;
use crate::observe::flink::{Flink, FlinkError};
use crate::observe::kafka::Kafka;

/// How long a component that is restarted may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);

/// A lab.
#[derive(Debug, Clone)]
pub struct Lab {
    state: State,
    paths: Paths,
}

impl Lab {
    pub(super) fn of(state: State, paths: Paths) -> Lab {
        Lab { state, paths }
    }

    /// Brings a lab up; see [`up`].
    ///
    /// # Errors
    /// As [`up`].
    pub async fn up(options: &Options) -> Result<(Lab, Started), LabError> {
        let started = up(options).await?;
        Ok((Lab::attach(&options.name)?, started))
    }

    /// A lab that runs, all of it or parts.
    ///
    /// # Errors
    /// [`LabError::NoLab`], [`LabError::NotRunning`].
    pub fn attach(name: &str) -> Result<Lab, LabError> {
        let paths = Paths::of(name)?;
        let state = State::load(name, &paths)?.ok_or_else(|| LabError::NoLab(name.to_owned()))?;
        let mut processes = state.started.values().filter_map(|record| record.process);
        if !processes.any(Id::alive) {
            return Err(LabError::NotRunning(name.to_owned()));
        }
        Ok(Lab { state, paths })
    }

    /// Sink URIs of the secured listeners of Kafka for a topic `t`, credentials included: TLS, SASL, SASL under TLS. None if it
    /// has no such listeners.
    ///
    /// # Errors
    /// [`LabError::UnknownEndpoint`], if a listener was given no port.
    pub fn secured_sinks(&self) -> Result<Vec<String>, LabError> {
        super::components::secured::sinks(&self.state.topology, &self.paths, "t")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// What it consists of, with all ports.
    pub fn topology(&self) -> &Topology {
        &self.state.topology
    }

    /// Its folders.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// As it is now.
    ///
    /// # Errors
    /// [`LabError::NoLab`], if it was removed.
    pub async fn status(&self) -> Result<Status, LabError> {
        status(&self.state.name).await
    }

    /// `127.0.0.1:port` of an endpoint.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`], [`LabError::UnknownEndpoint`].
    pub fn endpoint(&self, component: Kind, endpoint: &str) -> Result<String, LabError> {
        self.state.topology.address(component, endpoint)
    }

    /// The program that a component was started with.
    ///
    /// # Errors
    /// [`LabError::ComponentDown`].
    pub fn program(&self, component: Kind) -> Result<&Path, LabError> {
        match self.state.started.get(&component) {
            Some(record) => Ok(&record.program),
            None => Err(self.is_down(component)),
        }
    }

    fn is_down(&self, component: Kind) -> LabError {
        LabError::ComponentDown {
            lab: self.state.name.clone(),
            component,
        }
    }

    /// The folder with a component's jars.
    ///
    /// # Errors
    /// [`LabError::Fetch`], if they are gone from the cache and cannot be fetched.
    pub fn jars(&self, component: Kind) -> Result<PathBuf, LabError> {
        let version = &self.state.topology.component(component)?.version;
        Ok(maven::jars(
            &Fetcher::quiet()?,
            &format!("{component}-{version}"),
        )?)
    }

    /// A Java command with our programs, the jars of the lab's Flink, and further manifests of `fixtures/components`, e.g.
    /// `tidb-cdc-reader-2.3.0`; `program` is the main class and its arguments. Blocks.
    ///
    /// # Errors
    /// [`LabError::Fetch`], if something has to be fetched and cannot be.
    pub fn java_command(&self, more: &[&str], program: &[&str]) -> Result<Command, LabError> {
        super::java_command(&self.state.topology, more, program)
    }

    /// The pipeline's command line and API.
    ///
    /// # Errors
    /// [`LabError::ComponentDown`].
    pub fn cdc(&self) -> Result<Cdc, LabError> {
        Ok(Cdc {
            program: self.program(Kind::Cdc)?.to_owned(),
            pd: self.state.topology.url(Kind::Pd, "client")?,
            api: self.state.topology.url(Kind::Cdc, "api")?,
            v4: self.state.topology.compat == Compat::V4,
        })
    }

    /// Kafka.
    ///
    /// # Errors
    /// [`LabError::UnknownComponent`].
    pub fn kafka(&self) -> Result<Kafka, LabError> {
        Ok(Kafka::new(&self.endpoint(Kind::Kafka, "bootstrap")?))
    }

    /// Flink, as this one can be asked: by its gateway, or by our runner where it has none.
    ///
    /// # Errors
    /// What Flink or the runner says; the lab's own errors as [`FlinkError::Runner`].
    pub async fn flink(&self) -> Result<Flink, FlinkError> {
        if let Ok(gateway) = self.state.topology.url(Kind::Flink, "sql-gateway") {
            return Ok(Flink::Gateway(Gateway::open(&gateway).await?));
        }
        let lab = |error: LabError| FlinkError::Runner {
            message: error.to_string(),
        };
        let port = self
            .state
            .topology
            .port(Kind::Flink, "rest")
            .map_err(lab)?
            .to_string();
        let this = self.clone();
        let command = blocking(move || {
            this.java_command(&[], &["FlinkRunner", "remote", "127.0.0.1", &port])
        });
        let runner = Runner::start(command.await.map_err(lab)?).await?;
        Ok(Flink::Runner(Box::new(tokio::sync::Mutex::new(runner))))
    }

    /// Kills a component, and what it has started, with SIGKILL. Blocks.
    ///
    /// # Errors
    /// [`LabError::ComponentDown`], [`LabError::Survived`].
    pub fn kill(&self, component: Kind) -> Result<(), LabError> {
        self.end(component, Duration::ZERO)
    }

    /// Ends a component with SIGTERM. Blocks.
    ///
    /// # Errors
    /// [`LabError::ComponentDown`], [`LabError::Survived`].
    pub fn stop(&self, component: Kind) -> Result<(), LabError> {
        self.end(component, GRACE)
    }

    fn end(&self, component: Kind, grace: Duration) -> Result<(), LabError> {
        let own = || -> Vec<Found> {
            let found = process::find(&self.paths.lab);
            found
                .into_iter()
                .filter(|found| found.component == Some(component))
                .collect()
        };
        let running = own();
        if running.is_empty() {
            return Err(self.is_down(component));
        }
        let is_child = |found: &&Found| running.iter().any(|other| other.id.pid == found.parent);
        let parents: Vec<Found> = running
            .iter()
            .filter(|found| !is_child(found))
            .cloned()
            .collect();
        process::end(&parents, grace)?;
        process::end(&own(), grace)
    }

    /// Starts a component that does not run, and waits until it is ready.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn start(&self, component: Kind) -> Result<(), LabError> {
        // What others of the lab were restarted with since.
        let name = &self.state.name;
        let state = State::load(name, &self.paths)?.ok_or_else(|| LabError::NoLab(name.clone()))?;
        let fetcher = Fetcher::quiet()?;
        let program = |kinds: &[Kind]| {
            let record = kinds.iter().find_map(|kind| state.started.get(kind));
            record.map(|record| record.program.clone())
        };
        let builder = match (
            program(&[Kind::Cdc]),
            program(&[Kind::Pd, Kind::Tikv, Kind::Tidb]),
        ) {
            (None, None) => Builder::new(fetcher.clone()),
            (cdc, embedded) => {
                let (cdc, embedded) = (cdc.unwrap_or_default(), embedded.unwrap_or_default());
                Builder::done(fetcher.clone(), Programs { cdc, embedded })
            }
        };
        let launcher = Launcher::with(state, self.paths.clone(), fetcher, builder);
        let plan = launcher.plan(component).await?;
        launcher.launch(component, plan).await.map(drop)
    }

    /// Ends a component with SIGTERM, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn restart(&self, component: Kind) -> Result<(), LabError> {
        let this = self.clone();
        blocking(move || this.stop(component)).await?;
        self.start(component).await
    }
}

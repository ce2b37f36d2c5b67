//! The lab: a topology becomes a graph of processes, and they become a chain that answers.
//!
//! [`Topology`] is what is wanted; `fetch` gets what is missing; `components` knows how each part is started and when it is
//! ready; [`up`] runs the graph; [`State`] is what is remembered between commands; `process` starts, finds and ends
//! processes; `smoke` sends one row through everything. [`Lab`] is a running lab in the hands of a program.

mod bare;
mod canal;
mod components;
mod connect;
mod doctor;
mod down;
mod error;
mod fetch;
mod handle;
mod logs;
mod paths;
mod ports;
mod process;
mod relay;
mod smoke;
mod state;
mod status;
mod topology;
mod up;
mod usage;

pub use bare::{BareMariaDb, Memory};
pub use canal::{Canal, Place};
pub use components::Implementation;
pub use connect::{Captured, Debezium, PREFIX as DEBEZIUM_PREFIX};
pub use doctor::{Check, Finding, examine};
pub use down::{down, purge};
pub use error::LabError;
pub use fetch::FetchError;
pub use handle::Lab;
pub use paths::{Paths, cache, labs, repository};
pub use relay::Relay;
pub use state::State;
pub use status::{ChangefeedStatus, ComponentStatus, Status, status};
pub use topology::{Compat, Component, DEFAULT_PROFILE, Kind, Topology};
pub use up::{DEFAULT_NAME, Options, Started, interrupted, up};
pub use usage::{Measured, Usage, Watched};

use std::ffi::OsString;
use std::path::PathBuf;

/// A program from unpacked packages, and the `LD_LIBRARY_PATH` that it needs.
#[derive(Debug, Clone)]
pub struct Client {
    /// The folder with the program.
    pub folder: PathBuf,
    /// Where its shared libraries are.
    pub library_path: OsString,
}

/// The folder of MariaDB's client `mariadb`. Blocks.
///
/// # Errors
/// [`LabError::Fetch`].
pub fn mariadb_client() -> Result<Client, LabError> {
    client(&fetch::debian::MARIADB)
}

/// The folder of `etcdctl`. Blocks.
///
/// # Errors
/// [`LabError::Fetch`].
pub fn etcd_client() -> Result<Client, LabError> {
    client(&fetch::debian::ETCD)
}

fn client(packages: &fetch::debian::Packages) -> Result<Client, LabError> {
    let unpacked = fetch::debian::unpacked(&fetch::Fetcher::quiet()?, packages)?;
    Ok(Client {
        folder: unpacked.root.join("usr/bin"),
        library_path: unpacked.library_path(),
    })
}

/// What [`fetch`] knows: Debian's packages and the manifests of `fixtures/components`.
pub fn parts() -> Vec<String> {
    let packages = DEBIAN.map(|packages| packages.name.to_owned());
    packages
        .into_iter()
        .chain(fetch::maven::manifests())
        .collect()
}

const DEBIAN: [&fetch::debian::Packages; 3] = [
    &fetch::debian::ETCD,
    &fetch::debian::MARIADB,
    &fetch::debian::PYMYSQL,
];

/// Fetches a part, unless the cache has it, and gives its folder there: what stands for `/` of packages, jars else. Blocks.
///
/// # Errors
/// [`LabError::Fetch`]; an unknown part is named with those that there are.
pub fn fetch(part: &str) -> Result<PathBuf, LabError> {
    let fetcher = fetch::Fetcher::for_command(fetch::Progress::new(false))?;
    let packages = DEBIAN.into_iter().find(|packages| packages.name == part);
    Ok(match packages {
        Some(packages) => fetch::debian::unpacked(&fetcher, packages)?.root,
        None if parts().iter().any(|known| known == part) => fetch::maven::jars(&fetcher, part)?,
        None => {
            return Err(LabError::UnknownPart {
                name: part.to_owned(),
                known: parts(),
            });
        }
    })
}

/// A Java command with our programs (`fixtures/components/java`), the jars of the topology's Flink, and further manifests
/// of `fixtures/components`, e.g. `tidb-cdc-reader-2.3.0`; `program` is the main class and its arguments. No lab has to
/// run. Blocks.
///
/// # Errors
/// [`LabError::Fetch`], if something has to be fetched and cannot be.
pub fn java_command(
    topology: &Topology,
    more: &[&str],
    program: &[&str],
) -> Result<std::process::Command, LabError> {
    components::beside_flink(topology, more, program, &fetch::Fetcher::quiet()?)
}

/// A Java command that runs one source file of ours (under `fixtures`, e.g. `clients/java/TikvReader.java`) against the jars
/// of manifests of `fixtures/components`, in UTC. No lab has to run. Blocks.
///
/// # Errors
/// [`LabError::Fetch`], if something has to be fetched and cannot be.
pub fn java_source(
    source: &str,
    manifests: &[&str],
    arguments: &[&str],
) -> Result<std::process::Command, LabError> {
    components::from_source(
        source,
        manifests,
        arguments,
        "256m",
        &fetch::Fetcher::quiet()?,
    )
}

/// The `java` of a component. Blocks.
///
/// # Errors
/// [`LabError::Fetch`], [`LabError::UnknownComponent`].
pub fn java_of(topology: &Topology, component: Kind) -> Result<PathBuf, LabError> {
    let home = topology.component(component)?.java_home.as_deref();
    Ok(fetch::tools::java(home, "java")?)
}

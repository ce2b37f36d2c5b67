//! Gets what a lab needs into the cache: jars by Maven, MariaDB and etcd by apt, our Java programs by javac, our own
//! programs by cargo. Jars are held to committed hashes, packages to apt's signed index; what is damaged is fetched
//! again; several labs may fetch at the same time.

pub(crate) mod build;
pub(crate) mod debian;
mod error;
pub(crate) mod java;
pub(crate) mod maven;
pub(crate) mod progress;
mod stamp;
pub(crate) mod tools;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

pub use error::FetchError;
pub(crate) use progress::Progress;

use super::error::LabError;
use super::paths::{self, Paths};
use super::process::{LABEL, ROLE, TOOL};

/// Fetches into the cache.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    pub(crate) cache: PathBuf,
    pub(crate) progress: Progress,
    /// What marks the tools that are run as belonging to a lab: they end with it.
    label: Vec<(&'static str, OsString)>,
}

impl Fetcher {
    /// Fetches for the lab in this folder.
    pub(crate) fn for_lab(paths: &Paths, progress: Progress) -> Result<Fetcher, LabError> {
        Ok(Fetcher {
            cache: paths::cache()?,
            progress,
            label: vec![(LABEL, paths.lab.clone().into()), (ROLE, TOOL.into())],
        })
    }

    /// Fetches for a command.
    pub(crate) fn for_command(progress: Progress) -> Result<Fetcher, LabError> {
        Ok(Fetcher {
            cache: paths::cache()?,
            progress,
            label: Vec::new(),
        })
    }

    /// Fetches for a command, without a word.
    pub(crate) fn quiet() -> Result<Fetcher, LabError> {
        Self::for_command(Progress::new(true))
    }

    /// A command that is ended with the lab.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.envs(self.label.iter().cloned());
        command
    }
}

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::fetch::FetchError;
use super::topology::Kind;

/// Why a lab is not as it was asked for. Messages read after "failed to".
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabError {
    /// A file or folder could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried, e.g. `write`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Neither a home folder nor a variable that stands for it.
    #[error(
        "find a folder for the {what}: set HOME{}",
        if *.what == "cache" { " or CDCLAB_CACHE" } else { " or CDCLAB_HOME" }
    )]
    NoHome {
        /// `cache` or `labs`.
        what: &'static str,
    },
    /// A profile that there is not.
    #[error("find profile `{name}`; there are {}", known.join(", "))]
    UnknownProfile {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A name that no folder should have.
    #[error("take `{0}` for a lab's name; use 1 to 32 letters, digits, `-` and `_`")]
    BadName(String),
    /// A component that there is not.
    #[error("find component `{name}`; there are {}", known.join(", "))]
    UnknownComponent {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// Something to fetch that there is not.
    #[error("find `{name}` to fetch; there are {}", known.join(", "))]
    UnknownPart {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// An endpoint that there is not.
    #[error("find endpoint `{name}` of {component}; it has {}", known.join(", "))]
    UnknownEndpoint {
        /// The component.
        component: Kind,
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A topology that does not fit.
    #[error("read topology {origin}:{line}: {what} ({hint})")]
    Topology {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A lab's memory cannot be read.
    #[error(
        "read {}: {source}; remove the lab with `cargo xtask lab-down --purge --name {name}`",
        path.display()
    )]
    State {
        /// The lab.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The lab's data were made with another profile.
    #[error(
        "use profile `{wanted}` for lab `{name}`: its data are of profile `{found}`; take another --name, or remove them \
         with `cargo xtask lab-down --purge --name {name}`"
    )]
    OtherProfile {
        /// The lab.
        name: String,
        /// What it was made with.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// Kafka runs already, in plain text only.
    #[error(
        "give Kafka of lab `{0}` listeners with TLS and SASL: it runs without them; end it first with \
         `cargo xtask lab-down --name {0}`"
    )]
    RunsUnsecured(String),
    /// No lab of that name.
    #[error("find lab `{0}`; start it with `cargo xtask lab-up --name {0}`")]
    NoLab(String),
    /// The lab is there, but does not run.
    #[error("use lab `{0}`: it is not running; start it with `cargo xtask lab-up --name {0}`")]
    NotRunning(String),
    /// One component of the lab does not run.
    #[error(
        "use {component} of lab `{lab}`: it is not running; start it with `cargo xtask lab-up --name {lab}`"
    )]
    ComponentDown {
        /// The lab.
        lab: String,
        /// The component.
        component: Kind,
    },
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Ports are taken.
    #[error(
        "start lab `{name}`: {}; end what uses them, or start a lab on other ports: `cargo xtask lab-up --name other`",
        used.join("; ")
    )]
    PortsUsed {
        /// The lab.
        name: String,
        /// Port, endpoint and holder of each, as text.
        used: Vec<String>,
    },
    /// No free port was found.
    #[error("find free ports for lab `{name}`: {source}")]
    NoPort {
        /// The lab.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A component could not be started.
    #[error("start {component}: run {}: {source}", program.display())]
    Spawn {
        /// The component.
        component: Kind,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A component ended while the lab was coming up.
    #[error("keep {component} running: it ended with {status}; the end of {}:\n{tail}", log.display())]
    Died {
        /// The component.
        component: Kind,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// A component did not become ready.
    #[error(
        "start {component}: not ready within {}s: {missing}; the end of {}:\n{tail}",
        waited.as_secs(),
        log.display()
    )]
    NotReady {
        /// The component.
        component: Kind,
        /// How long was waited.
        waited: Duration,
        /// What its probe missed.
        missing: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// Another command is at work on this lab.
    #[error("work on lab `{0}`: another command is at work on it; wait for its end")]
    Busy(String),
    /// Processes that did not end.
    #[error("end {0}: still there after SIGKILL")]
    Survived(String),
    /// The row did not come through.
    #[error(
        "send a row through the chain: {hop}: {what}\n  the logs are in {}; `lab-up --no-smoke` leaves the lab up",
        logs.display()
    )]
    Smoke {
        /// Where it was lost.
        hop: &'static str,
        /// What was expected and what came.
        what: String,
        /// The lab's logs.
        logs: PathBuf,
    },
    /// A task of the lab panicked.
    #[error("carry on: {0}")]
    Panicked(#[from] tokio::task::JoinError),
    /// Ctrl-C, or SIGTERM.
    #[error("go on: interrupted; what had been started is stopped")]
    Interrupted,
}

impl LabError {
    /// 2: used wrongly; 3: the environment lacks something; 4: the lab broke; 130: interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            LabError::UnknownProfile { .. }
            | LabError::BadName(_)
            | LabError::UnknownComponent { .. }
            | LabError::UnknownPart { .. }
            | LabError::UnknownEndpoint { .. }
            | LabError::Topology { .. }
            | LabError::OtherProfile { .. }
            | LabError::RunsUnsecured(_)
            | LabError::NoLab(_)
            | LabError::NotRunning(_)
            | LabError::ComponentDown { .. } => 2,
            LabError::File { .. }
            | LabError::NoHome { .. }
            | LabError::Fetch(_)
            | LabError::PortsUsed { .. }
            | LabError::NoPort { .. }
            | LabError::Busy(_) => 3,
            LabError::State { .. }
            | LabError::Spawn { .. }
            | LabError::Died { .. }
            | LabError::NotReady { .. }
            | LabError::Survived(_)
            | LabError::Smoke { .. }
            | LabError::Panicked(_) => 4,
            LabError::Interrupted => 130,
        }
    }

    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> LabError {
        let path = path.into();
        move |source| LabError::File { what, path, source }
    }
}

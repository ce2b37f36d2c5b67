//! What can go wrong with a run, and how it is told.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::lab::LabError;
use crate::observe::changefeed::ChangefeedError;
use crate::observe::flink::FlinkError;
use crate::observe::kafka::KafkaFailure;
use crate::observe::pd::PdError;
use crate::observe::sql::SqlError;
use crate::scenario::message::BadMessage;
use crate::scenario::snapshot::SnapshotError;

/// Why a step could not be done. Messages read after "failed to".
#[derive(Debug, Error)]
pub enum Trouble {
    /// TiDB refused a statement that should have worked, or could not be reached.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// PD gave no timestamp.
    #[error(transparent)]
    Pd(#[from] PdError),
    /// The pipeline refused, stopped or stalled.
    #[error("{source}{}", hop.as_deref().map(|hop| format!("\n  {hop}")).unwrap_or_default())]
    Pipeline {
        /// What it said.
        source: ChangefeedError,
        /// Where it stalled, as far as can be seen.
        hop: Option<String>,
    },
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Flink failed.
    #[error(transparent)]
    Flink(#[from] FlinkError),
    /// The lab failed.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A record that is no message.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// A snapshot cannot be read or written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A claim's file cannot be used.
    #[error("use {}: {what}", path.display())]
    Claim {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Others did not give back what is needed.
    #[error("get its names in the lab in {seconds}s: {missing}")]
    Claimed {
        /// The time given.
        seconds: u64,
        /// What was missing.
        missing: String,
    },
    /// A table that is asked for is not there.
    #[error("find table `{0}` in the scenario's database")]
    NoTable(String),
    /// A statement went otherwise than expected.
    #[error("{0}")]
    Unexpected(String),
}

impl Trouble {
    pub(super) fn claim(path: &Path, error: &std::io::Error) -> Trouble {
        Trouble::Claim {
            path: path.to_owned(),
            what: error.to_string(),
        }
    }

    /// Where in the chain it was seen.
    pub fn hop(&self) -> &'static str {
        match self {
            Trouble::Sql(_) | Trouble::NoTable(_) | Trouble::Unexpected(_) => "TiDB",
            Trouble::Pd(_) => "PD",
            Trouble::Pipeline { .. } => "the pipeline",
            Trouble::Kafka(_) | Trouble::Message(_) => "Kafka",
            Trouble::Flink(_) => "Flink",
            Trouble::Lab(_) | Trouble::Claim { .. } | Trouble::Claimed { .. } => "the lab",
            Trouble::Snapshot(_) => "the snapshots",
        }
    }

    /// Whether the chain did its work, and it came out other than expected: exit code 1, not 4.
    pub fn is_verdict(&self) -> bool {
        match self {
            Trouble::Sql(SqlError::Server { .. })
            | Trouble::Message(_)
            | Trouble::NoTable(_)
            | Trouble::Unexpected(_)
            | Trouble::Flink(FlinkError::Statement { .. }) => true,
            Trouble::Pipeline { source, .. } => {
                matches!(
                    source,
                    ChangefeedError::Refused { .. }
                        | ChangefeedError::Stopped { .. }
                        | ChangefeedError::Late { .. }
                )
            }
            _ => false,
        }
    }
}

impl From<ChangefeedError> for Trouble {
    fn from(source: ChangefeedError) -> Trouble {
        Trouble::Pipeline { source, hop: None }
    }
}

/// One thing that is wrong with a scenario's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line in the scenario; `None`: it is about the whole.
    pub line: Option<usize>,
    /// The directive or statement.
    pub title: String,
    /// What is wrong.
    pub what: String,
    /// Whether the chain worked, and an expectation was not met.
    pub is_verdict: bool,
}

/// A failure with its file.
pub struct Shown<'a>(pub &'a Path, pub &'a Failure);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(file, failure) = self;
        write!(f, "{}", file.display())?;
        if let Some(line) = failure.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}", failure.title, failure.what)
    }
}

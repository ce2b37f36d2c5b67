//! What `cargo xtask bench` measures, as ratios within one run.

pub mod embedded;
mod load;
pub mod pipeline;
mod quantiles;

use std::collections::BTreeMap;
use std::path::PathBuf;

use thiserror::Error;

pub use quantiles::Latency;

use crate::lab::LabError;
use crate::observe::changefeed::ChangefeedError;
use crate::observe::feed::FeedError;
use crate::observe::kafka::KafkaFailure;
use crate::observe::pd::PdError;
use crate::observe::sql::SqlError;

/// What every bench prints with `--json`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Figures {
    /// Absolute figures, which are the machine's as much as ours.
    pub measurements: Vec<Measurement>,
    /// Figures of one run by others of the same run.
    pub ratios: BTreeMap<String, f64>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what: `ms`, `bytes`, `s`, `rows/s`, `commits/s`, `MB/s`.
    pub unit: &'static str,
}

impl Figures {
    /// Takes a figure in.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.measurements.push(Measurement {
            name: name.into(),
            value,
            unit,
        });
    }

    /// Takes a ratio in.
    pub fn ratio(&mut self, name: impl Into<String>, value: f64) {
        self.ratios.insert(name.into(), value);
    }
}

/// Why nothing was measured. Messages read after "failed to".
#[derive(Debug, Error)]
pub enum BenchError {
    /// The lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A statement.
    #[error("run `{statement}` at {address}: {source}")]
    Statement {
        /// Its beginning.
        statement: String,
        /// Where.
        address: String,
        /// What the server said.
        source: SqlError,
    },
    /// A server that keeps no binlog.
    #[error("find the place in the binlog of {0}: it keeps none")]
    NoBinlog(String),
    /// The change feed.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A timestamp.
    #[error(transparent)]
    Pd(#[from] PdError),
    /// A changefeed.
    #[error(transparent)]
    Changefeed(#[from] ChangefeedError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// A file of the bench's own.
    #[error("write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The consumer failed.
    #[error("read topic `{topic}`: {why}")]
    Consumer {
        /// The topic.
        topic: String,
        /// What the client said.
        why: String,
    },
    /// Messages did not come.
    #[error("see all rows in topic `{topic}`: {seen} of {expected} within {seconds} s")]
    Arrivals {
        /// The topic.
        topic: String,
        /// How many came.
        seen: u64,
        /// How many were committed.
        expected: u64,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// A part of the bench ended by itself.
    #[error("run {what}: it ended with {source}")]
    Task {
        /// Which.
        what: &'static str,
        /// How.
        source: tokio::task::JoinError,
    },
    /// Changes did not come.
    #[error("see all rows in the change feed: {seen} of {expected} within {seconds} s")]
    Missing {
        /// How many came.
        seen: u64,
        /// How many were committed.
        expected: u64,
        /// How long was waited, in seconds.
        seconds: u64,
    },
}

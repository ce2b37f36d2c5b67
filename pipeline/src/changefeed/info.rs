//! What etcd holds of captures and changefeeds since v5; the order of fields is that of the JSON there.

use serde::{Deserialize, Serialize};

use super::clock::GoTime;
use crate::{config::replica::ReplicaConfig, model::Ts};

/// What a changefeed is doing, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs.
    Normal,
    /// It met an error in its sink and tries again.
    Warning,
    /// It met another error and waits to try again; shown as warning in lists.
    Pending,
    /// Somebody paused it.
    Stopped,
    /// It met an error that trying again does not heal.
    Failed,
    /// It reached its target-ts.
    Finished,
    /// It was removed.
    Removed,
}

impl State {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Normal => "normal",
            State::Warning => "warning",
            State::Pending => "pending",
            State::Stopped => "stopped",
            State::Failed => "failed",
            State::Finished => "finished",
            State::Removed => "removed",
        }
    }

    /// As lists show it.
    #[must_use]
    pub fn shown(self) -> State {
        match self {
            State::Pending => State::Warning,
            other => other,
        }
    }

    /// Whether the owner keeps a task for it, or will again.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, State::Normal | State::Warning | State::Pending)
    }

    /// What the key says was last ordered.
    #[must_use]
    pub fn admin_job(self) -> AdminJob {
        match self {
            State::Normal | State::Warning => AdminJob::None,
            State::Pending | State::Stopped | State::Failed => AdminJob::Stop,
            State::Finished => AdminJob::Finish,
            State::Removed => AdminJob::Remove,
        }
    }
}

/// What was last ordered of a changefeed, as a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub enum AdminJob {
    /// Nothing.
    #[default]
    None,
    /// To stop.
    Stop,
    /// To go on.
    Resume,
    /// To go for good.
    Remove,
    /// It finished.
    Finish,
}

impl From<AdminJob> for i32 {
    fn from(job: AdminJob) -> i32 {
        job as i32
    }
}

impl TryFrom<i32> for AdminJob {
    type Error = String;

    fn try_from(number: i32) -> Result<Self, String> {
        Ok(match number {
            0 => AdminJob::None,
            1 => AdminJob::Stop,
            2 => AdminJob::Resume,
            3 => AdminJob::Remove,
            4 => AdminJob::Finish,
            other => return Err(format!("unknown admin job {other}, expected 0 to 4")),
        })
    }
}

impl AdminJob {
    /// Whether it is the usual state of a running changefeed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == AdminJob::None
    }
}

/// Where and why a changefeed stumbled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningError {
    /// When.
    pub time: GoTime,
    /// Address of the capture.
    pub addr: String,
    /// TiCDC's code.
    pub code: String,
    /// The whole text, code included where the original includes it.
    pub message: String,
}

/// A changefeed: what it is and what it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Info {
    /// PD's id of the upstream cluster.
    pub upstream_id: u64,
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    #[serde(rename = "changefeed-id")]
    pub id: String,
    /// Where to, credentials included.
    pub sink_uri: String,
    /// When it was created.
    pub create_time: GoTime,
    /// From where it began, or was last told to begin.
    pub start_ts: Ts,
    /// Where it ends, 0 for never.
    pub target_ts: Ts,
    /// What was last ordered.
    pub admin_job_type: AdminJob,
    /// Unused.
    pub sort_engine: String,
    /// Unused.
    pub sort_dir: String,
    /// How.
    pub config: ReplicaConfig,
    /// What it is doing.
    pub state: State,
    /// Why it is pending or failed.
    pub error: Option<RunningError>,
    /// Why it is in warning.
    pub warning: Option<RunningError>,
    /// Which release created it.
    pub creator_version: String,
    /// A TSO that changes with every start and stop.
    pub epoch: u64,
}

/// How far a changefeed has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Everything up to here has been acknowledged downstream.
    pub checkpoint_ts: Ts,
    /// The least commit-ts of a DDL statement still to come, or how far the DDL stream is known.
    #[serde(default)]
    pub min_table_barrier_ts: Ts,
    /// What was last ordered.
    pub admin_job_type: AdminJob,
}

impl Status {
    /// Whether it is not known if a DDL statement at the checkpoint was sent (`spec/state.md §3.6`).
    #[must_use]
    pub fn ddl_at_checkpoint(&self) -> bool {
        self.min_table_barrier_ts <= self.checkpoint_ts
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CaptureInfo {
    /// Its id, new with every session.
    pub id: String,
    /// `host:port` of its API.
    pub address: String,
    /// The release it behaves as; not in v4.0.9.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The commit it was built from; not in v4.0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_hash: Option<String>,
    /// The program; not in v4.0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_path: Option<String>,
    /// When it started, in seconds; not in v4.0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timestamp: Option<i64>,
}

/// The upstream as described in etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpstreamInfo {
    /// PD's id of the cluster.
    pub id: u64,
    /// URLs of PD with commas between.
    pub pd_endpoints: String,
    /// TLS.
    pub key_path: String,
    /// TLS.
    pub cert_path: String,
    /// TLS.
    pub ca_path: String,
    /// TLS.
    pub cert_allowed_cn: Option<Vec<String>>,
}

/// Where a capture stands with a changefeed: only there to report errors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskPosition {
    /// Always 0.
    pub checkpoint_ts: Ts,
    /// Always 0.
    pub resolved_ts: Ts,
    /// Always 0.
    pub count: u64,
    /// What ended the task.
    pub error: Option<RunningError>,
    /// What it stumbled over.
    pub warning: Option<RunningError>,
}

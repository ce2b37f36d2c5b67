//! What the API says of changefeeds and captures; the order of fields is TiCDC's.

use serde::{Deserialize, Serialize};

use crate::{
    changefeed::{
        clock::{GoTime, ts_text},
        info::{AdminJob, Info, RunningError, State},
        keys::Id,
        owner::View,
        state::Meta,
    },
    config::{replica::api, uri::SinkUri},
    model::Ts,
};

/// A list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// How many.
    pub total: usize,
    /// Them.
    pub items: Vec<T>,
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            total: items.len(),
            items,
        }
    }
}

/// An error of a changefeed; the time is missing where TiCDC leaves it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownError {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<GoTime>,
    /// Address of the capture.
    pub addr: String,
    /// The code.
    pub code: String,
    /// The text.
    pub message: String,
}

impl From<&RunningError> for ShownError {
    fn from(error: &RunningError) -> Self {
        Self {
            time: Some(error.time),
            addr: error.addr.clone(),
            code: error.code.clone(),
            message: error.message.clone(),
        }
    }
}

/// A changefeed in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// The upstream.
    pub upstream_id: u64,
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// What it is doing.
    pub state: State,
    /// The checkpoint.
    pub checkpoint_tso: Ts,
    /// The checkpoint as a local time.
    pub checkpoint_time: String,
    /// The last error.
    pub error: Option<ShownError>,
}

/// The upstream of a changefeed; v4.0.9 has none.
fn upstream_of(meta: &Meta) -> u64 {
    match meta {
        Meta::Modern(info) => info.upstream_id,
        Meta::Legacy(_) => 0,
    }
}

impl From<&View> for Common {
    fn from(view: &View) -> Self {
        Self {
            upstream_id: upstream_of(&view.meta),
            namespace: view.id.namespace.clone(),
            id: view.id.id.clone(),
            state: view.state.shown(),
            checkpoint_tso: view.position.checkpoint_ts,
            checkpoint_time: ts_text(view.position.checkpoint_ts),
            error: view.meta.shown_error().map(Into::into),
        }
    }
}

/// What a capture has of a changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// The capture.
    pub capture_id: String,
    /// Its tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub table_ids: Vec<i64>,
}

/// A changefeed in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangefeedInfo {
    /// The upstream.
    pub upstream_id: u64,
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub id: String,
    /// Where to, passwords masked.
    pub sink_uri: String,
    /// When it was created.
    pub create_time: GoTime,
    /// From where.
    pub start_ts: Ts,
    /// Where it ends.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub target_ts: Ts,
    /// What was last ordered.
    #[serde(default = "no_job", skip_serializing_if = "AdminJob::is_none")]
    pub admin_job_type: AdminJob,
    /// How.
    #[serde(deserialize_with = "crate::changefeed::update::shown")]
    pub config: api::ReplicaConfig,
    /// What it is doing.
    pub state: State,
    /// Why it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ShownError>,
    /// Which release created it.
    #[serde(default)]
    pub creator_version: String,
    /// Read up to here; 0 without a task.
    pub resolved_ts: Ts,
    /// Acknowledged up to here.
    pub checkpoint_ts: Ts,
    /// The checkpoint as a local time.
    pub checkpoint_time: String,
    /// Its tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_status: Vec<TaskStatus>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(ts: &Ts) -> bool {
    *ts == 0
}

fn no_job() -> AdminJob {
    AdminJob::None
}

/// A sink URI without its passwords; one that is none is shown as it is.
#[must_use]
pub fn masked(uri: &str) -> String {
    SinkUri::parse(uri).map_or_else(|_| uri.to_owned(), |uri| uri.masked())
}

impl ChangefeedInfo {
    /// What is said of a changefeed; `resolved_ts` is 0 without a task.
    #[must_use]
    pub fn new(info: &Info, checkpoint_ts: Ts, resolved_ts: Ts) -> Self {
        let error = info
            .error
            .as_ref()
            .filter(|_| info.state != State::Normal)
            .map(|error| ShownError {
                // left out by the original
                time: None,
                ..ShownError::from(error)
            });
        Self {
            upstream_id: info.upstream_id,
            namespace: info.namespace.clone(),
            id: info.id.clone(),
            sink_uri: masked(&info.sink_uri),
            create_time: info.create_time,
            start_ts: info.start_ts,
            target_ts: info.target_ts,
            admin_job_type: info.admin_job_type,
            config: info.config.clone().into(),
            state: info.state,
            error,
            creator_version: info.creator_version.clone(),
            resolved_ts,
            checkpoint_ts,
            checkpoint_time: ts_text(checkpoint_ts),
            task_status: Vec::new(),
        }
    }
}

/// How far a changefeed has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangefeedStatus {
    /// What it is doing.
    pub state: State,
    /// Read up to here; 0 without a task.
    pub resolved_ts: Ts,
    /// Acknowledged up to here.
    pub checkpoint_ts: Ts,
    /// What ended the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ShownError>,
    /// What it stumbled over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_warning: Option<ShownError>,
}

/// Whether all data has been replicated, as far as can be seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// Whether it has.
    pub synced: bool,
    /// The checkpoint as a local time.
    pub sink_checkpoint_ts: String,
    /// How far has been read, as a local time.
    pub puller_resolved_ts: String,
    /// When the last row was sent.
    pub last_synced_ts: String,
    /// PD's time.
    pub now_ts: String,
    /// In words.
    pub info: String,
}

/// A capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Its id.
    pub id: String,
    /// Whether it owns.
    pub is_owner: bool,
    /// How it is reached.
    pub address: String,
    /// Its cluster.
    pub cluster_id: String,
}

/// A capture that works on a changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processor {
    /// Of the changefeed.
    pub namespace: String,
    /// The changefeed.
    pub changefeed_id: String,
    /// The capture.
    pub capture_id: String,
}

impl Processor {
    /// A capture's work on a changefeed.
    #[must_use]
    pub fn new(id: &Id, capture: &str) -> Self {
        Self {
            namespace: id.namespace.clone(),
            changefeed_id: id.id.clone(),
            capture_id: capture.to_owned(),
        }
    }
}

/// The tables of a capture's work on a changefeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessorTables {
    /// Their physical ids.
    #[serde(default)]
    pub table_ids: Vec<i64>,
}

/// A capture that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Tables that it still has.
    pub current_table_count: usize,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// The release it behaves as.
    pub version: String,
    /// The commit it was built from.
    pub git_hash: String,
    /// The capture.
    pub id: String,
    /// The cluster of captures.
    pub cluster_id: String,
    /// The process.
    pub pid: u32,
    /// Whether it owns.
    pub is_owner: bool,
    /// 0: alive.
    pub liveness: i32,
}

/// A timestamp in its two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tso {
    /// Milliseconds.
    pub timestamp: u64,
    /// The logical part.
    pub logic_time: u64,
}

/// Locks to be resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResolveLock {
    /// The region that they are in.
    pub region_id: u64,
    /// They are no younger than this timestamp.
    pub ts: u64,
}

/// A key of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
}

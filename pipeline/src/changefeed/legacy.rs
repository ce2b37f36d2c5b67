//! What etcd holds in v4.0.9; the order of fields is that of the JSON there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    clock::GoTime,
    info::{AdminJob, State},
};
use crate::{
    config::{legacy::LegacyConfig, replica::Nanos},
    model::Ts,
};

/// Errors within this time count together, in milliseconds.
const ERROR_WINDOW_MS: i64 = 2 * 60 * 1000;
/// Errors older than this are forgotten, in milliseconds.
const ERROR_KEPT_MS: i64 = 10 * 60 * 1000;
/// So many errors within the window end a changefeed.
const ERRORS_TO_FAIL: usize = 5;

/// Why a changefeed stumbled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyError {
    /// Address of the capture.
    pub addr: String,
    /// TiCDC's code.
    pub code: String,
    /// The text.
    pub message: String,
}

/// A changefeed: what it is and what it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LegacyInfo {
    /// Where to.
    pub sink_uri: String,
    /// Options of the encoder.
    pub opts: BTreeMap<String, String>,
    /// When it was created.
    pub create_time: GoTime,
    /// From where.
    pub start_ts: Ts,
    /// Where it ends, 0 for never.
    pub target_ts: Ts,
    /// What was last ordered.
    pub admin_job_type: AdminJob,
    /// Kept, not used.
    pub sort_engine: String,
    /// Kept, not used.
    pub sort_dir: String,
    /// How.
    pub config: LegacyConfig,
    /// `normal`, or `failed`: what was ordered is in `admin-job-type`.
    pub state: State,
    /// When errors happened, in milliseconds.
    pub history: Option<Vec<i64>>,
    /// The last error.
    pub error: Option<LegacyError>,
    /// For other sinks.
    pub sync_point_enabled: bool,
    /// For other sinks.
    pub sync_point_interval: Nanos,
}

impl LegacyInfo {
    /// Writes an error down; whether the changefeed may try again.
    pub fn note_error(&mut self, error: LegacyError, now_ms: i64) -> bool {
        let history = self.history.get_or_insert_default();
        history.retain(|at| now_ms - at < ERROR_KEPT_MS);
        history.push(now_ms);
        self.error = Some(error);
        history
            .iter()
            .filter(|at| now_ms - **at < ERROR_WINDOW_MS)
            .count()
            < ERRORS_TO_FAIL
    }
}

/// How far a changefeed has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobStatus {
    /// Everything up to here has been read upstream.
    pub resolved_ts: Ts,
    /// Everything up to here has been acknowledged downstream.
    pub checkpoint_ts: Ts,
    /// What was last ordered.
    pub admin_job_type: AdminJob,
}

/// From where a table is replicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableReplica {
    /// Rows above are sent.
    pub start_ts: Ts,
    /// For replication in circles.
    pub mark_table_id: i64,
}

/// A table on its way to or from a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableOperation {
    /// Whether it goes.
    pub delete: bool,
    /// How.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flag: u64,
    /// From when.
    pub boundary_ts: Ts,
    /// Whether it has gone or come.
    pub done: bool,
    /// How far the capture is with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub status: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The tables that a capture has of a changefeed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskStatus {
    /// By physical id.
    pub tables: BTreeMap<i64, TableReplica>,
    /// Moves under way: tables never move here.
    pub operation: Option<BTreeMap<i64, TableOperation>>,
    /// What was last ordered.
    pub admin_job_type: AdminJob,
}

/// Where a capture stands with a changefeed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LegacyPosition {
    /// Acknowledged.
    pub checkpoint_ts: Ts,
    /// Read.
    pub resolved_ts: Ts,
    /// Rows sent.
    pub count: u64,
    /// What ended the task.
    pub error: Option<LegacyError>,
}

/// What `changefeed list` and `query -s` show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// In words.
    pub state: State,
    /// The checkpoint.
    pub tso: Ts,
    /// The checkpoint as a local time, empty if there is none.
    pub checkpoint: String,
    /// The last error.
    pub error: Option<LegacyError>,
}

impl Summary {
    /// What is said of a changefeed; one that does not exist is normal at 0.
    #[must_use]
    pub fn new(info: Option<&LegacyInfo>, status: Option<&JobStatus>) -> Self {
        let error = info.and_then(|info| info.error.clone());
        let ordered = status.map_or(AdminJob::None, |status| status.admin_job_type);
        let state = match ordered {
            // one that tries again is as normal as that release says it is; its error says more
            AdminJob::None | AdminJob::Resume => State::Normal,
            AdminJob::Stop if info.is_some_and(|info| info.state == State::Failed) => State::Failed,
            AdminJob::Stop => State::Stopped,
            AdminJob::Remove => State::Removed,
            AdminJob::Finish => State::Finished,
        };
        Self {
            state,
            tso: status.map_or(0, |status| status.checkpoint_ts),
            checkpoint: status.map_or_else(String::new, |status| {
                super::clock::ts_text(status.checkpoint_ts)
            }),
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_errors_in_two_minutes_are_too_many() {
        let mut info: LegacyInfo = serde_json::from_str(
            r#"{"sink-uri":"kafka://h:1/t","opts":{},"create-time":"2026-11-23T21:14:09.721476885Z","start-ts":1,
            "target-ts":0,"admin-job-type":0,"sort-engine":"memory","sort-dir":".","config":{},"state":"normal",
            "history":null,"error":null,"sync-point-enabled":false,"sync-point-interval":600000000000}"#,
        )
        .unwrap();
        let error = LegacyError {
            addr: "127.0.0.1:1".to_owned(),
            code: "CDC:ErrKafkaAsyncSendMessage".to_owned(),
            message: "x".to_owned(),
        };
        for at in 0..4 {
            assert!(info.note_error(error.clone(), at * 1000));
        }
        assert!(!info.note_error(error.clone(), 5000));
        // two minutes later only the last one counts
        assert!(info.note_error(error.clone(), 5000 + ERROR_WINDOW_MS));
        assert!(info.note_error(error, 5000 + ERROR_KEPT_MS));
        assert_eq!(info.history.unwrap().len(), 2);
    }
}

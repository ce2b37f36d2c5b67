//! Reading and writing the state of changefeeds in etcd, in the layout of the release.

use std::time::Duration;

use super::{
    clock::GoTime,
    info::{AdminJob, Info, RunningError, State, Status},
    keys::{Id, Keys},
    legacy::{JobStatus, LegacyError, LegacyInfo},
    task,
};
use crate::{
    coded::Coded,
    compat::Compat,
    config::{golang, replica::MIN_STUCK_DURATION},
    etcd,
    model::Ts,
};

/// What a changefeed is, in its release's form.
#[derive(Debug, Clone, PartialEq)]
pub enum Meta {
    /// v4.0.9.
    Legacy(Box<LegacyInfo>),
    /// Since v5.
    Modern(Box<Info>),
}

/// How far a changefeed has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Everything up to here has been acknowledged downstream.
    pub checkpoint_ts: Ts,
    /// Everything up to here has been read upstream; v4.0.9 only.
    pub resolved_ts: Ts,
    /// The next DDL statement, or how far DDL is known; since v5 only.
    pub barrier_ts: Ts,
}

impl Position {
    /// Where a changefeed begins.
    #[must_use]
    pub fn start(ts: Ts) -> Self {
        Self {
            checkpoint_ts: ts,
            resolved_ts: ts,
            barrier_ts: ts,
        }
    }
}

/// Why state in etcd could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// etcd did not answer as asked.
    #[error(transparent)]
    Etcd(#[from] etcd::Error),
    /// A value is not what it should be.
    #[error("read the value of {key} in etcd: {source}")]
    Value {
        /// Where.
        key: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A value could not be written as JSON.
    #[error("write a changefeed's state as JSON: {0}")]
    Json(serde_json::Error),
}

impl Meta {
    /// Reads the value of an info key.
    ///
    /// # Errors
    /// When it is not the JSON of that release.
    pub fn decode(compat: Compat, value: &[u8]) -> serde_json::Result<Self> {
        Ok(match compat {
            Compat::V4_0_9 => Meta::Legacy(serde_json::from_slice(value)?),
            Compat::V6_5 | Compat::V8_5 => Meta::Modern(serde_json::from_slice(value)?),
        })
    }

    /// The value of the info key.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(&self) -> Result<String, StateError> {
        match self {
            Meta::Legacy(info) => golang::json(info),
            Meta::Modern(info) => golang::json(info),
        }
        .map_err(StateError::Json)
    }

    /// What the changefeed is doing.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Meta::Modern(info) => info.state,
            Meta::Legacy(info) => match info.admin_job_type {
                AdminJob::Stop if info.state == State::Failed => State::Failed,
                AdminJob::Stop => State::Stopped,
                AdminJob::Remove => State::Removed,
                AdminJob::Finish => State::Finished,
                AdminJob::None | AdminJob::Resume if info.error.is_some() => State::Warning,
                AdminJob::None | AdminJob::Resume => State::Normal,
            },
        }
    }

    /// Writes down what it is doing from now on; `epoch` is a fresh TSO, taken where the release takes one.
    pub fn set_state(&mut self, state: State, epoch: u64) {
        match self {
            Meta::Modern(info) => {
                let job = state.admin_job();
                if info.admin_job_type != job {
                    info.admin_job_type = job;
                    if epoch != 0 {
                        info.epoch = epoch;
                    }
                }
                info.state = state;
            }
            Meta::Legacy(info) => {
                info.admin_job_type = match state {
                    State::Pending | State::Warning | State::Normal => AdminJob::None,
                    other => other.admin_job(),
                };
                info.state = if state == State::Failed {
                    State::Failed
                } else {
                    State::Normal
                };
            }
        }
    }

    /// What was last ordered.
    #[must_use]
    pub fn admin_job(&self) -> AdminJob {
        match self {
            Meta::Modern(info) => info.admin_job_type,
            Meta::Legacy(info) => info.admin_job_type,
        }
    }

    /// Forgets errors.
    pub fn clear_errors(&mut self) {
        match self {
            Meta::Modern(info) => {
                info.error = None;
                info.warning = None;
            }
            Meta::Legacy(info) => info.error = None,
        }
    }

    /// Writes an error down for the state that it leads to; whether v4.0.9's history lets the changefeed try again.
    pub fn note_error(&mut self, error: &Coded, addr: &str, state: State) -> bool {
        let (code, message) = (error.code().as_str().to_owned(), error_text(error));
        match self {
            Meta::Modern(info) => {
                let running = RunningError {
                    time: GoTime::now(),
                    addr: addr.to_owned(),
                    code,
                    message,
                };
                match state {
                    State::Warning => info.warning = Some(running),
                    _ => info.error = Some(running),
                }
                true
            }
            Meta::Legacy(info) => {
                let error = LegacyError {
                    addr: addr.to_owned(),
                    code,
                    message,
                };
                info.note_error(error, jiff::Timestamp::now().as_millisecond())
            }
        }
    }

    /// The error that lists show.
    #[must_use]
    pub fn shown_error(&self) -> Option<&RunningError> {
        match self {
            Meta::Modern(info) if info.state != State::Normal => {
                info.error.as_ref().or(info.warning.as_ref())
            }
            _ => None,
        }
    }

    /// Where to, credentials included.
    #[must_use]
    pub fn sink_uri(&self) -> &str {
        match self {
            Meta::Modern(info) => &info.sink_uri,
            Meta::Legacy(info) => &info.sink_uri,
        }
    }

    /// From where.
    #[must_use]
    pub fn start_ts(&self) -> Ts {
        match self {
            Meta::Modern(info) => info.start_ts,
            Meta::Legacy(info) => info.start_ts,
        }
    }

    /// Where it ends.
    #[must_use]
    pub fn target_ts(&self) -> Option<Ts> {
        let ts = match self {
            Meta::Modern(info) => info.target_ts,
            Meta::Legacy(info) => info.target_ts,
        };
        (ts != 0).then_some(ts)
    }

    /// How, for a task.
    #[must_use]
    pub fn config(&self) -> task::Config {
        match self {
            Meta::Modern(info) => task::Config::Modern(Box::new(info.config.clone())),
            Meta::Legacy(info) => task::Config::Legacy(Box::new(info.config.clone())),
        }
    }

    /// How long it may be without progress.
    #[must_use]
    pub fn stuck_after(&self) -> Duration {
        let nanos = match self {
            Meta::Modern(info) => info.config.stuck_duration(),
            Meta::Legacy(_) => MIN_STUCK_DURATION,
        };
        Duration::from_nanos(u64::try_from(nanos.0).unwrap_or_default())
    }

    /// The value of the status key.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode_position(&self, position: &Position) -> Result<String, StateError> {
        match self {
            Meta::Modern(info) => golang::json(&Status {
                checkpoint_ts: position.checkpoint_ts,
                min_table_barrier_ts: position.barrier_ts,
                admin_job_type: info.admin_job_type,
            }),
            Meta::Legacy(info) => golang::json(&JobStatus {
                resolved_ts: position.resolved_ts,
                checkpoint_ts: position.checkpoint_ts,
                admin_job_type: info.admin_job_type,
            }),
        }
        .map_err(StateError::Json)
    }

    /// Whether a DDL statement at the checkpoint has to be sent again.
    #[must_use]
    pub fn ddl_at_checkpoint(&self, position: &Position) -> bool {
        match self {
            Meta::Modern(info) => Status {
                checkpoint_ts: position.checkpoint_ts,
                min_table_barrier_ts: position.barrier_ts,
                admin_job_type: info.admin_job_type,
            }
            .ddl_at_checkpoint(),
            // that release keeps no barrier: sent again unless nothing was sent yet
            Meta::Legacy(info) => position.checkpoint_ts != info.start_ts,
        }
    }
}

/// TiCDC's text of an error: with its code in front, but for errors that had none of their own.
fn error_text(error: &Coded) -> String {
    use crate::coded::Code;
    match error.code() {
        Code::ErrOwnerUnknown | Code::ErrProcessorUnknown => error.message().to_owned(),
        _ => error.to_string(),
    }
}

/// Reads the value of a status key.
///
/// # Errors
/// When it is not the JSON of that release.
pub fn decode_position(compat: Compat, value: &[u8]) -> serde_json::Result<Position> {
    Ok(match compat {
        Compat::V4_0_9 => {
            let status: JobStatus = serde_json::from_slice(value)?;
            Position {
                checkpoint_ts: status.checkpoint_ts,
                resolved_ts: status.resolved_ts,
                barrier_ts: status.checkpoint_ts,
            }
        }
        Compat::V6_5 | Compat::V8_5 => {
            let status: Status = serde_json::from_slice(value)?;
            Position {
                checkpoint_ts: status.checkpoint_ts,
                resolved_ts: status.checkpoint_ts,
                barrier_ts: status.min_table_barrier_ts,
            }
        }
    })
}

/// Everything in etcd about changefeeds at one revision.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Changefeeds with where they stand, if that is known.
    pub changefeeds: Vec<(Id, Meta, Option<Position>)>,
    /// Keys of tasks, of this capture or of those before it.
    pub tasks: Vec<String>,
    /// Ids of the captures that are there.
    pub captures: Vec<String>,
    /// Removed keys counted so far.
    pub deleted: u64,
    /// At which revision.
    pub revision: i64,
}

/// Reads all changefeeds.
///
/// A value that cannot be read is an error that names its key: passing over it would let its safepoint go.
///
/// # Errors
/// [`StateError`].
pub async fn load(
    etcd: &etcd::Client,
    keys: &Keys,
    compat: Compat,
) -> Result<Snapshot, StateError> {
    let (pairs, revision) = etcd.list(&format!("{}/", keys.base())).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut snapshot = Snapshot {
        revision,
        ..Snapshot::default()
    };
    for pair in &pairs {
        let key = text(&pair.key);
        if Some(&key) == keys.delete_count().as_ref() {
            snapshot.deleted = text(&pair.value).trim().parse().unwrap_or_default();
        }
        if let Some(capture) = keys.parse_capture(&key) {
            snapshot.captures.push(capture.to_owned());
        }
        if keys.is_task(&key) {
            snapshot.tasks.push(key);
            continue;
        }
        let Some(id) = keys.parse_info(&key) else {
            continue;
        };
        let wrong = |key: &str| {
            let key = key.to_owned();
            move |source| StateError::Value { key, source }
        };
        let meta = Meta::decode(compat, &pair.value).map_err(wrong(&key))?;
        let status_key = keys.status(&id);
        let position = pairs
            .iter()
            .find(|pair| pair.key == status_key.as_bytes())
            .map(|pair| decode_position(compat, &pair.value).map_err(wrong(&status_key)))
            .transpose()?;
        snapshot.changefeeds.push((id, meta, position));
    }
    Ok(snapshot)
}

//! The tables of a changefeed spread over several captures.
//!
//! The owner's task of a changefeed [leads](lead): it decides which capture has which tables ([`placement`]) and writes that
//! down in the changefeed's *run*, a key of etcd. Every other capture of the run [follows](follow): it runs a task of its
//! own for its tables, and tells under its session how far that has come, its *part*. The leader has tables too, unless it
//! is drained. It alone sends DDL statements and watermarks: a statement goes out when every part has acknowledged
//! everything up to it, and the run then lets the others pass.
//!
//! A run is never changed but by a DDL statement. When captures come or go, or a table is moved, the run's key is removed,
//! every part ends and says so, and the next run begins at the checkpoint of all. A part begins only if its run's key is
//! there, in one transaction with the writing of its own key, so none is left over once the run is gone and those that
//! there were have ended. The key of a capture that has died goes with its session, and a capture that may have lost its
//! session has stopped before ([`Session`](super::capture::Session)): no table is ever on two captures.
//!
//! A changefeed on one capture writes nothing of this.

pub mod follow;
pub mod lead;
mod mirror;
pub mod placement;
pub mod tables;

use serde::{Deserialize, Serialize};

use self::placement::Placement;
use crate::{
    coded::{Code, Coded},
    config::golang,
    etcd,
    model::Ts,
};

/// A changefeed whose tables are spread: the value of its run's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// The capture that leads.
    pub leader: String,
    /// The changefeed as its leader runs it, encoded as its own key is: that may have another value by now.
    pub info: String,
    /// Everything up to here had been acknowledged when it began.
    pub checkpoint_ts: Ts,
    /// Whether a DDL statement at exactly the checkpoint is sent (again).
    pub ddl_at_checkpoint: bool,
    /// DDL statements up to here have been sent.
    pub released_ts: Ts,
    /// Who has which tables, as of the last of these statements.
    pub tables: Placement,
}

/// What a capture has done of a changefeed: the value of its part's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// The revision at which the run's key was made.
    pub run: i64,
    /// Everything of its tables up to here has been acknowledged.
    pub checkpoint_ts: Ts,
    /// Everything of its tables up to here has been read.
    pub resolved_ts: Ts,
    /// Messages acknowledged in this run.
    pub messages: u64,
    /// Nothing more is sent.
    pub ended: bool,
    /// What ended it, if it was not told to.
    pub error: Option<Failure>,
}

/// An error on its way to the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The code.
    pub code: String,
    /// The text without it.
    pub message: String,
}

impl From<&Coded> for Failure {
    fn from(error: &Coded) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
        }
    }
}

impl From<&Failure> for Coded {
    fn from(failure: &Failure) -> Self {
        let known = Code::ALL.iter().find(|code| code.as_str() == failure.code);
        Coded::new(
            known.copied().unwrap_or(Code::ErrProcessorUnknown),
            failure.message.clone(),
        )
    }
}

fn failed(error: etcd::Error) -> Coded {
    Coded::wrap(Code::ErrPDEtcdAPIError, error)
}

fn json<T: Serialize>(value: &T) -> Result<String, Coded> {
    golang::json(value).map_err(|error| Coded::wrap(Code::ErrPDEtcdAPIError, error))
}

/// The value of one of our own keys.
fn read<T: serde::de::DeserializeOwned>(pair: &proto::mvccpb::KeyValue) -> Result<T, Coded> {
    serde_json::from_slice(&pair.value).map_err(|error| {
        Coded::wrap(
            Code::ErrPDEtcdAPIError,
            format_args!(
                "failed to read the value of {}: {error}; expected what a capture of this pipeline writes",
                String::from_utf8_lossy(&pair.key)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_their_code() {
        let error = Coded::new(Code::ErrMessageTooLarge, "message is too large");
        assert_eq!(Coded::from(&Failure::from(&error)), error);
        let other = Failure {
            code: "CDC:ErrOfANewerOne".to_owned(),
            message: "x".to_owned(),
        };
        assert_eq!(Coded::from(&other).code(), Code::ErrProcessorUnknown);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let part = Part {
            run: 7,
            checkpoint_ts: 5,
            ended: true,
            ..Part::default()
        };
        let text = json(&part).unwrap();
        assert_eq!(
            text,
            r#"{"run":7,"checkpoint-ts":5,"resolved-ts":0,"messages":0,"ended":true,"error":null}"#
        );
        let pair = proto::mvccpb::KeyValue {
            value: text.into(),
            ..Default::default()
        };
        assert_eq!(read::<Part>(&pair).unwrap(), part);
        assert!(
            read::<Run>(&pair)
                .unwrap_err()
                .message()
                .contains("missing field")
        );
    }
}

//! How a part's key is written: only over what was known of it, so that what etcd does late changes nothing.
//!
//! A write that is not answered may be made later, after others. Each is therefore bound to the revision at which the key was
//! last written, and one that begins a part also to its run. What cannot be written tells what stands there.

use proto::etcdserverpb::{Compare, RequestOp, ResponseOp, TxnResponse, response_op::Response};

use super::AGAIN;
use crate::{
    changefeed::{
        keys::{Id, Keys},
        spread::{Part, json, read},
    },
    coded::Coded,
    etcd,
    model::Ts,
};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was made.
    Made,
    /// The key was written since by the same run, at this revision.
    Moved(i64),
    /// The key is not there, or another's, as of this revision (0 if it is not there).
    Apart(i64),
}

/// With what a capture tells of its parts.
#[derive(Debug, Clone)]
pub struct Voice {
    /// PD's etcd.
    pub etcd: etcd::Client,
    /// The names of its keys.
    pub keys: Keys,
    /// This capture.
    pub capture: String,
    /// The lease of its session.
    pub lease: i64,
}

/// A comparison, the write of a part's key, and else its reading.
type Guarded = (Vec<Compare>, Vec<RequestOp>, Vec<RequestOp>);

fn guarded(voice: &Voice, key: &str, known: i64, value: String) -> Guarded {
    (
        vec![etcd::unchanged(key, known)],
        vec![etcd::put(key, value, voice.lease)],
        vec![etcd::get(key)],
    )
}

fn outcome(answer: &TxnResponse, run: i64) -> Written {
    if answer.succeeded {
        return Written::Made;
    }
    match etcd::read(answer) {
        Some(pair) if read::<Part>(pair).is_ok_and(|part| part.run == run) => {
            Written::Moved(pair.mod_revision)
        }
        Some(pair) => Written::Apart(pair.mod_revision),
        None => Written::Apart(0),
    }
}

/// A part that is to be told.
#[derive(Debug)]
pub(super) struct News {
    pub(super) id: Id,
    pub(super) part: Part,
    /// As its key is to have it.
    pub(super) value: String,
    /// The revision at which its key was last written.
    pub(super) known: i64,
}

/// Writes the keys of parts that have begun, each by itself; at which revision, and which of them.
pub(super) async fn tell(voice: &Voice, news: &[News]) -> Result<(i64, Vec<Written>), etcd::Error> {
    let nested = |news: &News| {
        let key = voice.keys.part(&news.id, &voice.capture);
        let (compare, success, failure) = guarded(voice, &key, news.known, news.value.clone());
        etcd::nested(compare, success, failure)
    };
    let ops = news.iter().map(nested).collect();
    let answer = voice.etcd.txn(vec![], ops, vec![]).await?;
    let outcome = |(news, response): (&News, &ResponseOp)| match &response.response {
        Some(Response::ResponseTxn(answer)) => outcome(answer, news.part.run),
        _ => Written::Apart(0),
    };
    let revision = answer.header.map_or(0, |header| header.revision);
    let written = news.iter().zip(&answer.responses).map(outcome).collect();
    Ok((revision, written))
}

/// Writes the key of a part that begins, and at which revision; none if its run is gone.
pub(super) async fn announce(
    voice: &Voice,
    id: &Id,
    revision: i64,
    checkpoint_ts: Ts,
) -> Result<Option<i64>, Coded> {
    let part = Part {
        run: revision,
        checkpoint_ts,
        resolved_ts: checkpoint_ts,
        ..Part::default()
    };
    let (key, value) = (voice.keys.part(id, &voice.capture), json(&part)?);
    let mut known = 0;
    let mut pace = tokio::time::interval(AGAIN);
    loop {
        pace.tick().await;
        let (mut compare, success, failure) = guarded(voice, &key, known, value.clone());
        compare.push(etcd::created_at(&voice.keys.run(id), revision));
        let answer = match voice.etcd.txn(compare, success, failure).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(changefeed = %id, %error, "failed to begin a part, it is tried again");
                continue;
            }
        };
        match outcome(&answer, revision) {
            Written::Made => return Ok(answer.header.map(|header| header.revision)),
            // by a write that was not answered
            Written::Moved(at) => return Ok(Some(at)),
            Written::Apart(at) if at == known => return Ok(None),
            // what is left of a run before
            Written::Apart(at) => known = at,
        }
        pace.reset_immediately();
    }
}

//! Timestamps: all that are asked for together travel in one request on one stream.

use std::{sync::Arc, time::Duration};

use proto::pdpb;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::link::{Link, describe};
use crate::{
    model::{LOGICAL_BITS, Ts},
    upstream::{Error, retry::Backoff},
};

const WHAT: &str = "a timestamp";
/// PD hands out at most 2^18 in a millisecond; a request of this size is served from one.
const BATCH: usize = 10_000;
const PER_TRY: Duration = Duration::from_secs(3);

struct Waiter {
    limit: Duration,
    reply: oneshot::Sender<Result<Ts, Error>>,
}

/// The way to the task that asks PD; the task ends with the last clone.
#[derive(Clone, Debug)]
pub(super) struct Oracle(mpsc::UnboundedSender<Waiter>);

impl Oracle {
    /// Starts the task.
    pub(super) fn start(link: Arc<Link>) -> Self {
        let (waiters, queue) = mpsc::unbounded_channel();
        tokio::spawn(serve(link, queue));
        Self(waiters)
    }

    /// A timestamp that is newer than any handed out before this call.
    pub(super) async fn get(&self, limit: Duration) -> Result<Ts, Error> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::PdRefused {
            what: WHAT,
            endpoint: String::new(),
            reason: "the timestamp task has ended".into(),
        };
        self.0.send(Waiter { limit, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn serve(link: Arc<Link>, mut queue: mpsc::UnboundedReceiver<Waiter>) {
    let mut stream = None;
    let mut waiters = Vec::new();
    while queue.recv_many(&mut waiters, BATCH).await > 0 {
        let limit = waiters
            .iter()
            .map(|waiter| waiter.limit)
            .min()
            .unwrap_or_default();
        match fetch(&link, &mut stream, waiters.len() as u32, limit).await {
            Ok(last) => {
                let first = last.saturating_sub(waiters.len() as Ts - 1);
                for (ts, waiter) in (first..).zip(waiters.drain(..)) {
                    // A waiter that went away needs no timestamp.
                    let _ = waiter.reply.send(Ok(ts));
                }
            }
            Err(error) => {
                for waiter in waiters.drain(..) {
                    let _ = waiter.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// The last of `count` timestamps, from `stream` or, after a failure, from a new one.
async fn fetch(
    link: &Link,
    stream: &mut Option<TsoStream>,
    count: u32,
    limit: Duration,
) -> Result<Ts, Error> {
    let mut backoff = Backoff::within(limit);
    loop {
        let last = match timeout(PER_TRY, exchange(link, stream, count)).await {
            Ok(Ok(ts)) => return Ok(ts),
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer in {PER_TRY:?}"),
        };
        *stream = None;
        link.rediscover(&mut backoff, WHAT, last).await?;
    }
}

struct TsoStream {
    endpoint: String,
    requests: mpsc::Sender<pdpb::TsoRequest>,
    replies: Streaming<pdpb::TsoResponse>,
}

async fn exchange(link: &Link, stream: &mut Option<TsoStream>, count: u32) -> Result<Ts, String> {
    let request = pdpb::TsoRequest {
        header: Some(link.header()),
        count,
        dc_location: String::new(),
    };
    let stream = match stream {
        Some(open) => {
            let gone = format!("{}: the stream has ended", open.endpoint);
            open.requests.send(request).await.map_err(|_| gone)?;
            open
        }
        None => stream.insert(open(link, request).await?),
    };
    let at = |reason: String| format!("{}: {reason}", stream.endpoint);
    let reply = match stream.replies.message().await {
        Ok(Some(reply)) => reply,
        Ok(None) => return Err(at("the stream has ended".into())),
        Err(status) => return Err(at(describe(&status))),
    };
    if let Some(error) = reply.header.and_then(|header| header.error)
        && error.r#type != pdpb::ErrorType::Ok as i32
    {
        return Err(at(error.message));
    }
    match reply.timestamp {
        Some(at_last) if reply.count == count => {
            Ok(((at_last.physical as Ts) << LOGICAL_BITS) + at_last.logical as Ts)
        }
        Some(_) => Err(at(format!("{} timestamps instead of {count}", reply.count))),
        None => Err(at("a reply without timestamp".into())),
    }
}

/// Opens a stream. A server sends nothing, not even headers, before the first request: it goes in beforehand.
async fn open(link: &Link, first: pdpb::TsoRequest) -> Result<TsoStream, String> {
    let (mut client, endpoint) = link.leader()?;
    let (requests, outgoing) = mpsc::channel(1);
    requests
        .send(first)
        .await
        .map_err(|error| error.to_string())?;
    match client.tso(ReceiverStream::new(outgoing)).await {
        Ok(replies) => Ok(TsoStream {
            endpoint,
            requests,
            replies: replies.into_inner(),
        }),
        Err(status) => Err(format!("{endpoint}: {}", describe(&status))),
    }
}

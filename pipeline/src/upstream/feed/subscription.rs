//! What a reader of the feed holds.

use std::vec;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::worker;
use crate::{
    model::{RawKv, Span, Ts},
    upstream::{Error, Upstream},
};

/// Batches that may wait to be read; one holds what one message of a store gave, 6 MiB at most.
const BATCHES: usize = 4;

/// What is told of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedEvent {
    /// A committed change. A change may come more than once, and those of different keys in any order.
    Kv(RawKv),
    /// Every change of the span up to here has come; what follows has a commit-ts above it. It only grows.
    Resolved(Ts),
}

/// What came together.
#[derive(Debug)]
pub struct Batch {
    events: Vec<FeedEvent>,
    /// The part of the inbox that it takes until the reader asks for the next one.
    room: Option<OwnedSemaphorePermit>,
}

impl Batch {
    pub(super) fn new(events: Vec<FeedEvent>, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { events, room }
    }
}

impl From<Vec<FeedEvent>> for Batch {
    fn from(events: Vec<FeedEvent>) -> Self {
        Self::new(events, None)
    }
}

/// The changes of one span.
#[derive(Debug)]
pub struct Subscription {
    span: Span,
    batches: mpsc::Receiver<Result<Batch, Error>>,
    current: vec::IntoIter<FeedEvent>,
    room: Option<OwnedSemaphorePermit>,
}

impl Subscription {
    /// A subscription that tells what is sent to it, for tests and benches of what reads one.
    #[must_use]
    pub fn by_hand(span: Span) -> (mpsc::Sender<Result<Batch, Error>>, Self) {
        let (feed, batches) = mpsc::channel(BATCHES);
        let current = Vec::new().into_iter();
        (
            feed,
            Self {
                span,
                batches,
                current,
                room: None,
            },
        )
    }

    /// The span followed, raw keys.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The next event. An error ends the subscription: it can be made again from the last resolved-ts.
    ///
    /// Nothing is lost if the future is dropped before it is done.
    pub async fn recv(&mut self) -> Result<FeedEvent, Error> {
        loop {
            if let Some(event) = self.current.next() {
                return Ok(event);
            }
            self.current = self.next_batch().await?.into_iter();
        }
    }

    /// The next events, as many as came together and at least one; otherwise like [`recv`](Self::recv).
    pub async fn recv_batch(&mut self) -> Result<Vec<FeedEvent>, Error> {
        match self.current.len() {
            0 => self.next_batch().await,
            _ => Ok(std::mem::take(&mut self.current).collect()),
        }
    }

    async fn next_batch(&mut self) -> Result<Vec<FeedEvent>, Error> {
        // What was read before is the reader's own now.
        self.room = None;
        let ended = || {
            Err(Error::Ended {
                span: self.span.to_string(),
            })
        };
        let Batch { events, room } = self.batches.recv().await.unwrap_or_else(ended)?;
        self.room = room;
        Ok(events)
    }
}

/// Starts following `span` (raw keys) from `start_ts` on; about `bytes` may wait to be read.
pub(in crate::upstream) fn subscribe(
    upstream: Upstream,
    span: Span,
    start_ts: Ts,
    bytes: usize,
) -> Subscription {
    let (out, batches) = mpsc::channel(BATCHES);
    tokio::spawn(worker::Worker::new(upstream, span.clone(), start_ts, bytes, out).run());
    Subscription {
        span,
        batches,
        current: Vec::new().into_iter(),
        room: None,
    }
}

//! The streams to stores: which there are, and taking part in them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use proto::{cdcpb, metapb};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::stream::{Command, Ending, StreamTask};
use crate::{
    model::{Span, Ts},
    upstream::{channel::Channels, stores::Stores},
};

/// Regions of one stream that may be scanned at a time, TiCDC's `region-scan-limit`.
const SCANS: usize = 40;
/// Bytes of one stream that may be under way.
const STREAM_WINDOW: u32 = 1 << 20;
/// The most that may wait for one subscription and its reader, over all streams, in bytes.
pub(in crate::upstream) const INBOX_BYTES: usize = 8 << 20;

/// What a stream brings to a subscription; `request` says by which registration.
#[derive(Debug)]
pub(super) enum Inbound {
    /// Events of regions, in order.
    Events {
        request: u64,
        events: Vec<cdcpb::Event>,
        room: OwnedSemaphorePermit,
    },
    /// A resolved-ts for some regions.
    Resolved {
        request: u64,
        regions: Vec<u64>,
        ts: Ts,
        room: OwnedSemaphorePermit,
    },
    /// The stream has ended and all registrations with it.
    Closed { request: u64, ending: Arc<Ending> },
    /// The subscription was too slow for a shared stream and has been taken off it, with all its registrations.
    Isolated { request: u64 },
}

/// The way into a subscription. Its room is limited; news about the stream itself always fit.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    queue: mpsc::UnboundedSender<Inbound>,
    room: Arc<Semaphore>,
    kib: u32,
}

impl Inbox {
    /// An inbox of about `bytes` and where it is read.
    pub(super) fn new(bytes: usize) -> (Self, mpsc::UnboundedReceiver<Inbound>) {
        let (queue, read) = mpsc::unbounded_channel();
        let kib = (bytes.min(INBOX_BYTES) / 1024).max(1);
        (
            Self {
                queue,
                room: Arc::new(Semaphore::new(kib)),
                kib: kib as u32,
            },
            read,
        )
    }

    /// Waits for room for `bytes`. What is larger than the inbox gets all of it.
    pub(super) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = (bytes / 1024 + 1).min(self.kib as usize) as u32;
        self.room.clone().acquire_many_owned(kib).await.ok()
    }

    /// Hands something over; a subscription that is gone needs nothing any more.
    pub(super) fn put(&self, inbound: Inbound) {
        let _ = self.queue.send(inbound);
    }
}

/// All streams; clones are the same hub.
#[derive(Clone, Debug)]
pub(in crate::upstream) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cluster_id: u64,
    stores: Stores,
    channels: Channels,
    next_id: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The streams that many subscriptions share, by store.
    shared: HashMap<u64, Stream>,
    /// Stores without EventFeedV2: each subscription has a stream of its own there.
    without_v2: HashSet<u64>,
}

/// A running stream.
#[derive(Clone, Debug)]
struct Stream {
    id: u64,
    commands: mpsc::UnboundedSender<Command>,
    scans: Arc<Semaphore>,
}

impl Hub {
    /// No stream yet.
    pub(in crate::upstream) fn new(cluster_id: u64, stores: Stores) -> Self {
        Self(Arc::new(Inner {
            cluster_id,
            stores,
            channels: Channels::new(STREAM_WINDOW),
            next_id: AtomicU64::new(1),
            state: Mutex::default(),
        }))
    }

    /// Joins the stream of a store, or opens one of its own.
    pub(super) fn join(&self, store_id: u64, own: bool, inbox: Inbox) -> Route {
        let request = self.next_id();
        // The lock is held until the stream knows of us: it ends itself only under the lock, when it has nobody left.
        let mut state = self.state();
        let own = own || state.without_v2.contains(&store_id);
        let stream = match state.shared.get(&store_id) {
            Some(stream) if !own => stream.clone(),
            _ => {
                let stream = self.start(store_id, own, !state.without_v2.contains(&store_id));
                if !own {
                    state.shared.insert(store_id, stream.clone());
                }
                stream
            }
        };
        stream.tell(Command::Join { request, inbox });
        Route {
            request,
            store_id,
            stream,
        }
    }

    fn start(&self, store_id: u64, own: bool, v2: bool) -> Stream {
        let (commands, queue) = mpsc::unbounded_channel();
        let stream = Stream {
            id: self.next_id(),
            commands,
            scans: Arc::new(Semaphore::new(SCANS)),
        };
        tokio::spawn(StreamTask::new(self.clone(), stream.id, store_id, own, v2, queue).run());
        stream
    }

    /// Takes a stream out of the list, if `nobody_left` still holds under the lock. Nobody can join it after that.
    pub(super) fn leave(
        &self,
        store_id: u64,
        stream_id: u64,
        nobody_left: impl FnOnce() -> bool,
    ) -> bool {
        let mut state = self.state();
        let gone = nobody_left();
        if gone
            && state
                .shared
                .get(&store_id)
                .is_some_and(|stream| stream.id == stream_id)
        {
            state.shared.remove(&store_id);
        }
        gone
    }

    /// The store answered that it has no EventFeedV2.
    pub(super) fn without_v2(&self, store_id: u64) {
        self.state().without_v2.insert(store_id);
    }

    /// The cluster every request names.
    pub(super) fn cluster_id(&self) -> u64 {
        self.0.cluster_id
    }

    /// Where stores listen.
    pub(super) fn stores(&self) -> &Stores {
        &self.0.stores
    }

    /// Connections for streams.
    pub(super) fn channels(&self) -> &Channels {
        &self.0.channels
    }

    fn next_id(&self) -> u64 {
        self.0.next_id.fetch_add(1, Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// A stream that has ended told so to everyone on it, and does for who joined at the last moment.
    fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// A subscription's part in a stream: one request id. Dropping it takes its registrations back.
#[derive(Debug)]
pub(super) struct Route {
    request: u64,
    store_id: u64,
    stream: Stream,
}

impl Route {
    /// The id in requests and events.
    pub(super) fn request(&self) -> u64 {
        self.request
    }

    /// The store at the other end.
    pub(super) fn store_id(&self) -> u64 {
        self.store_id
    }

    /// Scans that may begin.
    pub(super) fn scans(&self) -> Arc<Semaphore> {
        self.stream.scans.clone()
    }

    /// Asks for `range` (memcomparable-encoded, within `region`) from `checkpoint_ts`. `scan` is given back when the scan
    /// has ended.
    pub(super) fn register(
        &self,
        region: &metapb::Region,
        range: &Span,
        checkpoint_ts: Ts,
        scan: OwnedSemaphorePermit,
    ) {
        self.stream.tell(Command::Register {
            request: self.request,
            region: region.id,
            epoch: region.region_epoch,
            range: range.clone(),
            checkpoint_ts,
            scan,
        });
    }

    /// Takes one registration back.
    pub(super) fn deregister(&self, region: u64) {
        self.stream.tell(Command::Deregister {
            request: self.request,
            region,
        });
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.stream.tell(Command::Leave {
            request: self.request,
        });
    }
}

//! The way to one client: a queue whose memory is counted, and how it is packed into messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prost::Message as _;
use proto::cdcpb;
use semver::Version;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::Status;

/// A message carries events up to this size; a larger event goes alone.
const MESSAGE_BYTES: usize = 6 << 20;
/// Steps of scans that may wait for the client, before its scans wait.
const SCAN_STEPS: usize = 16;

/// Memory for events that clients have not taken yet, shared by all of them.
#[derive(Debug)]
pub(crate) struct Quota {
    limit: AtomicUsize,
    used: AtomicUsize,
}

impl Quota {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// What is taken already stays taken.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, if there are that many.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let limit = self.limit.load(Ordering::Relaxed);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .ok()?;
        Some(Charge {
            quota: self.clone(),
            bytes,
        })
    }
}

/// Memory taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    quota: Arc<Quota>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What waits for a client.
#[derive(Debug)]
pub(crate) enum Item {
    Event {
        event: Box<cdcpb::Event>,
        /// None for what must get through.
        charge: Option<Charge>,
        /// Of the scan it came from.
        step: Option<Arc<OwnedSemaphorePermit>>,
    },
    Resolved(cdcpb::ResolvedTs),
}

/// What a client understands, by the version in the first header it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// Resolved-ts of many regions in one message (from 4.0.8 on).
    pub(crate) batch_resolved_ts: bool,
    /// The cluster id is checked (from 5.3.0 on).
    pub(crate) checks_cluster_id: bool,
}

impl Features {
    /// Of a client of this version; one that is no semantic version counts as 0.0.0.
    pub(crate) fn of(version: &str) -> Self {
        let version = Version::parse(version).unwrap_or(Version::new(0, 0, 0));
        Self {
            batch_resolved_ts: version >= Version::new(4, 0, 8),
            checks_cluster_id: version >= Version::new(5, 3, 0),
        }
    }
}

/// Messages with resolved-ts that wait for the client, by request id.
#[derive(Debug, Default)]
struct Waiting(Mutex<HashMap<u64, usize>>);

impl Waiting {
    fn has(&self, request_id: u64) -> bool {
        self.all().contains_key(&request_id)
    }

    fn begin(&self, request_id: u64) {
        *self.all().entry(request_id).or_default() += 1;
    }

    /// A message is on its way.
    fn end(&self, request_id: u64) {
        let mut waiting = self.all();
        if let Some(left) = waiting.get_mut(&request_id) {
            *left -= 1;
            if *left == 0 {
                waiting.remove(&request_id);
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: u64,
    /// Subscriptions are told apart by their request ids in resolved-ts too.
    pub(crate) multiplexed: bool,
    features: OnceLock<Features>,
    queue: mpsc::UnboundedSender<Item>,
    steps: Arc<Semaphore>,
    resolved: Arc<Waiting>,
    closed: AtomicBool,
}

impl Link {
    pub(crate) fn new(id: u64, multiplexed: bool) -> (Arc<Self>, Packer) {
        let (queue, waiting) = mpsc::unbounded_channel();
        let resolved = Arc::new(Waiting::default());
        let link = Arc::new(Self {
            id,
            multiplexed,
            features: OnceLock::new(),
            queue,
            steps: Arc::new(Semaphore::new(SCAN_STEPS)),
            resolved: resolved.clone(),
            closed: AtomicBool::new(false),
        });
        let packer = Packer {
            waiting,
            next: None,
            resolved,
        };
        (link, packer)
    }

    /// Settles what the client understands, when its first request comes; gives what was settled.
    pub(crate) fn settle(&self, version: &str) -> Features {
        *self.features.get_or_init(|| Features::of(version))
    }

    pub(crate) fn features(&self) -> Features {
        self.settle("")
    }

    /// Waits until another step of a scan may be queued; none if the client is gone.
    pub(crate) async fn step(&self) -> Option<OwnedSemaphorePermit> {
        self.steps.clone().acquire_owned().await.ok()
    }

    pub(crate) fn send(&self, item: Item) {
        // The client may be gone; its subscriptions go when its requests end.
        let _ = self.queue.send(item);
    }

    /// Whether all resolved-ts of a request have been taken. Until then no further ones are sent: a client that is slow is told
    /// less often, and no request waits for those of others, however many there are.
    pub(crate) fn takes_resolved(&self, request_id: u64) -> bool {
        !self.resolved.has(request_id)
    }

    /// Sends resolved-ts of a request.
    pub(crate) fn send_resolved(&self, message: cdcpb::ResolvedTs) {
        self.resolved.begin(message.request_id);
        self.send(Item::Resolved(message));
    }

    /// Sends an event that must get through.
    pub(crate) fn send_always(&self, event: cdcpb::Event) {
        self.send(Item::Event {
            event: Box::new(event),
            charge: None,
            step: None,
        });
    }

    /// Lets go of scans that wait for the client.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.steps.close();
    }
}

/// The receiving end: packs what waits into messages.
#[derive(Debug)]
pub(crate) struct Packer {
    waiting: mpsc::UnboundedReceiver<Item>,
    next: Option<Item>,
    resolved: Arc<Waiting>,
}

impl Packer {
    /// Hands messages to the client until there is no sender or no client any more. Memory is given back once a message
    /// is handed over.
    pub(crate) async fn run(mut self, out: mpsc::Sender<Result<cdcpb::ChangeDataEvent, Status>>) {
        while let Some((message, held)) = self.message().await {
            if out.send(Ok(message)).await.is_err() {
                return;
            }
            drop(held);
        }
    }

    async fn message(&mut self) -> Option<(cdcpb::ChangeDataEvent, Vec<Item>)> {
        let mut message = cdcpb::ChangeDataEvent::default();
        let mut held = Vec::new();
        let mut bytes = 0;
        let mut item = match self.next.take() {
            Some(item) => item,
            None => self.waiting.recv().await?,
        };
        loop {
            match item {
                Item::Resolved(resolved) if message.events.is_empty() => {
                    self.resolved.end(resolved.request_id);
                    message.resolved_ts = Some(resolved);
                    return Some((message, held));
                }
                Item::Event {
                    event,
                    charge,
                    step,
                } => {
                    let size = event.encoded_len();
                    if bytes > 0 && bytes + size > MESSAGE_BYTES {
                        self.next = Some(Item::Event {
                            event,
                            charge,
                            step,
                        });
                        return Some((message, held));
                    }
                    bytes += size;
                    message.events.push(*event);
                    held.push(Item::Event {
                        event: Box::default(),
                        charge,
                        step,
                    });
                }
                resolved @ Item::Resolved(_) => {
                    self.next = Some(resolved);
                    return Some((message, held));
                }
            }
            match self.waiting.try_recv() {
                Ok(next) => item = next,
                Err(_) => return Some((message, held)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_what_a_client_understands() {
        let of = |version| {
            let features = Features::of(version);
            (features.batch_resolved_ts, features.checks_cluster_id)
        };
        assert_eq!(of("8.5.0"), (true, true));
        assert_eq!(of("5.2.0"), (true, false));
        assert_eq!(of("4.0.8"), (true, false));
        for old in ["4.0.7", "", "v8.5", "v8.5.0"] {
            assert_eq!(of(old), (false, false), "{old}");
        }
    }

    #[test]
    fn memory_comes_back() {
        let quota = Arc::new(Quota::new(10));
        let charge = quota.take(7).unwrap();
        assert!(quota.take(4).is_none());
        drop(charge);
        assert!(quota.take(10).is_some());
        assert_eq!(quota.used(), 0);
    }

    #[tokio::test]
    async fn events_share_messages_up_to_the_limit_and_resolved_ts_go_alone() {
        let (link, mut packer) = Link::new(1, true);
        let event = |bytes: usize| cdcpb::Event {
            event: Some(cdcpb::event::Event::Entries(cdcpb::event::Entries {
                entries: vec![cdcpb::event::Row {
                    value: vec![0; bytes].into(),
                    ..Default::default()
                }],
            })),
            ..Default::default()
        };
        for bytes in [10, 4 << 20, 4 << 20, 8 << 20, 10] {
            link.send_always(event(bytes));
        }
        link.send_resolved(cdcpb::ResolvedTs::default());
        link.send_always(event(1));
        let mut shape = Vec::new();
        for _ in 0..6 {
            let (message, _) = packer.message().await.unwrap();
            shape.push((message.events.len(), message.resolved_ts.is_some()));
        }
        assert_eq!(
            shape,
            [
                (2, false),
                (1, false),
                (1, false),
                (1, false),
                (0, true),
                (1, false)
            ]
        );
    }

    #[tokio::test]
    async fn every_request_is_told_its_resolved_ts_however_many_there_are() {
        const REQUESTS: u64 = 5000;
        let (link, mut packer) = Link::new(1, true);
        let round = |ts| {
            for request_id in 0..REQUESTS {
                let message = cdcpb::ResolvedTs {
                    regions: vec![7],
                    ts,
                    request_id,
                };
                if link.takes_resolved(request_id) {
                    link.send_resolved(message.clone());
                    link.send_resolved(message);
                }
            }
        };
        round(0);
        let mut told = vec![0; REQUESTS as usize];
        // A client that takes less than comes.
        for ts in 1..20 {
            for _ in 0..REQUESTS {
                let (message, _) = packer.message().await.unwrap();
                told[message.resolved_ts.unwrap().request_id as usize] += 1;
            }
            round(ts);
        }
        let (least, most) = (told.iter().min().unwrap(), told.iter().max().unwrap());
        assert!(*least >= 8 && most - least <= 2, "{least} to {most}");
    }
}

//! Who listens, and which locks hold the resolved-ts back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use prost::Message as _;
use proto::cdcpb::{self, event};
use proto::errorpb;
use tokio::sync::OwnedSemaphorePermit;

use super::link::{Item, Link, Quota};
use super::listeners::Listeners;
use super::locks::Locks;
use super::subscription::{End, Id, Stage, Subscription};
use crate::tikv::engine::{Changes, EngineError, FeedRow, Publish, Reader};
use crate::tikv::key::Range;
use crate::tikv::region::{Region, not_leader};

/// Scans that may wait for their turn.
const PENDING_SCANS: usize = 10_000;

/// The hub.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    quota: Arc<Quota>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) locks: Locks,
    /// Regions that someone listens to, by start key.
    pub(super) observed: BTreeMap<Bytes, Observed>,
    start_of: HashMap<u64, Bytes>,
    next_serial: u64,
    scans: usize,
}

#[derive(Debug)]
pub(super) struct Observed {
    range: Range,
    pub(super) subscriptions: Listeners,
}

/// A subscription that waits for its scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: Id,
    serial: u64,
}

impl Hub {
    /// A hub that lets events up to `quota` bytes wait for clients.
    pub(crate) fn new(quota: usize) -> Self {
        Self {
            state: Mutex::default(),
            quota: Arc::new(Quota::new(quota)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the locks in that stand in the engine; to be called before the first write.
    pub(crate) fn load(&self, reader: &Reader) -> Result<usize, EngineError> {
        let mut state = self.state();
        for found in reader.locks(&Range::default()) {
            let (key, lock) = found?;
            if lock.is_change() {
                state.locks.insert(key, lock.start_ts);
            }
        }
        Ok(state.locks.len())
    }

    /// Lets events up to so many bytes wait for clients from now on.
    pub(crate) fn set_quota(&self, bytes: u64) {
        self.quota
            .set_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Bytes of events that may wait for clients.
    pub(crate) fn quota(&self) -> usize {
        self.quota.limit()
    }

    /// Bytes that wait for clients.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.quota.used()
    }

    /// How many subscriptions there are, and how many locks hold them back.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let subscriptions = state.observed.values().map(|o| o.subscriptions.len()).sum();
        (subscriptions, state.locks.len())
    }

    /// Whether anyone waits for resolved-ts.
    pub(crate) fn is_watched(&self) -> bool {
        !self.state().observed.is_empty()
    }

    /// Takes a subscription in; it gets nothing before [`Self::begin`].
    ///
    /// # Errors
    /// When there is one of the same name, or too many scans wait.
    pub(crate) fn subscribe(
        &self,
        link: &Arc<Link>,
        request: &cdcpb::ChangeDataRequest,
        region: &Region,
    ) -> Result<Ticket, End> {
        let id = Id {
            link: link.id,
            region: region.id(),
            request: request.request_id,
        };
        let mut state = self.state();
        if state.find(id).is_some() {
            return Err(End::Duplicate);
        }
        let serial = state.next_serial;
        state.next_serial += 1;
        state.scans += 1;
        let asked = super::subscription::asked_range(request);
        let start = region.range.start.clone();
        state.start_of.insert(id.region, start.clone());
        let observed = state.observed.entry(start).or_insert_with(|| Observed {
            range: region.range.clone(),
            subscriptions: Listeners::default(),
        });
        observed.subscriptions.add(Subscription {
            id,
            serial,
            link: link.clone(),
            range: region.range.intersect(&asked),
            asked,
            filter_loop: request.filter_loop,
            stage: Stage::Waiting,
            resolved_ts: 0,
        });
        Ok(Ticket { id, serial })
    }

    /// Whether too many scans wait already.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().scans >= PENDING_SCANS
    }

    /// From here on the subscription gets what is written; to be called between two writes. Gives the range to scan, or
    /// none if it has ended meanwhile.
    pub(crate) fn begin(&self, ticket: Ticket) -> Option<(Range, bool)> {
        let mut state = self.state();
        let subscription = state
            .find(ticket.id)
            .filter(|s| s.serial == ticket.serial)?;
        subscription.stage = Stage::Scanning;
        Some((subscription.range.clone(), subscription.filter_loop))
    }

    /// A scan is over, however it ended.
    pub(crate) fn scan_over(&self) {
        let mut state = self.state();
        state.scans = state.scans.saturating_sub(1);
    }

    /// Hands on a step of a scan; `last`: the subscription is initialized with it. False if it has ended meanwhile.
    pub(crate) fn scanned(
        &self,
        ticket: Ticket,
        events: Vec<Vec<event::Row>>,
        step: OwnedSemaphorePermit,
        last: bool,
    ) -> bool {
        let mut state = self.state();
        let Some(subscription) = state.find(ticket.id).filter(|s| s.serial == ticket.serial) else {
            return false;
        };
        let step = Arc::new(step);
        for rows in events {
            let event = subscription.rows(rows);
            let Some(charge) = self.quota.take(event.encoded_len()) else {
                state.end(ticket.id, End::Congested);
                return false;
            };
            subscription.link.send(Item::Event {
                event: Box::new(event),
                charge: Some(charge),
                step: Some(step.clone()),
            });
        }
        if last {
            subscription.stage = Stage::Initialized;
        }
        true
    }

    /// Ends a subscription, unless it is another one of the same name by now.
    pub(crate) fn end(&self, ticket: Ticket, why: End) {
        let mut state = self.state();
        if state
            .find(ticket.id)
            .is_some_and(|s| s.serial == ticket.serial)
        {
            state.end(ticket.id, why);
        }
    }

    /// Ends the subscriptions of a request id on a region, or on all regions for `region` 0.
    pub(crate) fn deregister(&self, link: u64, region: u64, request: u64) {
        let mut state = self.state();
        let ids = state.ids(|id| {
            id.link == link && id.request == request && (region == 0 || id.region == region)
        });
        for id in ids {
            state.end(id, End::RegionNotFound);
        }
    }

    /// The client is gone.
    pub(crate) fn disconnect(&self, link: &Link) {
        link.close();
        let mut state = self.state();
        for id in state.ids(|id| id.link == link.id) {
            state.remove(id);
        }
    }

    /// A region was cut into these parts.
    pub(crate) fn split(&self, region: u64, parts: &[Region]) {
        let mut state = self.state();
        let told = errorpb::EpochNotMatch {
            current_regions: parts.iter().map(|part| part.meta.clone()).collect(),
        };
        for id in state.ids(|id| id.region == region) {
            state.end(id, End::Epoch(told.clone()));
        }
    }

    /// A region ended in its neighbour: both end, and nobody is told what became of them (golden/tikv-feed, 07).
    pub(crate) fn merged(&self, source: u64, target: u64) {
        let mut state = self.state();
        for region in [source, target] {
            for id in state.ids(|id| id.region == region) {
                state.end(id, End::Epoch(errorpb::EpochNotMatch::default()));
            }
        }
    }

    /// A region is led by another store.
    pub(crate) fn moved(&self, region: &Region) {
        let mut state = self.state();
        for id in state.ids(|id| id.region == region.id()) {
            state.end(id, End::NotLeader(not_leader(region)));
        }
    }

    /// Tells those who listen of a write.
    fn written(&self, changes: &mut Changes) {
        let mut state = self.state();
        for (key, waits_for) in std::mem::take(&mut changes.tracked) {
            match waits_for {
                Some(start_ts) => state.locks.insert(key, start_ts),
                None => state.locks.remove(&key),
            };
        }
        let rows = std::mem::take(&mut changes.rows);
        if state.observed.is_empty() || rows.is_empty() {
            return;
        }
        let mut congested = Vec::new();
        for (start, rows) in state.by_region(rows) {
            let Some(observed) = state.observed.get_mut(&start) else {
                continue;
            };
            let listeners = &mut observed.subscriptions;
            let mut wanted: BTreeMap<usize, Vec<event::Row>> = BTreeMap::new();
            for row in rows {
                let places: Vec<_> = listeners.places_of(&row.key).collect();
                for place in places {
                    let wants = |s: &Subscription| s.stage != Stage::Waiting && s.wants(&row);
                    if listeners.get(place).is_some_and(wants) {
                        wanted.entry(place).or_default().push(row.row.clone());
                    }
                }
            }
            for (place, rows) in wanted {
                let Some(subscription) = listeners.get(place) else {
                    continue;
                };
                let event = subscription.rows(rows);
                match self.quota.take(event.encoded_len()) {
                    Some(charge) => subscription.link.send(Item::Event {
                        event: Box::new(event),
                        charge: Some(charge),
                        step: None,
                    }),
                    None => congested.push(subscription.id),
                }
            }
        }
        for id in congested {
            state.end(id, End::Congested);
        }
    }
}

impl State {
    fn find(&mut self, id: Id) -> Option<&mut Subscription> {
        let start = self.start_of.get(&id.region)?;
        let observed = self.observed.get_mut(start)?;
        observed.subscriptions.find(id)
    }

    fn ids(&self, which: impl Fn(Id) -> bool) -> Vec<Id> {
        let all = self.observed.values().flat_map(|o| o.subscriptions.iter());
        all.map(|s| s.id).filter(|id| which(*id)).collect()
    }

    fn remove(&mut self, id: Id) -> Option<Subscription> {
        let start = self.start_of.get(&id.region)?.clone();
        let observed = self.observed.get_mut(&start)?;
        let removed = observed.subscriptions.remove(id)?;
        if observed.subscriptions.len() == 0 {
            self.observed.remove(&start);
            self.start_of.remove(&id.region);
        }
        Some(removed)
    }

    fn end(&mut self, id: Id, why: End) {
        if let Some(subscription) = self.remove(id) {
            subscription.link.send_always(why.event(id));
        }
    }

    /// Rows by the start key of the observed region they lie in.
    fn by_region(&self, rows: Vec<FeedRow>) -> BTreeMap<Bytes, Vec<FeedRow>> {
        let mut sorted: BTreeMap<Bytes, Vec<FeedRow>> = BTreeMap::new();
        for row in rows {
            let below = self.observed.range(..=row.key.clone()).next_back();
            if let Some((start, observed)) = below
                && observed.range.contains(&row.key)
            {
                sorted.entry(start.clone()).or_default().push(row);
            }
        }
        sorted
    }
}

/// Hands the engine's writes on to the hub.
pub(crate) struct Publisher(pub(crate) Arc<Hub>);

impl Publish for Publisher {
    fn publish(&mut self, written: &mut Changes) {
        self.0.written(written);
    }
}

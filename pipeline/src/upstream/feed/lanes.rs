//! A subscription's parts in streams, and the registrations that wait for their turn to scan.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::{
    hub::{Hub, Inbox, Route},
    locate::Piece,
};

/// One part in a stream.
#[derive(Debug)]
struct Lane {
    route: Route,
    /// Regions registered or about to be: a store takes each once for a request id.
    taken: HashSet<u64>,
    waiting: VecDeque<Piece>,
    /// Whether a turn to scan has been asked for.
    asked: bool,
}

/// All parts of one subscription, by request id.
#[derive(Debug)]
pub(super) struct Lanes {
    hub: Hub,
    inbox: Inbox,
    /// Whether the subscription was too slow for shared streams.
    own: bool,
    lanes: BTreeMap<u64, Lane>,
}

impl Lanes {
    /// None yet; streams will bring what they have to `inbox`.
    pub(super) fn new(hub: Hub, inbox: Inbox) -> Self {
        Self {
            hub,
            inbox,
            own: false,
            lanes: BTreeMap::new(),
        }
    }

    /// From now on streams are shared with nobody.
    pub(super) fn isolate(&mut self) {
        self.own = true;
    }

    /// Lets a piece wait for its turn at the store that leads its region. Answers the request id if a turn is to be
    /// waited for now.
    pub(super) fn add(&mut self, store_id: u64, piece: Piece) -> Option<u64> {
        let region = piece.region.meta.id;
        // Two parts of one region need two request ids.
        let free =
            |lane: &&mut Lane| lane.route.store_id() == store_id && !lane.taken.contains(&region);
        let request = match self.lanes.values_mut().find(free) {
            Some(lane) => lane.route.request(),
            None => {
                let route = self.hub.join(store_id, self.own, self.inbox.clone());
                let request = route.request();
                let lane = Lane {
                    route,
                    taken: HashSet::new(),
                    waiting: VecDeque::new(),
                    asked: false,
                };
                self.lanes.insert(request, lane);
                request
            }
        };
        let lane = self.lanes.get_mut(&request)?;
        lane.taken.insert(region);
        lane.waiting.push_back(piece);
        (!std::mem::replace(&mut lane.asked, true)).then_some(request)
    }

    /// The way to the store of `request`.
    pub(super) fn route(&self, request: u64) -> Option<&Route> {
        self.lanes.get(&request).map(|lane| &lane.route)
    }

    /// It is the turn of `request`: takes the piece that waits longest and answers whether there are more.
    pub(super) fn turn(&mut self, request: u64) -> Option<(Piece, bool)> {
        let lane = self.lanes.get_mut(&request)?;
        let piece = lane.waiting.pop_front();
        lane.asked = !lane.waiting.is_empty();
        piece.map(|piece| (piece, lane.asked))
    }

    /// The store gave a region up: it can be registered by the same request id again.
    pub(super) fn release(&mut self, request: u64, region: u64) {
        if let Some(lane) = self.lanes.get_mut(&request) {
            lane.taken.remove(&region);
        }
    }

    /// Ends a part and answers what waited there.
    pub(super) fn end(&mut self, request: u64) -> Vec<Piece> {
        self.lanes
            .remove(&request)
            .map_or_else(Vec::new, |lane| lane.waiting.into())
    }

    /// Ends the parts that serve no region any more.
    pub(super) fn end_unused(&mut self) {
        self.lanes.retain(|_, lane| !lane.taken.is_empty());
    }
}

//! The task behind a subscription.
//!
//! At any time the span is cut into pieces that are registered, wait for their turn, are being looked up at PD, or wait
//! for that: never do two registrations overlap, because a piece leaves one state before it enters the next.

mod endings;

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use proto::cdcpb::{self, event};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use super::{
    assembler::Assembler,
    holes::{Hole, Holes},
    hub::{Inbound, Inbox},
    lanes::Lanes,
    locate::{Located, Piece, locate},
    open::Room,
    stale,
    subscription::{Batch, FeedEvent},
};
use crate::{
    frontier::Frontier,
    meters::FeedMeters,
    model::{Span, Ts},
    upstream::{Error, Upstream, keys, kv::Kv, pd::Pd},
};

/// Where rows and resolved-ts go.
pub(super) type Out = mpsc::Sender<Result<Batch, Error>>;

/// A subscription that stands still for this long says why in the log.
const COMPLAIN: Duration = Duration::from_secs(30);

/// A piece that a store serves.
struct Registration {
    assembler: Assembler,
    store_id: u64,
    /// Failures in a row if this one fails too before it got anywhere.
    failures: u32,
    looked_for_locks: Option<Instant>,
}

/// Work that is done on the side.
enum Done {
    Located(Located),
    Turn(u64, Option<OwnedSemaphorePermit>),
    LocksResolved(Result<usize, Error>),
    Decided(Hole),
}

/// Why the task ends.
enum End {
    /// Nobody reads any more.
    Unread,
    Failed(Error),
}

/// The state of a subscription.
pub(super) struct Worker {
    pd: Pd,
    kv: Kv,
    /// Raw keys.
    span: Span,
    start_ts: Ts,
    out: Out,
    inbox: mpsc::UnboundedReceiver<Inbound>,
    /// Over memcomparable-encoded keys, as all spans below.
    frontier: Frontier,
    told: Ts,
    holes: Holes,
    lanes: Lanes,
    /// By request and region.
    registrations: HashMap<(u64, u64), Registration>,
    side: FuturesUnordered<BoxFuture<'static, Done>>,
    locating: bool,
    resolving: bool,
    watch: stale::Watch,
    /// The last complaint, or row of a scan.
    complained: Instant,
    last_trouble: String,
    meters: FeedMeters,
    open: Room,
}

impl Worker {
    /// A subscription of `span` (raw keys) from `start_ts` that begins when run, with an inbox of `bytes`.
    pub(super) fn new(
        upstream: Upstream,
        span: Span,
        start_ts: Ts,
        bytes: usize,
        out: Out,
    ) -> Self {
        let Upstream {
            pd,
            kv,
            hub,
            meters,
            open,
        } = upstream;
        let (inbox, read) = Inbox::new(bytes);
        let encoded = keys::encode_span(&span);
        let mut holes = Holes::default();
        holes.add_now(Hole {
            span: encoded.clone(),
            failures: 0,
            leaders: Vec::new(),
        });
        Self {
            pd,
            kv,
            span,
            start_ts,
            out,
            inbox: read,
            frontier: Frontier::new(encoded, start_ts),
            told: start_ts,
            holes,
            lanes: Lanes::new(hub, inbox),
            registrations: HashMap::new(),
            side: FuturesUnordered::new(),
            locating: false,
            resolving: false,
            watch: stale::Watch::new(start_ts),
            complained: Instant::now(),
            last_trouble: String::new(),
            meters,
            open,
        }
    }

    /// Follows the span until nobody reads or it cannot go on.
    pub(super) async fn run(mut self) {
        self.meters.subscriptions.inc();
        let followed = self.follow().await;
        self.meters.subscriptions.dec();
        match followed {
            Ok(()) | Err(End::Unread) => {
                tracing::debug!(span = %self.span, "a span is not followed any more")
            }
            Err(End::Failed(error)) => {
                tracing::warn!(span = %self.span, %error, "a span cannot be followed");
                // Who reads no more needs no reason.
                let _ = self.out.send(Err(error)).await;
            }
        }
    }

    async fn follow(&mut self) -> Result<(), End> {
        if self.span.is_empty() {
            return Err(End::Failed(Error::EmptySpan {
                span: self.span.to_string(),
            }));
        }
        let mut watch = interval_at(Instant::now() + stale::EVERY, stale::EVERY);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let out = self.out.clone();
        loop {
            self.locate_due();
            let due = self.holes.next_due().filter(|_| !self.locating);
            tokio::select! {
                inbound = self.inbox.recv() => match inbound {
                    Some(inbound) => self.take(inbound).await?,
                    None => return Ok(()),
                },
                Some(done) = self.side.next(), if !self.side.is_empty() => self.done(done),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = watch.tick() => self.watch(),
                () = out.closed() => return Err(End::Unread),
            }
        }
    }

    /// Looks the holes that are due up at PD, unless that is being done.
    fn locate_due(&mut self) {
        if self.locating || self.holes.next_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        let due = self.holes.take_due();
        if !due.is_empty() {
            self.locating = true;
            let (pd, meters) = (self.pd.clone(), self.meters.clone());
            self.side.push(Box::pin(async move {
                let took = meters.scan_regions.start_timer();
                let located = locate(&pd, due).await;
                took.observe_duration();
                Done::Located(located)
            }));
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Located(located) => {
                self.locating = false;
                if let Some(error) = located.error {
                    self.trouble(error.to_string());
                }
                located
                    .left
                    .into_iter()
                    .for_each(|hole| self.holes.add(hole, Duration::ZERO));
                located
                    .pieces
                    .into_iter()
                    .for_each(|piece| self.enqueue(piece));
            }
            Done::Turn(request, Some(scan)) => self.register(request, scan),
            // The stream has ended and says so itself.
            Done::Turn(_, None) => {}
            Done::Decided(hole) => self.holes.add_now(hole),
            Done::LocksResolved(outcome) => {
                self.resolving = false;
                match outcome {
                    Ok(0) => {}
                    Ok(found) => self.trouble(format!("{found} locks held it back")),
                    Err(error) => self.trouble(error.to_string()),
                }
            }
        }
    }

    fn enqueue(&mut self, piece: Piece) {
        let Some(leader) = piece.region.leader else {
            return self.give_back(piece, Duration::ZERO);
        };
        if let Some(request) = self.lanes.add(leader.store_id, piece) {
            self.ask_for_turn(request);
        }
    }

    fn ask_for_turn(&mut self, request: u64) {
        if let Some(scans) = self.lanes.route(request).map(super::hub::Route::scans) {
            self.side.push(Box::pin(async move {
                Done::Turn(request, scans.acquire_owned().await.ok())
            }));
        }
    }

    fn register(&mut self, request: u64, scan: OwnedSemaphorePermit) {
        let Some((piece, more)) = self.lanes.turn(request) else {
            return;
        };
        if more {
            self.ask_for_turn(request);
        }
        let Some(route) = self.lanes.route(request) else {
            return;
        };
        let checkpoint_ts = self.frontier.resolved_ts_of(&piece.span);
        route.register(&piece.region.meta, &piece.span, checkpoint_ts, scan);
        let registration = Registration {
            assembler: Assembler::new(piece.span, self.start_ts, checkpoint_ts, self.open.part()),
            store_id: route.store_id(),
            failures: piece.failures + 1,
            looked_for_locks: None,
        };
        self.registrations
            .insert((request, piece.region.meta.id), registration);
    }

    async fn take(&mut self, inbound: Inbound) -> Result<(), End> {
        let mut batch = Vec::new();
        // Room is given back only when the reader is done with what filled it.
        let room = match inbound {
            Inbound::Events {
                request,
                events,
                room,
            } => {
                for event in events {
                    self.event(request, event, &mut batch)?;
                }
                Some(room)
            }
            Inbound::Resolved {
                request,
                regions,
                ts,
                room,
            } => {
                self.meters.resolved.inc_by(regions.len() as u64);
                regions
                    .into_iter()
                    .for_each(|region| self.resolve(request, region, ts));
                Some(room)
            }
            Inbound::Closed { request, ending } => {
                self.closed(request, &ending);
                None
            }
            Inbound::Isolated { request } => {
                self.lanes.isolate();
                self.end_lane(request, 0);
                None
            }
        };
        self.meters.collected.inc_by(batch.len() as u64);
        let resolved = self.frontier.resolved_ts();
        if resolved > self.told {
            self.meters.collected_resolved.inc();
            self.told = resolved;
            batch.push(FeedEvent::Resolved(resolved));
        }
        match batch.is_empty() {
            true => Ok(()),
            false => {
                let batch = Batch::new(batch, room);
                self.out.send(Ok(batch)).await.map_err(|_| End::Unread)
            }
        }
    }

    fn event(
        &mut self,
        request: u64,
        event: cdcpb::Event,
        out: &mut Vec<FeedEvent>,
    ) -> Result<(), End> {
        let region = event.region_id;
        // What was given up here may still be on its way there.
        let Some(registration) = self.registrations.get_mut(&(request, region)) else {
            return Ok(());
        };
        match event.event {
            Some(event::Event::Entries(rows)) => {
                self.meters.pulled.count(&rows.entries);
                if !registration.assembler.initialized() {
                    // A long scan gets further too.
                    self.complained = Instant::now();
                }
                let mut committed = Vec::new();
                let outcome = registration.assembler.rows(rows.entries, &mut committed);
                self.meters.assembled.inc_by(committed.len() as u64);
                out.extend(committed.into_iter().map(FeedEvent::Kv));
                match outcome {
                    Ok(()) => {
                        self.make_room(request, region);
                        Ok(())
                    }
                    Err(error) => self.unassembled(request, region, &error),
                }
            }
            Some(event::Event::ResolvedTs(ts)) => {
                self.resolve(request, region, ts);
                Ok(())
            }
            Some(event::Event::Error(error)) => self.region_error(request, region, error),
            Some(event::Event::Admin(_) | event::Event::LongTxn(_)) | None => Ok(()),
        }
    }

    fn resolve(&mut self, request: u64, region: u64, ts: Ts) {
        if let Some(registration) = self.registrations.get_mut(&(request, region))
            && let Some(ts) = registration.assembler.resolve(ts)
        {
            registration.failures = 0;
            self.frontier.forward(registration.assembler.range(), ts);
        }
    }

    /// Looks for what holds the span back.
    fn watch(&mut self) {
        self.lanes.end_unused();
        let resolved_ts = self.frontier.resolved_ts();
        let still = self.watch.look(resolved_ts);
        if still < stale::STILL {
            return;
        }
        if still >= COMPLAIN && self.complained.elapsed() >= COMPLAIN {
            self.complained = Instant::now();
            let (holes, scanning) = (
                self.holes.len(),
                self.registrations
                    .values()
                    .filter(|r| !r.assembler.initialized())
                    .count(),
            );
            tracing::warn!(
                span = %self.span, resolved_ts, ?still, holes, scanning, last_trouble = self.last_trouble,
                "a span does not get any further"
            );
        }
        if self.resolving {
            return;
        }
        let (now, target) = (Instant::now(), stale::target(resolved_ts));
        let mut ranges = Vec::new();
        for registration in self.registrations.values_mut() {
            let behind = registration.assembler.initialized()
                && registration.assembler.resolved_ts() <= target;
            let rested = registration
                .looked_for_locks
                .is_none_or(|at| now - at >= stale::AGAIN);
            if behind && rested {
                registration.looked_for_locks = Some(now);
                ranges.push(registration.assembler.range().clone());
            }
        }
        if !ranges.is_empty() {
            self.resolving = true;
            let (pd, kv) = (self.pd.clone(), self.kv.clone());
            self.side.push(Box::pin(async move {
                Done::LocksResolved(stale::resolve(pd, kv, ranges, target).await)
            }));
        }
    }
}

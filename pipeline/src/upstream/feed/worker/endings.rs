//! Registrations that end, for whatever reason, and become holes again.

use std::time::Duration;

use proto::cdcpb;

use super::{Done, End, Registration, Worker};
use crate::upstream::{
    Error,
    feed::{assembler::AssemblyError, holes::Hole, locate::Piece, open, stale, stream::Ending},
};

impl Worker {
    /// Rows do not fit together.
    pub(super) fn unassembled(
        &mut self,
        request: u64,
        region: u64,
        error: &AssemblyError,
    ) -> Result<(), End> {
        if !error.heals_by_rescan() {
            return Err(self.failed(request, region, error.to_string()));
        }
        tracing::warn!(region, %error, "a region is scanned again");
        if let Some(registration) = self.give_up(request, region) {
            self.reopen(registration, Vec::new(), Duration::ZERO);
        }
        Ok(())
    }

    /// Leaves a region to its store, if there is no more room for its open rows, until their transaction is decided.
    pub(super) fn make_room(&mut self, request: u64, region: u64) {
        let Some(Registration { assembler, .. }) = self.registrations.get(&(request, region))
        else {
            return;
        };
        let bytes = assembler.open_bytes();
        if !self.open.wants_back(bytes) {
            return;
        }
        let waits_for = assembler.largest_open();
        tracing::info!(
            region,
            bytes,
            "open transactions take too much memory, a region waits until they are decided"
        );
        self.trouble(format!(
            "open transactions in region {region} took {bytes} bytes"
        ));
        if let Some(registration) = self.give_up(request, region) {
            let (kv, span) = (self.kv.clone(), registration.assembler.range().clone());
            self.side.push(Box::pin(async move {
                match waits_for {
                    Some(start_ts) => open::decided(&kv, &span, start_ts).await,
                    // Commits without their locks: the scan brings both.
                    None => tokio::time::sleep(stale::EVERY).await,
                }
                Done::Decided(Hole {
                    span,
                    failures: 0,
                    leaders: Vec::new(),
                })
            }));
        }
    }

    /// Takes a registration back.
    fn give_up(&mut self, request: u64, region: u64) -> Option<Registration> {
        if let Some(route) = self.lanes.route(request) {
            // The store still serves it, so its place in this lane stays taken.
            route.deregister(region);
        }
        self.registrations.remove(&(request, region))
    }

    /// The store gave a region up, or never took it.
    pub(super) fn region_error(
        &mut self,
        request: u64,
        region: u64,
        error: cdcpb::Error,
    ) -> Result<(), End> {
        let store = self
            .registrations
            .get(&(request, region))
            .map_or(0, |registration| registration.store_id);
        if let Some(mismatch) = error.cluster_id_mismatch {
            let (expected, actual) = (mismatch.request, mismatch.current);
            return Err(End::Failed(Error::ClusterId {
                store,
                expected,
                actual,
            }));
        }
        if let Some(compatibility) = error.compatibility {
            return Err(End::Failed(Error::Version {
                store,
                required: compatibility.required_version,
            }));
        }
        if error.duplicate_request.is_some() {
            let reason =
                "the store says that it is registered already, which is a mistake of this client"
                    .into();
            return Err(self.failed(request, region, reason));
        }
        let (mut leaders, mut at_least, mut slow) = (Vec::new(), Duration::ZERO, true);
        if let Some(not_leader) = error.not_leader {
            leaders.extend(
                not_leader
                    .leader
                    .filter(|peer| peer.store_id != 0)
                    .map(|peer| (region, peer)),
            );
        } else if error.epoch_not_match.is_some() || error.region_not_found.is_some() {
            // The usual end of a region: the first try to find its heirs is made at once.
            slow = false;
        } else if let Some(busy) = &error.server_is_busy {
            at_least = Duration::from_millis(busy.backoff_ms.min(5000));
        }
        self.meters.region_error(&error);
        tracing::debug!(region, store, ?error, "a region is not served any more");
        self.trouble(format!("region {region} at store {store}: {error:?}"));
        self.lanes.release(request, region);
        if let Some(mut registration) = self.registrations.remove(&(request, region)) {
            if slow {
                registration.failures = registration.failures.max(1);
            }
            self.reopen(registration, leaders, at_least);
        }
        Ok(())
    }

    /// Makes a registration that has ended a hole.
    fn reopen(
        &mut self,
        registration: Registration,
        leaders: Vec<(u64, proto::metapb::Peer)>,
        at_least: Duration,
    ) {
        let span = registration.assembler.range().clone();
        self.holes.add(
            Hole {
                span,
                failures: registration.failures,
                leaders,
            },
            at_least,
        );
    }

    /// Makes a piece that was never registered a hole.
    pub(super) fn give_back(&mut self, piece: Piece, at_least: Duration) {
        let hole = Hole {
            span: piece.span,
            failures: piece.failures + 1,
            leaders: Vec::new(),
        };
        self.holes.add(hole, at_least);
    }

    pub(super) fn closed(&mut self, request: u64, ending: &Ending) {
        let failures = match ending {
            Ending::Idle | Ending::NoV2 => 0,
            Ending::Broken { address, reason } => {
                self.trouble(format!(
                    "the stream to the store at {address} broke: {reason}"
                ));
                1
            }
        };
        self.end_lane(request, failures);
    }

    /// Makes holes of everything that went through a stream.
    pub(super) fn end_lane(&mut self, request: u64, failures: u32) {
        for piece in self.lanes.end(request) {
            self.give_back(piece, Duration::ZERO);
        }
        let ended: Vec<_> = self
            .registrations
            .keys()
            .filter(|(of, _)| *of == request)
            .copied()
            .collect();
        for id in ended {
            if let Some(mut registration) = self.registrations.remove(&id) {
                registration.failures = registration.failures.max(failures);
                self.reopen(registration, Vec::new(), Duration::ZERO);
            }
        }
    }

    pub(super) fn trouble(&mut self, what: String) {
        tracing::debug!(span = %self.span, what, "a span is held up");
        self.last_trouble = what;
    }

    pub(super) fn failed(&self, request: u64, region: u64, reason: String) -> End {
        let resolved_ts = self
            .registrations
            .get(&(request, region))
            .map_or(self.told, |r| r.assembler.resolved_ts());
        End::Failed(Error::Feed {
            region,
            span: self.span.to_string(),
            resolved_ts,
            reason,
        })
    }
}

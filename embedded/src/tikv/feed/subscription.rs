//! Who listens to which keys of a region.

use std::sync::Arc;

use proto::cdcpb::{self, event};
use proto::errorpb;

use super::link::Link;
use crate::tikv::engine::FeedRow;
use crate::tikv::key::{self, Range};

/// Bits of a transaction's source that TiCDC's own writes set.
const CDC_WRITE_SOURCE: u64 = 0xff;

/// Names a subscription to the client that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) link: u64,
    pub(crate) region: u64,
    pub(crate) request: u64,
}

/// A subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) id: Id,
    /// Tells it from an earlier one of the same name.
    pub(crate) serial: u64,
    pub(crate) link: Arc<Link>,
    /// Keys of the region that were asked for.
    pub(crate) range: Range,
    /// What was asked for.
    pub(crate) asked: Range,
    pub(crate) filter_loop: bool,
    pub(crate) stage: Stage,
    /// Never goes back.
    pub(crate) resolved_ts: u64,
}

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for its scan.
    Waiting,
    /// Gets what is written while its scan runs.
    Scanning,
    /// Has everything up to its resolved-ts.
    Initialized,
}

impl Subscription {
    /// Whether it gets a row. Rows of column changes that lose data, and of other internal sources, go to nobody.
    pub(crate) fn wants(&self, row: &FeedRow) -> bool {
        sends(row.row.txn_source, self.filter_loop)
            && self.range.contains(&row.key)
            && self.asked.contains(&row.row.key)
    }

    pub(crate) fn event(&self, event: event::Event) -> cdcpb::Event {
        cdcpb::Event {
            region_id: self.id.region,
            index: 0,
            request_id: self.id.request,
            event: Some(event),
        }
    }

    pub(crate) fn rows(&self, entries: Vec<event::Row>) -> cdcpb::Event {
        self.event(event::Event::Entries(event::Entries { entries }))
    }
}

/// Whether rows of a transaction with this source are sent (golden/tikv-feed, 12).
pub(crate) fn sends(txn_source: u64, filter_loop: bool) -> bool {
    let internal = txn_source & !CDC_WRITE_SOURCE != 0;
    let written_by_cdc = txn_source & CDC_WRITE_SOURCE != 0;
    !(internal || filter_loop && written_by_cdc)
}

/// The range a request asks for. Boundaries that are no wrapped keys mean the whole region, as in TiKV.
pub(crate) fn asked_range(request: &cdcpb::ChangeDataRequest) -> Range {
    let raw = |wrapped: &[u8]| match wrapped.is_empty() {
        true => Some(Vec::new()),
        false => key::unwrap(wrapped),
    };
    match (raw(&request.start_key), raw(&request.end_key)) {
        (Some(start), Some(end)) => Range {
            start: start.into(),
            end: end.into(),
        },
        _ => Range::default(),
    }
}

/// Why a subscription does not begin, or ends.
#[derive(Debug, Clone)]
pub(crate) enum End {
    ClusterId { current: u64, request: u64 },
    Api,
    Busy(String),
    NotLeader(errorpb::NotLeader),
    RegionNotFound,
    Duplicate,
    Epoch(errorpb::EpochNotMatch),
    Congested,
}

impl End {
    /// As the client is told of it.
    pub(crate) fn event(self, id: Id) -> cdcpb::Event {
        let mut error = cdcpb::Error::default();
        let region_id = id.region;
        match self {
            Self::ClusterId { current, request } => {
                error.cluster_id_mismatch = Some(cdcpb::ClusterIdMismatch { current, request });
            }
            Self::Api => {
                error.compatibility = Some(cdcpb::Compatibility {
                    required_version: "6.2.0".to_owned(),
                });
            }
            Self::Busy(reason) => {
                error.server_is_busy = Some(errorpb::ServerIsBusy {
                    reason,
                    ..Default::default()
                });
            }
            Self::NotLeader(not_leader) => error.not_leader = Some(not_leader),
            Self::RegionNotFound => {
                error.region_not_found = Some(errorpb::RegionNotFound { region_id });
            }
            Self::Duplicate => {
                error.duplicate_request = Some(cdcpb::DuplicateRequest { region_id });
            }
            Self::Epoch(epoch_not_match) => error.epoch_not_match = Some(epoch_not_match),
            Self::Congested => error.congested = Some(cdcpb::Congested { region_id }),
        }
        cdcpb::Event {
            region_id,
            index: 0,
            request_id: id.request,
            event: Some(event::Event::Error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_decide_who_gets_a_row() {
        for cdc in [1, 2, 255] {
            assert!(sends(cdc, false) && !sends(cdc, true), "{cdc}");
        }
        for internal in [256, 131_072, 131_073] {
            assert!(
                !sends(internal, false) && !sends(internal, true),
                "{internal}"
            );
        }
        assert!(sends(0, true));
    }
}

//! Telling clients up to where they have everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::cdcpb::{self, event};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use super::link::Link;
use super::subscription::Stage;
use crate::client::Client;
use crate::tikv::concurrency::Concurrency;
use crate::tikv::key::Range;

/// Regions in the first message of a round; each further one takes four times as many (golden/tikv-feed, 14).
const FIRST_GROUP: usize = 8;
const LARGEST_GROUP: usize = 1024;
/// Longest wait for PD's timestamp.
const TSO_WAIT: Duration = Duration::from_secs(3);

/// Sends resolved-ts at every `tick`, until `stop`. Without PD nothing is sent.
pub(crate) async fn advance(
    hub: Arc<Hub>,
    concurrency: Arc<Concurrency>,
    pd: Client,
    mut tick: watch::Receiver<Duration>,
    stop: CancellationToken,
) {
    let mut failing = false;
    let mut last = Instant::now();
    loop {
        let next = last + *tick.borrow_and_update();
        tokio::select! {
            () = stop.cancelled() => return,
            // Counted from the last one with its new length.
            changed = tick.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            () = tokio::time::sleep_until(next) => last = Instant::now(),
        }
        if !hub.is_watched() {
            continue;
        }
        let fetched = tokio::select! {
            () = stop.cancelled() => return,
            fetched = tokio::time::timeout(TSO_WAIT, pd.tso()) => fetched,
        };
        let problem = match fetched {
            Ok(Ok(ts)) => {
                hub.resolve(safe_ts(&concurrency, ts));
                if failing {
                    tracing::info!("resolved-ts advance again");
                }
                failing = false;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no timestamp within {} s", TSO_WAIT.as_secs()),
        };
        if !failing {
            tracing::warn!(problem, "resolved-ts stand still: PD gives no timestamp");
        }
        failing = true;
    }
}

/// The highest resolved-ts that no lock of the engine has to hold back: a timestamp just fetched from PD, or the start-ts
/// of a transaction whose commit-ts was chosen before and which is not on disk yet.
pub(crate) fn safe_ts(concurrency: &Concurrency, fetched: u64) -> u64 {
    // Asked for first: a commit-ts chosen after this is above `fetched`, one chosen before is among the pending ones, or
    // its locks (or commits) have been told to the hub.
    let pending = concurrency.advance(fetched);
    pending.map_or(fetched, |pending| pending.min(fetched))
}

/// Resolved-ts by client and request id, of those who have taken their last ones.
type Rounds = BTreeMap<(u64, u64), Option<(Arc<Link>, Vec<(u64, u64)>)>>;

impl Hub {
    /// Sends everyone the resolved-ts of this round: `ts`, or the start-ts of the oldest lock in their range.
    pub(crate) fn resolve(&self, ts: u64) {
        let mut state = self.state();
        let state = &mut *state;
        let mut rounds = Rounds::new();
        for observed in state.observed.values_mut() {
            let mut last: Option<(Range, Option<u64>)> = None;
            for subscription in observed.subscriptions.by_range() {
                if subscription.stage != Stage::Initialized {
                    continue;
                }
                let range = &subscription.range;
                let held = match &last {
                    Some((same, held)) if same == range => *held,
                    _ => last.insert((range.clone(), state.locks.least(range))).1,
                };
                let resolved = held.map_or(ts, |held| held.min(ts));
                subscription.resolved_ts = subscription.resolved_ts.max(resolved);
                let (link, id) = (&subscription.link, subscription.id);
                if link.features().batch_resolved_ts {
                    let request = if link.multiplexed { id.request } else { 0 };
                    let round = rounds.entry((id.link, request)).or_insert_with(|| {
                        link.takes_resolved(request)
                            .then(|| (link.clone(), Vec::new()))
                    });
                    if let Some((_, regions)) = round {
                        regions.push((subscription.resolved_ts, id.region));
                    }
                } else if !link.multiplexed {
                    let event = event::Event::ResolvedTs(subscription.resolved_ts);
                    link.send_always(subscription.event(event));
                }
                // A multiplexing client of such an old version gets none at all (golden/tikv-feed, 08).
            }
        }
        for ((_, request_id), round) in rounds {
            if let Some((link, regions)) = round {
                for message in groups(regions, request_id) {
                    link.send_resolved(message);
                }
            }
        }
    }
}

/// Cuts the regions of a round into messages, smallest resolved-ts first; a message carries the smallest of its regions.
fn groups(mut regions: Vec<(u64, u64)>, request_id: u64) -> Vec<cdcpb::ResolvedTs> {
    regions.sort_unstable();
    // Without multiplexing a region may be there several times; its lowest counts.
    let mut seen = std::collections::HashSet::new();
    regions.retain(|(_, region)| seen.insert(*region));
    let mut messages = Vec::new();
    let mut rest = regions.as_slice();
    let mut size = FIRST_GROUP;
    while let Some((ts, _)) = rest.first() {
        let (group, tail) = rest.split_at(size.min(rest.len()));
        messages.push(cdcpb::ResolvedTs {
            regions: group.iter().map(|(_, region)| *region).collect(),
            ts: *ts,
            request_id,
        });
        rest = tail;
        size = (size * 4).min(LARGEST_GROUP);
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_grow_and_carry_their_smallest() {
        let regions = (0..60).map(|i| (100 + (60 - i), i)).collect();
        let groups = groups(regions, 7);
        let shape: Vec<_> = groups
            .iter()
            .map(|m| (m.regions.len(), m.ts, m.request_id))
            .collect();
        assert_eq!(shape, [(8, 101, 7), (32, 109, 7), (20, 141, 7)]);
    }
}

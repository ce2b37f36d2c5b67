//! Locks that nobody comes back for and that hold the resolved-ts of a span back (`spec/tikv-cdc-protocol.md §2`).

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    model::{Span, Ts, compose_ts, physical_ms},
    upstream::{Error, kv::Kv, pd::Pd},
};

/// How often a span is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(2);
/// A span whose resolved-ts stands still for this long, and is behind PD by it, is looked into.
pub(super) const STILL: Duration = Duration::from_secs(4);
/// A region is not looked into again before.
pub(super) const AGAIN: Duration = Duration::from_secs(10);

/// How long the resolved-ts of a span has stood where it is.
#[derive(Debug)]
pub(super) struct Watch {
    resolved_ts: Ts,
    since: Instant,
}

impl Watch {
    /// Starts watching.
    pub(super) fn new(resolved_ts: Ts) -> Self {
        Self {
            resolved_ts,
            since: Instant::now(),
        }
    }

    /// Tells where the resolved-ts is and answers for how long it has been there.
    pub(super) fn look(&mut self, resolved_ts: Ts) -> Duration {
        if resolved_ts != self.resolved_ts {
            *self = Self::new(resolved_ts);
        }
        self.since.elapsed()
    }
}

/// Locks older than this are looked for in a span that is complete up to `resolved_ts`.
pub(super) fn target(resolved_ts: Ts) -> Ts {
    compose_ts(physical_ms(resolved_ts) + STILL.as_millis() as u64, 0)
}

/// Resolves the locks up to `target` in `ranges` (memcomparable-encoded) if PD's clock is beyond it. Answers how many
/// hold a resolved-ts back, living ones included.
pub(super) async fn resolve(pd: Pd, kv: Kv, ranges: Vec<Span>, target: Ts) -> Result<usize, Error> {
    if pd.tso().await? < target {
        return Ok(0);
    }
    let mut found = 0;
    for range in ranges {
        found += kv.resolve_locks_in(&range, target).await?;
    }
    Ok(found)
}

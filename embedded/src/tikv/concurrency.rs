//! The highest timestamp the store has told anyone about, and the commits that may not get below it.
//!
//! A transaction that lets the store choose its commit-ts (async commit, 1PC) must commit above every timestamp at which
//! somebody has read, and above every resolved-ts sent (TiKV's concurrency manager). Between choosing and being on disk
//! it is *pending*: readers at or above its commit-ts wait for it, the resolved-ts stays at its start-ts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use super::key::{Range, physical};

/// How far ahead of PD's clock a timestamp may be: one that is further did not come from PD.
const DRIFT: Duration = Duration::from_secs(60);

/// Shared by everything that reads or chooses timestamps.
#[derive(Debug, Default)]
pub(crate) struct Concurrency {
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    max_ts: u64,
    /// The last timestamp PD gave, and when.
    pd: Option<(u64, Instant)>,
    /// By key.
    pending: BTreeMap<Bytes, Pending>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    start_ts: u64,
    min_commit_ts: u64,
}

/// A timestamp from the future.
#[derive(Debug, thiserror::Error)]
#[error(
    "use timestamp {ts}: it is {ahead_ms} ms ahead of PD's clock (expected a timestamp of this cluster's PD)"
)]
pub(crate) struct Ahead {
    ts: u64,
    ahead_ms: u64,
}

/// Keys of a transaction whose commit-ts is chosen and that is not yet on disk. Dropped when it is.
#[derive(Debug)]
pub(crate) struct Guard {
    concurrency: Arc<Concurrency>,
    keys: Vec<Bytes>,
    /// The lowest timestamp the transaction may commit at.
    pub(crate) min_commit_ts: u64,
}

impl Concurrency {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a timestamp fetched from PD just now; gives the lowest start-ts among the pending transactions. Everything
    /// whose commit-ts is chosen from now on commits above `ts`.
    pub(crate) fn advance(&self, ts: u64) -> Option<u64> {
        let mut state = self.state();
        state.max_ts = state.max_ts.max(ts);
        if state.pd.is_none_or(|(last, _)| last < ts) {
            state.pd = Some((ts, Instant::now()));
        }
        state.pending.values().map(|pending| pending.start_ts).min()
    }

    /// Notes a timestamp from a client. `u64::MAX`, "the newest", says nothing.
    ///
    /// # Errors
    /// When it is too far in the future: everything would have to commit above it.
    pub(crate) fn observe(&self, ts: u64) -> Result<(), Ahead> {
        if ts == u64::MAX {
            return Ok(());
        }
        let mut state = self.state();
        if ts <= state.max_ts {
            return Ok(());
        }
        if let Some((last, at)) = state.pd {
            let now = Duration::from_millis(physical(last)) + at.elapsed();
            let ahead = Duration::from_millis(physical(ts)).saturating_sub(now);
            if ahead > DRIFT {
                return Err(Ahead {
                    ts,
                    ahead_ms: u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX),
                });
            }
        }
        state.max_ts = ts;
        Ok(())
    }

    /// Notes a read at `ts` and waits until no pending transaction could have to be seen by it.
    ///
    /// # Errors
    /// See [`Self::observe`].
    pub(crate) async fn before_read(&self, ranges: &[Range], ts: u64) -> Result<(), Ahead> {
        self.observe(ts)?;
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            released.as_mut().enable();
            let blocked = {
                let state = self.state();
                ranges.iter().any(|range| {
                    state
                        .pending
                        .range(range.start.clone()..)
                        .take_while(|(key, _)| range.contains(key))
                        .any(|(_, pending)| pending.min_commit_ts <= ts)
                })
            };
            if !blocked {
                return Ok(());
            }
            released.await;
        }
    }

    /// Chooses the lowest commit-ts for a transaction that is about to be written: above everything told so far, and not
    /// below `floor`.
    pub(crate) fn choose(self: &Arc<Self>, keys: Vec<Bytes>, start_ts: u64, floor: u64) -> Guard {
        let mut state = self.state();
        let min_commit_ts = floor.max(state.max_ts + 1).max(start_ts + 1);
        let pending = Pending {
            start_ts,
            min_commit_ts,
        };
        state
            .pending
            .extend(keys.iter().map(|key| (key.clone(), pending)));
        drop(state);
        Guard {
            concurrency: self.clone(),
            keys,
            min_commit_ts,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.concurrency.state();
        for key in &self.keys {
            state.pending.remove(key);
        }
        drop(state);
        self.concurrency.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &'static str) -> Bytes {
        Bytes::from_static(name.as_bytes())
    }

    #[test]
    fn a_chosen_commit_is_above_what_was_told() {
        let concurrency = Arc::new(Concurrency::default());
        assert_eq!(concurrency.advance(100), None);
        concurrency.observe(120).unwrap();
        concurrency.observe(u64::MAX).unwrap();
        let guard = concurrency.choose(vec![key("a")], 90, 91);
        assert_eq!(guard.min_commit_ts, 121);
        assert_eq!(concurrency.advance(130), Some(90));
        drop(guard);
        assert_eq!(concurrency.advance(131), None);
        assert_eq!(concurrency.choose(vec![], 140, 150).min_commit_ts, 150);
        assert_eq!(concurrency.choose(vec![], 140, 0).min_commit_ts, 141);
    }

    #[test]
    fn timestamps_that_pd_never_gave_are_refused() {
        let concurrency = Concurrency::default();
        let pd = 1_700_000_000_000 << 18;
        concurrency.advance(pd);
        concurrency.observe(pd + (30_000 << 18)).unwrap();
        let error = concurrency.observe(pd + (3_600_000 << 18)).unwrap_err();
        assert!(error.to_string().contains("ahead of PD's clock"), "{error}");
        assert_eq!(
            Arc::new(concurrency).choose(vec![], 0, 0).min_commit_ts,
            pd + (30_000 << 18) + 1
        );
    }

    #[tokio::test]
    async fn readers_wait_for_pending_commits_they_must_see() {
        let concurrency = Arc::new(Concurrency::default());
        concurrency.advance(100);
        let guard = concurrency.choose(vec![key("m")], 50, 0);
        let range = |start, end| Range {
            start: key(start),
            end: key(end),
        };
        concurrency
            .before_read(&[range("a", "m")], 200)
            .await
            .unwrap();
        concurrency
            .before_read(&[range("a", "")], 100)
            .await
            .unwrap();
        let reading = tokio::spawn({
            let concurrency = concurrency.clone();
            async move { concurrency.before_read(&[range("a", "")], 101).await }
        });
        tokio::task::yield_now().await;
        assert!(!reading.is_finished());
        drop(guard);
        reading.await.unwrap().unwrap();
    }
}

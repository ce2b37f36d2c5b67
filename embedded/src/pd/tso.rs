//! Timestamps that never go back: not over kill -9, not when the clock is set back.
//!
//! As in the real PD a window of physical time is stored in etcd *before* it is handed out; a new leader starts above the
//! stored end of the window.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::pdpb::Timestamp;
use tokio::sync::Notify;

use super::leader::Leadership;
use super::{Error, etcd};

/// Logical timestamps in one millisecond.
const MAX_LOGICAL: u64 = 1 << 18;
/// How far ahead the stored window reaches.
const WINDOW_MS: u64 = 3_000;
/// The window is extended when less than this is left of it.
const EXTEND_BELOW_MS: u64 = 1_500;
/// How long a request may wait for etcd to take a longer window.
const WAIT: Duration = Duration::from_secs(3);

/// This machine's clock, shifted for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    offset_ms: i64,
}

impl Clock {
    /// The clock that many milliseconds ahead; behind if negative.
    pub fn shifted(offset_ms: i64) -> Self {
        Self { offset_ms }
    }

    fn now_ms(self) -> u64 {
        wall_ms().saturating_add_signed(self.offset_ms)
    }
}

/// Hands out timestamps while this PD leads.
pub struct Oracle {
    leadership: Arc<Leadership>,
    key: String,
    clock: Clock,
    state: Mutex<State>,
    extended: Notify,
    wanted: Notify,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    physical: u64,
    logical: u64,
    /// First millisecond that must not be handed out; 0 until the window is loaded.
    end: u64,
}

impl State {
    /// The last of `count` timestamps, or `None` when the window is used up.
    fn take(&mut self, count: u64, wall: u64) -> Option<(u64, u64)> {
        let mut next = *self;
        if wall > next.physical {
            (next.physical, next.logical) = (wall, 0);
        }
        if next.logical + count >= MAX_LOGICAL {
            (next.physical, next.logical) = (next.physical + 1, 0);
        }
        next.logical += count;
        (next.physical < next.end).then(|| {
            *self = next;
            (next.physical, next.logical)
        })
    }
}

impl Oracle {
    /// An oracle whose window is kept under `key`.
    pub fn new(leadership: Arc<Leadership>, key: String, clock: Clock) -> Self {
        Self {
            leadership,
            key,
            clock,
            state: Mutex::default(),
            extended: Notify::new(),
            wanted: Notify::new(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts above everything that any leader may have handed out. To be called once this PD leads.
    ///
    /// # Errors
    /// When etcd cannot be read or written.
    pub async fn load(&self) -> Result<(), Error> {
        let stored = match self.leadership.etcd().get(&self.key).await? {
            Some(kv) => etcd::number(&kv)? / 1_000_000,
            None => 0,
        };
        {
            let mut state = self.state();
            if stored >= state.physical {
                *state = State {
                    physical: stored,
                    logical: MAX_LOGICAL,
                    end: stored,
                };
            }
        }
        self.extend().await
    }

    /// Stores a window that reaches [`WINDOW_MS`] past now.
    async fn extend(&self) -> Result<(), Error> {
        let physical = self.state().physical;
        let end = self.clock.now_ms().max(physical + 1) + WINDOW_MS;
        let value = (end * 1_000_000).to_be_bytes().to_vec().into();
        self.leadership
            .write(vec![etcd::put(&self.key, value)])
            .await?;
        self.state().end = end;
        self.extended.notify_waiters();
        Ok(())
    }

    /// Keeps the window ahead of the clock; runs for as long as the process.
    pub async fn keep_ahead(&self) {
        let mut failing = false;
        loop {
            if self.leadership.leads() && self.left() < EXTEND_BELOW_MS {
                match self.extend().await {
                    Ok(()) => failing = false,
                    Err(error) if !failing => {
                        failing = true;
                        tracing::warn!(%error, "the timestamp window could not be stored");
                    }
                    Err(_) => {}
                }
            }
            let pause = Duration::from_millis(if failing { 200 } else { 50 });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wanted.notified(), if !failing => {}
            }
        }
    }

    fn left(&self) -> u64 {
        let state = *self.state();
        state
            .end
            .saturating_sub(state.physical.max(self.clock.now_ms()))
    }

    /// `count` timestamps; the answer is the last of them.
    ///
    /// # Errors
    /// When this PD does not lead, when `count` is 0 or above a millisecond's worth, when etcd does not take a new window.
    pub async fn take(&self, count: u32) -> Result<Timestamp, Error> {
        let count = u64::from(count);
        if count == 0 || count >= MAX_LOGICAL {
            return Err(Error::TsoCount);
        }
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            let extended = self.extended.notified();
            if !self.leadership.leads() {
                return Err(Error::NotLeader);
            }
            let taken = self.state().take(count, self.clock.now_ms());
            if let Some((physical, logical)) = taken {
                return Ok(Timestamp {
                    physical: physical.cast_signed(),
                    logical: logical.cast_signed(),
                    suffix_bits: 0,
                });
            }
            self.wanted.notify_one();
            if tokio::time::timeout_at(deadline, extended).await.is_err() {
                return Err(Error::TsoWindow { waited: WAIT });
            }
        }
    }
}

/// Milliseconds since 1970 on this machine's clock.
pub fn wall_ms() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the clock does, timestamps grow, and never leave the window.
        #[test]
        fn timestamps_grow(steps in prop::collection::vec((1u64..5000, 0u64..4000), 1..200)) {
            let mut state = State { physical: 1000, logical: MAX_LOGICAL, end: 3000 };
            let mut last = (0, 0);
            for (count, wall) in steps {
                if let Some((physical, logical)) = state.take(count, wall) {
                    prop_assert!(physical < state.end && logical < MAX_LOGICAL);
                    prop_assert!(physical > last.0 || logical - last.1 >= count);
                    last = (physical, logical);
                } else {
                    state.end += 2000;
                }
            }
        }
    }

    #[test]
    fn the_first_timestamp_is_above_the_stored_window() {
        let mut state = State {
            physical: 1000,
            logical: MAX_LOGICAL,
            end: 4000,
        };
        assert_eq!(state.take(1, 500), Some((1001, 1)));
    }
}

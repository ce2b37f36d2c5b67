//! Trying again: growing pauses under a deadline.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// The pause before the try that follows `failures` failures in a row: 20 ms doubling up to 2 s, less up to a quarter at
/// random, so that many who failed together do not come back together.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let full = FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST);
    // A fresh `RandomState` has random keys; hashing nothing gives a random number.
    let share = RandomState::new().hash_one(()) % 1000;
    full.mul_f64(1.0 - share as f64 / 4000.0)
}

/// Pauses between the tries of one operation, until its deadline.
#[derive(Debug)]
pub(crate) struct Backoff {
    started: Instant,
    deadline: Instant,
    failures: u32,
}

impl Backoff {
    /// An operation that may take up to `limit` from now.
    pub(crate) fn within(limit: Duration) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + limit,
            failures: 0,
        }
    }

    /// How long the operation has taken so far.
    pub(crate) fn waited(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time left, at least a millisecond so that a call still has a chance to answer.
    pub(crate) fn left(&self) -> Duration {
        self.deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    }

    /// Waits before the next try, at least `at_least`; answers false, at once, where no time is left for one.
    pub(crate) async fn pause(&mut self, at_least: Duration) -> bool {
        self.failures += 1;
        let until = Instant::now() + pause_after(self.failures).max(at_least);
        if until >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(until).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for failures in 0..40 {
            let pause = pause_after(failures);
            let full = Duration::from_millis(20 << failures.saturating_sub(1).min(7)).min(LONGEST);
            assert!(
                pause <= full && pause >= full.mul_f64(0.74),
                "{failures}: {pause:?}"
            );
        }
    }

    #[tokio::test]
    async fn the_deadline_ends_it() {
        let limit = Duration::from_millis(150);
        let mut backoff = Backoff::within(limit);
        let mut tries = 0;
        while backoff.pause(Duration::ZERO).await {
            tries += 1;
        }
        assert!((1..5).contains(&tries), "{tries}");
        let started = Instant::now();
        assert!(!Backoff::within(limit).pause(Duration::from_secs(2)).await);
        assert!(
            started.elapsed() < limit,
            "no use waiting for a pause that is too long"
        );
    }
}

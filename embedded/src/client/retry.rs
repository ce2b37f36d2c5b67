//! Trying again, with growing pauses, until a deadline.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::ClientError;

const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The pauses of one call.
#[derive(Debug)]
pub(super) struct Backoff {
    what: &'static str,
    started: Instant,
    patience: Duration,
    pause: Duration,
}

impl Backoff {
    pub(super) fn new(what: &'static str, patience: Duration) -> Self {
        Self {
            what,
            started: Instant::now(),
            patience,
            pause: FIRST_PAUSE,
        }
    }

    /// What is being tried.
    pub(super) fn what(&self) -> &'static str {
        self.what
    }

    /// How long may still be waited.
    pub(super) fn left(&self) -> Duration {
        self.patience.saturating_sub(self.started.elapsed())
    }

    /// Waits before the next attempt after one that met `cause`; fails when patience is at its end.
    pub(super) async fn pause(&mut self, cause: impl Display) -> Result<(), ClientError> {
        let waited = self.started.elapsed();
        if waited >= self.patience {
            return Err(ClientError::Exhausted {
                what: self.what,
                waited,
                last: cause.to_string(),
            });
        }
        tracing::debug!(what = self.what, %cause, "trying again");
        tokio::time::sleep(self.pause.min(self.left())).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

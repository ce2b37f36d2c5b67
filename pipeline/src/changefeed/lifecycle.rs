//! When a changefeed that met an error tries again, and when it has failed for good (`spec/state.md §2`).
//!
//! As in TiCDC, a few errors end a changefeed at once, others are retried with growing pauses until the checkpoint has
//! not moved for `changefeed-error-stuck-duration`. The first pauses are shorter than TiCDC's 10 seconds: a broker that
//! restarts is back sooner than that. What only an operator can heal is tried as rarely as TiCDC does: each time, what came
//! just before it may be sent again.

use std::time::{Duration, Instant};

use super::info::State;
use crate::{
    coded::{Code, Coded},
    model::Ts,
};

/// The pause before the first retry.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause while the trouble is young.
const QUICK_PAUSE: Duration = Duration::from_secs(2);
/// So long it is young.
const QUICK_FOR: Duration = Duration::from_secs(60);
/// TiCDC's first pause, from which pauses double once the trouble is no longer young.
const SLOW_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Errors that no retry heals; the code may stand anywhere in the text.
const FATAL: [Code; 15] = [
    Code::ErrGCTTLExceeded,
    Code::ErrSnapshotLostByGC,
    Code::ErrStartTsBeforeGC,
    Code::ErrExpressionColumnNotFound,
    Code::ErrInvalidFilterExpression,
    Code::ErrSchemaSnapshotNotFound,
    Code::ErrSyncRenameTableFailed,
    Code::ErrChangefeedUnretryable,
    Code::ErrCorruptedDataMutation,
    Code::ErrDispatcherFailed,
    Code::ErrColumnSelectorFailed,
    Code::ErrSinkURIInvalid,
    Code::ErrKafkaInvalidConfig,
    Code::ErrMySQLInvalidConfig,
    Code::ErrUnsupportedByPipeline,
];

/// Errors of the sink, which TiCDC reports as warnings.
const OF_THE_SINK: [Code; 7] = [
    Code::ErrKafkaAsyncSendMessage,
    Code::ErrKafkaSendMessage,
    Code::ErrKafkaNewProducer,
    Code::ErrKafkaNewSaramaProducer,
    Code::ErrKafkaCreateTopic,
    Code::ErrMessageTooLarge,
    Code::ErrKafkaInvalidPartitionNum,
];

/// Whether only an operator can heal an error, with another configuration or a larger limit.
fn needs_an_operator(error: &Coded) -> bool {
    // the second has other causes too, and tells this one in words only
    error.code() == Code::ErrMessageTooLarge || error.message().contains("become ineligible")
}

/// Whether an error ends a changefeed at once.
#[must_use]
pub fn is_fatal(error: &Coded) -> bool {
    FATAL.contains(&error.code())
        || FATAL
            .iter()
            .any(|code| error.message().contains(&format!("[{}]", code.as_str())))
}

/// What becomes of a changefeed that met an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has failed.
    Fail,
    /// It has failed because it was without progress for too long; the code to report.
    Stuck,
    /// It tries again after a pause.
    Retry {
        /// What it is in meanwhile: [`State::Warning`] or [`State::Pending`].
        state: State,
        /// The pause.
        after: Duration,
    },
}

/// The errors of one changefeed since it last moved.
#[derive(Debug, Clone)]
pub struct Troubles {
    stuck_after: Duration,
    /// Where the checkpoint was when it last moved, and when that was.
    moved: (Ts, Instant),
    /// The checkpoint at the last error.
    stumbled_at: Option<Ts>,
    since: Option<Instant>,
    retries: u32,
}

impl Troubles {
    /// A changefeed without troubles, that fails when it does not move for `stuck_after`.
    #[must_use]
    pub fn new(stuck_after: Duration, checkpoint: Ts, now: Instant) -> Self {
        Self {
            stuck_after,
            moved: (checkpoint, now),
            stumbled_at: None,
            since: None,
            retries: 0,
        }
    }

    /// Whether it has met an error that its checkpoint has not passed yet.
    #[must_use]
    pub fn any(&self) -> bool {
        self.stumbled_at.is_some()
    }

    /// The checkpoint is at `checkpoint`; whether that ends a trouble.
    pub fn on_checkpoint(&mut self, checkpoint: Ts, now: Instant) -> bool {
        if checkpoint <= self.moved.0 {
            return false;
        }
        self.moved = (checkpoint, now);
        let healed = self.stumbled_at.is_some_and(|at| checkpoint > at);
        if healed {
            self.stumbled_at = None;
            self.since = None;
            self.retries = 0;
        }
        healed
    }

    /// The task ended with an error.
    pub fn on_error(&mut self, error: &Coded, now: Instant) -> Verdict {
        if is_fatal(error) {
            return Verdict::Fail;
        }
        if now.duration_since(self.moved.1) >= self.stuck_after {
            return Verdict::Stuck;
        }
        self.stumbled_at = Some(self.moved.0);
        let since = *self.since.get_or_insert(now);
        let age = now.duration_since(since);
        let after = match needs_an_operator(error) {
            true => self.slow_pause(),
            false => self.pause(age),
        };
        self.retries += 1;
        let state = if OF_THE_SINK.contains(&error.code()) {
            State::Warning
        } else {
            State::Pending
        };
        Verdict::Retry { state, after }
    }

    /// As long as TiCDC's: 10 s, and twice as long each time.
    fn slow_pause(&self) -> Duration {
        let doubled = SLOW_PAUSE.saturating_mul(1 << self.retries.min(8));
        doubled.min(LONGEST_PAUSE)
    }

    fn pause(&mut self, age: Duration) -> Duration {
        if age < QUICK_FOR {
            let doubled = FIRST_PAUSE.saturating_mul(1 << self.retries.min(8));
            return doubled.min(QUICK_PAUSE);
        }
        // about as many pauses as TiCDC has made by this age: each is as long as all before it
        age.max(SLOW_PAUSE).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUCK: Duration = Duration::from_secs(1800);

    fn down() -> Coded {
        Coded::new(
            Code::ErrKafkaAsyncSendMessage,
            "kafka async send message failed",
        )
    }

    fn retry(verdict: Verdict) -> (State, Duration) {
        match verdict {
            Verdict::Retry { state, after } => (state, after),
            other => panic!("expected a retry, got {other:?}"),
        }
    }

    #[test]
    fn the_first_pauses_are_short_and_later_ones_grow() {
        let start = Instant::now();
        let mut troubles = Troubles::new(STUCK, 10, start);
        let mut now = start;
        let mut pauses = Vec::new();
        loop {
            match troubles.on_error(&down(), now) {
                Verdict::Retry { after, .. } => {
                    pauses.push(after);
                    now += after;
                }
                Verdict::Stuck => break,
                Verdict::Fail => panic!("a broker that is down is no reason to fail"),
            }
        }
        assert_eq!(pauses[0], Duration::from_millis(500));
        assert!(
            pauses.windows(2).all(|pair| pair[0] <= pair[1]),
            "{pauses:?}"
        );
        assert!(pauses[..20].iter().all(|pause| *pause <= QUICK_PAUSE));
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(now.duration_since(start) >= STUCK);
        assert!(
            pauses.len() < 60,
            "{} retries in half an hour",
            pauses.len()
        );
    }

    #[test]
    fn what_only_an_operator_heals_is_tried_rarely() {
        let start = Instant::now();
        let mut troubles = Troubles::new(STUCK, 10, start);
        for error in [
            Coded::new(Code::ErrMessageTooLarge, "message is too large"),
            Coded::new(Code::ErrOwnerUnknown, "An eligible table become ineligible"),
        ] {
            let mut troubles = troubles.clone();
            let pauses = [(); 8].map(|()| retry(troubles.on_error(&error, start)).1.as_secs());
            assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
        }
        assert_eq!(retry(troubles.on_error(&down(), start)).1, FIRST_PAUSE);
    }

    #[test]
    fn a_checkpoint_beyond_the_error_heals() {
        let start = Instant::now();
        let mut troubles = Troubles::new(STUCK, 10, start);
        for _ in 0..5 {
            retry(troubles.on_error(&down(), start));
        }
        assert!(troubles.any());
        assert!(!troubles.on_checkpoint(10, start));
        assert!(troubles.on_checkpoint(11, start));
        assert!(!troubles.any());
        assert_eq!(
            retry(troubles.on_error(&down(), start)),
            (State::Warning, FIRST_PAUSE)
        );
    }

    #[test]
    fn errors_are_told_apart() {
        let start = Instant::now();
        let mut troubles = Troubles::new(STUCK, 10, start);
        let owner = Coded::new(Code::ErrOwnerUnknown, "An eligible table become ineligible");
        assert_eq!(retry(troubles.on_error(&owner, start)).0, State::Pending);
        let dispatcher = Coded::new(Code::ErrDispatcherFailed, "index not found");
        assert_eq!(troubles.on_error(&dispatcher, start), Verdict::Fail);
        let nested = Coded::wrap(
            Code::ErrKafkaNewProducer,
            Coded::new(
                Code::ErrKafkaInvalidConfig,
                "no topic is specified in sink-uri",
            ),
        );
        assert_eq!(troubles.on_error(&nested, start), Verdict::Fail);
    }
}

//! What becomes of the messages that were handed over.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::ProducerContext,
};
use tokio::sync::Notify;

use super::reasons::reason;
use crate::{
    coded::{Code, Coded},
    meters::FeedMeters,
};

/// Messages handed over between two [marks](super::producer::Producer::mark) that are not acknowledged yet.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    pub(super) pending: AtomicUsize,
    /// When the first of them was handed over.
    pub(super) since: OnceLock<Instant>,
}

/// A point in the order of messages; see [`Producer::mark`](super::producer::Producer::mark).
#[derive(Debug)]
pub struct Mark(pub(super) Arc<Epoch>);

impl Mark {
    /// Whether every message between this mark and the one before it is acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) == 0
    }

    /// For how long the first message between this mark and the one before it has been handed over, if there is any.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.0.since.get().map(Instant::elapsed)
    }
}

/// What is known of the messages handed over.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) pending: AtomicUsize,
    /// Where the next message belongs.
    epoch: Mutex<Arc<Epoch>>,
    pub(super) acknowledged: AtomicU64,
    failed: Mutex<Option<Coded>>,
    /// What the client last said about its connections: the reason behind a bare "timed out".
    trouble: Mutex<Option<String>>,
    pub(super) changed: Notify,
    /// Told when the client has lost every broker.
    pub(super) lost: Notify,
    pub(super) meters: FeedMeters,
}

impl State {
    pub(super) fn new(meters: FeedMeters) -> Self {
        Self {
            meters,
            ..Self::default()
        }
    }

    pub(super) fn failure(&self) -> Option<Coded> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn epoch(&self) -> MutexGuard<'_, Arc<Epoch>> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, error: Coded) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            // What fails after it fails for the same reason.
            self.meters.sink_errors.inc();
            *failed = Some(error);
        }
    }

    /// Whether messages wait to be acknowledged.
    pub(super) fn waits(&self) -> bool {
        self.pending.load(Ordering::Acquire) > 0
    }

    /// Fails every call from now on, those under way too.
    pub(super) fn give_up(&self, topic: &str, reason: impl std::fmt::Display) {
        self.fail(not_produced(topic, reason));
        self.changed.notify_waiters();
    }
}

/// A message that did not get to its topic.
pub(super) fn not_produced(topic: &str, reason: impl std::fmt::Display) -> Coded {
    Coded::wrap(
        Code::ErrKafkaAsyncSendMessage,
        format_args!("kafka: Failed to produce message to topic {topic}: {reason}"),
    )
}

/// What the client tells of them.
pub(super) struct Deliveries(pub(super) Arc<State>);

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka client");
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            // not why: that was said before
            self.0.lost.notify_one();
            return;
        }
        *self
            .0
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Epoch>;

    fn delivery(&self, result: &DeliveryResult<'_>, epoch: Arc<Epoch>) {
        match result {
            Ok(message) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.0.meters.written.inc_by(message.payload_len() as u64);
                epoch.pending.fetch_sub(1, Ordering::AcqRel);
            }
            // Given up with the producer.
            Err((error, _))
                if matches!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
                ) => {}
            Err((error, message)) => {
                let trouble = self
                    .0
                    .trouble
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                let code = error.rdkafka_error_code();
                let reason = match (code, trouble) {
                    (Some(RDKafkaErrorCode::MessageTimedOut), Some(trouble)) => trouble,
                    _ => reason(error),
                };
                self.0.fail(not_produced(message.topic(), reason));
            }
        }
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }
}

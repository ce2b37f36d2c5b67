//! An independent consumer: which rows have arrived, and when.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use memchr::memmem;
use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message as _;

use super::BenchError;
use crate::observe::kafka::Kafka;
use crate::observe::poll;

/// How long one look at the consumer takes at most.
const LOOK: Duration = Duration::from_millis(100);

/// How the ids of rows are found in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    CanalJson,
    /// Of the original canal server: the rows of one binlog event are one message.
    Canal,
    Debezium,
    /// Messages are counted.
    Any,
}

impl Dialect {
    /// The ids of the rows that a message tells of; none if it tells of none of ours.
    fn ids(self, message: &[u8]) -> impl Iterator<Item = u64> {
        let (before, rows): (&[u8], usize) = match self {
            Dialect::CanalJson => (br#""data":[{"id":""#, 1),
            Dialect::Canal => (br#"{"id":""#, usize::MAX),
            Dialect::Debezium => (br#""after":{"id":"#, 1),
            Dialect::Any => (b"", 0),
        };
        let found = memmem::find_iter(message, before).take(rows);
        found.filter_map(move |at| {
            let digits = &message[at + before.len()..];
            let end = digits.iter().position(|digit| !digit.is_ascii_digit())?;
            std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
        })
    }
}

/// What has arrived of the rows that were asked for; a row that comes again counts once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) rows: u64,
    /// Of values.
    pub(super) bytes: u64,
    pub(super) first: Option<Instant>,
    pub(super) last: Option<Instant>,
    /// By id, from the first that was asked for.
    pub(super) times: Vec<Option<Instant>>,
    /// The first values.
    pub(super) sample: Vec<Vec<u8>>,
    failed: Option<String>,
}

impl Seen {
    fn arrived(&mut self, ids: &Range<u64>, id: u64, now: Instant) {
        let Some(slot) = id.checked_sub(ids.start) else {
            return;
        };
        let free = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.times.get_mut(slot));
        if let Some(free @ None) = free {
            *free = Some(now);
            self.rows += 1;
        }
    }
}

/// Values that are kept of what arrives.
const SAMPLE: usize = 10_000;

/// A consumer at work; it ends with this.
pub(super) struct Arrivals {
    topic: String,
    expected: u64,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    seen: Mutex<Seen>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals {
    /// Follows a topic from its end, and waits for rows of these ids.
    pub(super) async fn follow(
        kafka: &Kafka,
        topic: &str,
        dialect: Dialect,
        ids: Range<u64>,
    ) -> Result<Arrivals, BenchError> {
        let consumer = kafka.follow(topic).await?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            seen: Mutex::new(Seen {
                times: vec![None; (ids.end - ids.start) as usize],
                ..Seen::default()
            }),
        });
        let heard = Arc::clone(&shared);
        let expected = ids.end - ids.start;
        let reader = std::thread::spawn(move || read(&consumer, &heard, dialect, &ids));
        Ok(Arrivals {
            topic: topic.to_owned(),
            expected,
            shared,
            reader: Some(reader),
        })
    }

    /// All that was asked for, as soon as it is there.
    pub(super) async fn all(self, patience: Duration) -> Result<Seen, BenchError> {
        let enough = poll::until(patience, || async {
            let seen = self.shared.seen();
            match &seen.failed {
                Some(why) => Err(BenchError::Consumer {
                    topic: self.topic.clone(),
                    why: why.clone(),
                }),
                None if seen.rows >= self.expected => Ok(Ok(())),
                None => Ok(Err(String::new())),
            }
        });
        let enough = enough.await?;
        let seen = std::mem::take(&mut *self.shared.seen());
        match enough {
            Ok(()) => Ok(seen),
            Err(_) => Err(BenchError::Arrivals {
                topic: self.topic.clone(),
                seen: seen.rows,
                expected: self.expected,
                seconds: patience.as_secs(),
            }),
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // It does nothing that panics; if it did, what it has seen is all there is.
            let _ = reader.join();
        }
    }
}

fn read(consumer: &BaseConsumer, shared: &Shared, dialect: Dialect, ids: &Range<u64>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(LOOK) else {
            continue;
        };
        let now = Instant::now();
        let mut seen = shared.seen();
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                seen.failed = Some(error.to_string());
                return;
            }
        };
        let value = message.payload().unwrap_or_default();
        let counted = seen.rows;
        match dialect {
            Dialect::Any => seen.arrived(ids, ids.start + counted, now),
            of_rows => of_rows.ids(value).for_each(|id| seen.arrived(ids, id, now)),
        }
        if seen.rows == counted {
            continue;
        }
        seen.bytes += value.len() as u64;
        seen.first.get_or_insert(now);
        seen.last = Some(now);
        if seen.sample.len() < SAMPLE {
            seen.sample.push(value.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_where_rows_are() {
        let ids = |dialect: Dialect, message: &[u8]| dialect.ids(message).collect::<Vec<_>>();
        let one =
            br#"{"id":0,"isDdl":false,"type":"INSERT","data":[{"id":"42","k":"7"}],"old":null}"#;
        assert_eq!(ids(Dialect::CanalJson, one), [42]);
        let ddl = br#"{"id":0,"isDdl":true,"type":"CREATE","data":null,"old":null}"#;
        assert!(ids(Dialect::CanalJson, ddl).is_empty());
        let two =
            br#"{"data":[{"id":"42","k":"7"},{"id":"43","k":"8"}],"database":"bench","id":3}"#;
        assert_eq!(ids(Dialect::Canal, two), [42, 43]);
        let debezium = br#"{"before":null,"after":{"id":42,"k":7},"op":"c"}"#;
        assert_eq!(ids(Dialect::Debezium, debezium), [42]);
        assert!(ids(Dialect::Debezium, br#""after":{"id":4"#).is_empty());
        assert!(ids(Dialect::Debezium, b"").is_empty());
    }
}

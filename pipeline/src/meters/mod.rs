//! What a server counts and measures, for Prometheus, under TiCDC's names (`golden/ticdc/http-api`, `v4.0-cli-2`).
//!
//! A server has one [`Meters`]; each changefeed that it runs counts in a [`FeedMeters`], whose values are shown as long as
//! anything of the changefeed runs. What the other dialect has no name for is counted all the same and not shown.

mod families;

use std::{
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use prometheus::{
    Encoder as _, Histogram, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder,
    proto::MetricFamily,
};

use proto::cdcpb::{
    self,
    event::{LogType, Row},
};

use self::families::{Families, Forget};
use crate::compat::Compat;

/// The numbers of a server. Clones are the same.
#[derive(Clone)]
pub struct Meters(Arc<Inner>);

struct Inner {
    compat: Compat,
    /// The address of the capture, a label in v4.0.9.
    capture: String,
    registry: Registry,
    families: Families,
    feeds: Mutex<HashMap<[String; 2], Weak<Shown>>>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters")
            .field("capture", &self.0.capture)
            .finish_non_exhaustive()
    }
}

impl Meters {
    /// No number yet, for the capture at this address.
    #[must_use]
    pub fn new(compat: Compat, capture: &str) -> Self {
        let registry = Registry::new();
        Self(Arc::new(Inner {
            compat,
            capture: capture.to_owned(),
            families: Families::new(&registry, compat),
            registry,
            feeds: Mutex::default(),
        }))
    }

    /// The values of the two labels that every number of a changefeed has.
    #[must_use]
    pub fn labels(&self, namespace: &str, changefeed: &str) -> [String; 2] {
        match self.0.compat {
            Compat::V4_0_9 => [self.0.capture.clone(), changefeed.to_owned()],
            Compat::V6_5 | Compat::V8_5 => [namespace.to_owned(), changefeed.to_owned()],
        }
    }

    /// What a changefeed counts in: the same numbers as long as any clone is there.
    #[must_use]
    pub fn feed(&self, namespace: &str, changefeed: &str) -> FeedMeters {
        let labels = self.labels(namespace, changefeed);
        let mut feeds = self.0.feeds();
        if let Some(known) = feeds.get(&labels).and_then(Weak::upgrade) {
            return FeedMeters(known);
        }
        let (counters, forget) = self.0.families.feed(&labels);
        let shown = Arc::new(Shown {
            counters,
            forget,
            server: Arc::clone(&self.0),
            labels: labels.clone(),
        });
        feeds.insert(labels, Arc::downgrade(&shown));
        FeedMeters(shown)
    }

    /// How far the versions of the cluster may be collected: for our sake, and for that of all services.
    pub fn safepoints(&self, ours_ms: u64, least_ms: u64) {
        let set = |gauge: &IntGauge, ms: u64| gauge.set(i64::try_from(ms).unwrap_or(i64::MAX));
        set(&self.0.families.cdc_safepoint, ours_ms);
        set(&self.0.families.min_safepoint, least_ms);
    }

    /// This server has owned the changefeeds for so much longer. TiCDC counts seconds, whatever its help text says: alert rules
    /// look for a rate of 1.
    pub fn owned(&self, time: Duration) {
        self.0.families.ownership.inc_by(time.as_secs_f64());
    }

    /// All numbers with those in `more`, in Prometheus' text format.
    ///
    /// # Errors
    /// When a family has no name or no value, a mistake of ours.
    pub fn text(&self, more: &Registry) -> Result<String, prometheus::Error> {
        let mut families: Vec<MetricFamily> = self.0.registry.gather();
        families.extend(more.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Inner {
    fn feeds(&self) -> MutexGuard<'_, HashMap<[String; 2], Weak<Shown>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a changefeed counts.
pub struct Counters {
    /// What stores sent, by kind.
    pub pulled: Pulled,
    /// Committed rows that regions gave.
    pub assembled: IntCounter,
    /// Resolved-ts that stores sent.
    pub resolved: IntCounter,
    /// Rows that a subscription told.
    pub collected: IntCounter,
    /// Resolved-ts that a subscription told.
    pub collected_resolved: IntCounter,
    /// Subscriptions that run.
    pub subscriptions: IntGauge,
    /// Regions that stores gave up, by reason.
    pub region_errors: IntCounterVec,
    /// Seconds that it took to find regions at PD.
    pub scan_regions: Histogram,
    /// Rows that left the sorter.
    pub sorted: IntCounter,
    /// Bytes in the memory of the sorter.
    pub sorting_memory: IntGauge,
    /// Tables and partitions followed here.
    pub tables: IntGauge,
    /// Bytes of memory in use of the changefeed's quota.
    pub used: IntGauge,
    /// The quota in bytes.
    pub quota: IntGauge,
    /// Row changes that were decoded.
    pub mounted: IntGauge,
    /// Row changes handed to Kafka.
    pub rows: Rows,
    /// Row changes handed over at once.
    pub batch: Histogram,
    /// Bytes of messages that Kafka has acknowledged.
    pub written: IntCounter,
    /// Seconds from handing a batch over to its acknowledgement.
    pub send_seconds: Histogram,
    /// Seconds from the commit of a row to the acknowledgement of its message.
    pub flush_lag: Histogram,
    /// DDL statements sent.
    pub ddls: IntCounter,
    /// Seconds until the message of one was acknowledged.
    pub ddl_seconds: Histogram,
    /// Producers that could not send a message, and sent no more.
    pub sink_errors: IntCounter,
    /// Lags in seconds as the owner sees them.
    pub checkpoint_lag: Histogram,
    /// The same of the resolved-ts.
    pub resolved_lag: Histogram,
}

/// Row changes: a counter since v5, a gauge before.
pub struct Rows(IntCounter, IntGauge);

impl Rows {
    /// So many more.
    pub fn add(&self, rows: usize) {
        self.0.inc_by(rows as u64);
        self.1.add(i64::try_from(rows).unwrap_or(i64::MAX));
    }
}

/// Rows of stores, by TiKV's kinds.
pub struct Pulled {
    /// The ends of scans.
    pub initialized: IntCounter,
    /// What a scan found committed.
    pub committed: IntCounter,
    /// Locks.
    pub prewrite: IntCounter,
    /// Their ends.
    pub commit: IntCounter,
    /// The same.
    pub rollback: IntCounter,
}

impl Pulled {
    /// Counts rows that came together.
    pub fn count(&self, rows: &[Row]) {
        let kinds = [
            (LogType::Initialized, &self.initialized),
            (LogType::Committed, &self.committed),
            (LogType::Prewrite, &self.prewrite),
            (LogType::Commit, &self.commit),
            (LogType::Rollback, &self.rollback),
        ];
        for (kind, counter) in kinds {
            let of_kind = rows.iter().filter(|row| row.r#type == kind as i32).count();
            counter.inc_by(of_kind as u64);
        }
    }
}

impl Counters {
    /// Counts a region that its store gave up.
    pub fn region_error(&self, error: &cdcpb::Error) {
        let reason = if error.not_leader.is_some() {
            "NotLeader"
        } else if error.epoch_not_match.is_some() {
            "EpochNotMatch"
        } else if error.region_not_found.is_some() {
            "RegionNotFound"
        } else if error.server_is_busy.is_some() {
            "KvIsBusy"
        } else if error.congested.is_some() {
            "KvCongested"
        } else {
            "Unknown"
        };
        self.region_errors.with_label_values(&[reason]).inc();
    }
}

/// The numbers of a changefeed that are shown.
struct Shown {
    counters: Counters,
    forget: Vec<Forget>,
    server: Arc<Inner>,
    labels: [String; 2],
}

impl Drop for Shown {
    fn drop(&mut self) {
        let mut feeds = self.server.feeds();
        // Another one may have begun by now, with the same numbers.
        if feeds
            .get(&self.labels)
            .is_some_and(|shown| shown.strong_count() == 0)
        {
            feeds.remove(&self.labels);
            self.forget.iter().for_each(|forget| forget());
        }
    }
}

/// What a changefeed counts in. Clones are the same.
#[derive(Clone)]
pub struct FeedMeters(Arc<Shown>);

impl Deref for FeedMeters {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0.counters
    }
}

impl fmt::Debug for FeedMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FeedMeters").field(&self.0.labels).finish()
    }
}

/// Numbers that nobody is shown.
impl Default for FeedMeters {
    fn default() -> Self {
        Meters::new(Compat::V8_5, "").feed("", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_counts_the_seconds() {
        let none = Registry::new();
        for (compat, shown) in [(Compat::V8_5, true), (Compat::V4_0_9, false)] {
            let meters = Meters::new(compat, "127.0.0.1:8300");
            meters.owned(Duration::from_secs(2));
            meters.owned(Duration::from_millis(500));
            let text = meters.text(&none).unwrap();
            assert_eq!(
                text.contains("\nticdc_owner_ownership_counter 2.5\n"),
                shown
            );
        }
    }

    #[test]
    fn a_changefeed_is_shown_as_long_as_anything_of_it_runs() {
        let meters = Meters::new(Compat::V8_5, "127.0.0.1:8300");
        let none = Registry::new();
        let line =
            "ticdc_sink_table_sink_total_rows_count{changefeed=\"a \\\"b\\\"\",namespace=\"n\"} ";
        let value = || {
            let text = meters.text(&none).unwrap();
            let found = text.lines().find_map(|found| found.strip_prefix(line));
            found.map(str::to_owned)
        };
        assert_eq!(value(), None);
        let first = meters.feed("n", "a \"b\"");
        first.rows.add(3);
        assert_eq!(value().as_deref(), Some("3"));
        let again = meters.feed("n", "a \"b\"");
        drop(first);
        again.rows.add(2);
        assert_eq!(value().as_deref(), Some("5"));
        drop(again);
        assert_eq!(value(), None);
        let anew = meters.feed("n", "a \"b\"");
        assert_eq!(value().as_deref(), Some("0"));
        drop(anew);
        assert!(!meters.text(&none).unwrap().contains("changefeed="));
    }
}

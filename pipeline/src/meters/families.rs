//! The families: their names in both dialects, what they mean, their labels and buckets.

use prometheus::{
    Counter, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
    core::{Collector, MetricVec, MetricVecBuilder},
    exponential_buckets, linear_buckets,
};

use super::{Counters, Pulled, Rows};
use crate::compat::Compat;

/// Takes one number out of what is shown.
pub(super) type Forget = Box<dyn Fn() + Send + Sync>;

/// The type of sink in labels.
const SINK: &str = "MQ";

/// A name since v5 and one in v4.0.9, as far as there are such numbers.
struct Names(Option<&'static str>, Option<&'static str>);

const fn both(name: &'static str) -> Names {
    Names(Some(name), Some(name))
}

const fn modern(name: &'static str) -> Names {
    Names(Some(name), None)
}

/// All families of a server.
pub(super) struct Families {
    pulled: IntCounterVec,
    assembled: IntCounterVec,
    collected: IntCounterVec,
    subscriptions: IntGauge,
    region_errors: IntCounterVec,
    scan_regions: Histogram,
    sorted: IntCounterVec,
    sorting_memory: IntGaugeVec,
    tables: IntGaugeVec,
    used: IntGaugeVec,
    quota: IntGaugeVec,
    mounted: IntGaugeVec,
    rows: IntCounterVec,
    legacy_rows: IntGaugeVec,
    batch: HistogramVec,
    written: IntCounterVec,
    send_seconds: HistogramVec,
    flush_lag: HistogramVec,
    ddls: IntCounterVec,
    ddl_seconds: HistogramVec,
    sink_errors: IntCounterVec,
    checkpoint_lag: HistogramVec,
    resolved_lag: HistogramVec,
    pub(super) cdc_safepoint: IntGauge,
    pub(super) min_safepoint: IntGauge,
    pub(super) ownership: Counter,
    /// Whether sinks name their type in labels.
    typed: bool,
}

/// Makes families of one dialect.
struct Make<'a> {
    registry: &'a Registry,
    compat: Compat,
}

impl Make<'_> {
    /// The name of a family, if it is shown.
    fn name(&self, names: &Names) -> Option<&'static str> {
        match self.compat {
            Compat::V4_0_9 => names.1,
            Compat::V6_5 | Compat::V8_5 => names.0,
        }
    }

    fn labels<'l>(&self, more: &[&'l str]) -> Vec<&'l str> {
        let first = match self.compat {
            Compat::V4_0_9 => "capture",
            Compat::V6_5 | Compat::V8_5 => "namespace",
        };
        [first, "changefeed"].iter().chain(more).copied().collect()
    }

    /// Shows a family. A family that is not shown has any name.
    fn show<F: Collector + Clone + 'static>(
        &self,
        names: &Names,
        make: impl FnOnce(&str) -> prometheus::Result<F>,
    ) -> F {
        let name = self.name(names);
        let family = make(name.unwrap_or("unseen"))
            .unwrap_or_else(|error| unreachable!("names and labels are constants: {error}"));
        if name.is_some()
            && let Err(error) = self.registry.register(Box::new(family.clone()))
        {
            unreachable!("each name is used once: {error}");
        }
        family
    }

    fn counters(&self, names: &Names, help: &str, more: &[&str]) -> IntCounterVec {
        let labels = self.labels(more);
        self.show(names, |name| {
            IntCounterVec::new(Opts::new(name, help), &labels)
        })
    }

    fn gauges(&self, names: &Names, help: &str, more: &[&str]) -> IntGaugeVec {
        let labels = self.labels(more);
        self.show(names, |name| {
            IntGaugeVec::new(Opts::new(name, help), &labels)
        })
    }

    fn gauge(&self, names: &Names, help: &str) -> IntGauge {
        self.show(names, |name| IntGauge::new(name, help))
    }

    fn histograms(
        &self,
        names: &Names,
        help: &str,
        more: &[&str],
        buckets: Vec<f64>,
    ) -> HistogramVec {
        let labels = self.labels(more);
        self.show(names, |name| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), &labels)
        })
    }
}

/// `count` bounds from `start` on, each `factor` times the one before.
fn exponential(start: f64, factor: f64, count: usize) -> Vec<f64> {
    exponential_buckets(start, factor, count)
        .unwrap_or_else(|error| unreachable!("the bounds are constants: {error}"))
}

/// Bounds of lags: half a second to nine hours.
fn lags() -> Vec<f64> {
    let linear = |start, step, count| {
        linear_buckets(start, step, count)
            .unwrap_or_else(|error| unreachable!("the bounds are constants: {error}"))
    };
    let mut bounds = linear(0.5, 0.5, 20);
    bounds.extend(linear(11.0, 1.0, 10));
    bounds.extend(linear(21.0, 30.0, 20));
    bounds.extend(linear(900.0, 300.0, 10));
    bounds.extend(exponential(4000.0, 2.0, 4));
    bounds
}

impl Families {
    pub(super) fn new(registry: &Registry, compat: Compat) -> Self {
        let make = Make { registry, compat };
        let typed = compat != Compat::V4_0_9;
        let sink: &[&str] = match typed {
            true => &["type"],
            false => &[],
        };
        let region_errors = make.show(&both("ticdc_kvclient_event_feed_error_count"), |name| {
            IntCounterVec::new(
                Opts::new(name, "The number of error return by tikv"),
                &["type"],
            )
        });
        let scan_regions = make.show(
            &modern("ticdc_kvclient_scan_regions_duration_seconds"),
            |name| {
                let help = "The time it took to finish a scanRegions call.";
                Histogram::with_opts(
                    HistogramOpts::new(name, help).buckets(exponential(0.001, 2.0, 18)),
                )
            },
        );
        let sorting_memory = make.show(&modern("ticdc_sorter_in_memory_data_size_gauge"), |name| {
            let help = "The amount of pending data stored in-memory by the sorter";
            IntGaugeVec::new(Opts::new(name, help), &["id"])
        });
        Self {
            pulled: make.counters(
                &both("ticdc_kvclient_pull_event_count"),
                "event count received by this puller",
                &["type"],
            ),
            assembled: make.counters(
                &both("ticdc_kvclient_send_event_count"),
                "event count sent to event channel by this puller",
                &["type"],
            ),
            collected: make.counters(
                &modern("ticdc_puller_txn_collect_event_count"),
                "The number of events received by a puller",
                &["type"],
            ),
            subscriptions: make.gauge(
                &both("ticdc_kvclient_event_feed_count"),
                "The number of event feed running",
            ),
            region_errors,
            scan_regions,
            sorted: make.counters(
                &modern("ticdc_sorter_output_event_count"),
                "The number of events output by the sorter",
                &["type"],
            ),
            sorting_memory,
            tables: make.gauges(
                &both("ticdc_processor_num_of_tables"),
                "number of synchronized table of processor",
                &[],
            ),
            used: make.gauges(
                &modern("ticdc_processor_memory_consumption"),
                "processor's memory consumption",
                &[],
            ),
            quota: make.gauges(
                &modern("ticdc_sinkmanager_memory_quota"),
                "memory quota of the changefeed",
                &["type", "component"],
            ),
            mounted: make.gauges(
                &modern("ticdc_mounter_total_rows_count"),
                "The total count of rows that are processed by mounter",
                &[],
            ),
            rows: make.counters(
                &modern("ticdc_sink_table_sink_total_rows_count"),
                "The total count of rows that are processed by table sink",
                &[],
            ),
            legacy_rows: make.gauges(
                &Names(None, Some("ticdc_sink_total_rows_count")),
                "The total count of rows that are processed by sink",
                &[],
            ),
            batch: make.histograms(
                &Names(
                    Some("ticdc_sink_batch_row_count"),
                    Some("ticdc_sink_txn_batch_size"),
                ),
                "Row count number for a given batch.",
                sink,
                exponential(1.0, 2.0, 18),
            ),
            written: make.counters(
                &modern("ticdc_sink_write_bytes_total"),
                "Total number of bytes written by sink",
                sink,
            ),
            send_seconds: make.histograms(
                &Names(
                    Some("ticdc_sink_mq_worker_send_message_duration"),
                    Some("ticdc_sink_txn_exec_duration"),
                ),
                "Send Message duration(s) for MQ worker.",
                &[],
                exponential(0.001, 2.0, 20),
            ),
            flush_lag: make.histograms(
                &modern("ticdc_sink_flush_lag_histogram"),
                "flush lag histogram of rows that are processed by table sink",
                &[],
                lags(),
            ),
            ddls: make.counters(
                &modern("ticdc_sink_ddl_exec_count"),
                "Total count of ddl execution.",
                sink,
            ),
            ddl_seconds: make.histograms(
                &modern("ticdc_sink_ddl_exec_duration"),
                "Bucketed histogram of processing time (s) of a ddl.",
                sink,
                exponential(0.01, 2.0, 18),
            ),
            sink_errors: make.counters(
                &both("ticdc_sink_execution_error"),
                "Total count of execution errors.",
                sink,
            ),
            checkpoint_lag: make.histograms(
                &modern("ticdc_owner_checkpoint_lag_histogram"),
                "checkpoint lag histogram of changefeeds",
                &[],
                lags(),
            ),
            resolved_lag: make.histograms(
                &modern("ticdc_owner_resolved_ts_lag_histogram"),
                "resolved_ts lag histogram of changefeeds",
                &[],
                lags(),
            ),
            cdc_safepoint: make.gauge(
                &modern("ticdc_gc_cdc_gc_safepoint"),
                "the value of CDC GC safepoint",
            ),
            min_safepoint: make.gauge(
                &modern("ticdc_gc_min_service_gc_safepoint"),
                "The min value all of service GC safepoint",
            ),
            ownership: make.show(&modern("ticdc_owner_ownership_counter"), |name| {
                let help = "The counter of ownership increases every 5 seconds on a owner capture";
                Counter::new(name, help)
            }),
            typed,
        }
    }

    /// The numbers of a changefeed, and how they are taken out again.
    pub(super) fn feed(&self, labels: &[String; 2]) -> (Counters, Vec<Forget>) {
        let mut of = Of {
            labels,
            forget: Vec::new(),
        };
        let sink: &[&str] = match self.typed {
            true => &[SINK],
            false => &[],
        };
        let counters = Counters {
            pulled: Pulled {
                initialized: of.number(&self.pulled, &["INITIALIZED"]),
                committed: of.number(&self.pulled, &["COMMITTED"]),
                prewrite: of.number(&self.pulled, &["PREWRITE"]),
                commit: of.number(&self.pulled, &["COMMIT"]),
                rollback: of.number(&self.pulled, &["ROLLBACK"]),
            },
            assembled: of.number(&self.assembled, &["commit"]),
            resolved: of.number(&self.assembled, &["native-resolved"]),
            collected: of.number(&self.collected, &["kv"]),
            collected_resolved: of.number(&self.collected, &["resolved"]),
            subscriptions: self.subscriptions.clone(),
            region_errors: self.region_errors.clone(),
            scan_regions: self.scan_regions.clone(),
            sorted: of.number(&self.sorted, &["kv"]),
            sorting_memory: of.labelled(&self.sorting_memory, vec![labels.join("/")]),
            tables: of.number(&self.tables, &[]),
            used: of.number(&self.used, &[]),
            quota: of.number(&self.quota, &["total", "sink"]),
            mounted: of.number(&self.mounted, &[]),
            rows: Rows(
                of.number(&self.rows, &[]),
                of.number(&self.legacy_rows, &[]),
            ),
            batch: of.number(&self.batch, sink),
            written: of.number(&self.written, sink),
            send_seconds: of.number(&self.send_seconds, &[]),
            flush_lag: of.number(&self.flush_lag, &[]),
            ddls: of.number(&self.ddls, sink),
            ddl_seconds: of.number(&self.ddl_seconds, sink),
            sink_errors: of.number(&self.sink_errors, sink),
            checkpoint_lag: of.number(&self.checkpoint_lag, &[]),
            resolved_lag: of.number(&self.resolved_lag, &[]),
        };
        (counters, of.forget)
    }
}

/// Makes the numbers of one changefeed.
struct Of<'a> {
    labels: &'a [String; 2],
    forget: Vec<Forget>,
}

impl Of<'_> {
    fn number<T>(&mut self, family: &MetricVec<T>, more: &[&str]) -> T::M
    where
        T: MetricVecBuilder + 'static,
        T::M: 'static,
        T::P: 'static,
    {
        let more = more.iter().map(ToString::to_string);
        let labels = self.labels.iter().cloned().chain(more).collect();
        self.labelled(family, labels)
    }

    fn labelled<T>(&mut self, family: &MetricVec<T>, labels: Vec<String>) -> T::M
    where
        T: MetricVecBuilder + 'static,
        T::M: 'static,
        T::P: 'static,
    {
        let number = family.with_label_values(&labels);
        let family = family.clone();
        self.forget.push(Box::new(move || {
            // It is there: it was made above.
            let _ = family.remove_label_values(&labels);
        }));
        number
    }
}

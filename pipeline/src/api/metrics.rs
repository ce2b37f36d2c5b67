//! `/metrics`: what this server counts, what it knows as the owner, and its process.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use procfs::process::Process;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Opts, Registry, core::Collector};

use super::{Shared, changefeeds::owner, error::ApiError, reply};
use crate::{
    changefeed::{
        clock::{lag_ms, local_ts},
        info::State as FeedState,
        owner::View,
    },
    coded::{Code, Coded},
    compat::Compat,
    model::{Ts, physical_ms},
    server::Server,
};

/// The type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// For so long PD is waited for: who scrapes waits too.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a family is to Prometheus.
enum Kind {
    Counter,
    Gauge,
}

/// Which of the family's values a changefeed has.
type Value = fn(&View, Ts) -> f64;

/// Values as Prometheus takes them.
#[allow(clippy::cast_precision_loss)]
fn float(number: u64) -> f64 {
    number as f64
}

fn seconds(millis: u64) -> f64 {
    float(millis) / 1000.0
}

/// Families with a value for each changefeed: name, type, help, value.
const MODERN: [(&str, Kind, &str, Value); 8] = [
    (
        "ticdc_owner_checkpoint_ts",
        Kind::Gauge,
        "checkpoint ts of changefeeds",
        |view, _| float(physical_ms(view.position.checkpoint_ts)),
    ),
    (
        "ticdc_owner_checkpoint_ts_lag",
        Kind::Gauge,
        "checkpoint ts lag of changefeeds in seconds",
        |view, now| seconds(lag_ms(view.position.checkpoint_ts, now)),
    ),
    (
        "ticdc_owner_resolved_ts",
        Kind::Gauge,
        "resolved ts of changefeeds",
        |view, _| float(physical_ms(view.resolved_ts)),
    ),
    (
        "ticdc_owner_resolved_ts_lag",
        Kind::Gauge,
        "resolved ts lag of changefeeds in seconds",
        |view, now| seconds(lag_ms(view.resolved_ts, now)),
    ),
    (
        "ticdc_owner_barrier_ts",
        Kind::Gauge,
        "barrier ts of changefeeds",
        |view, _| float(physical_ms(view.position.barrier_ts)),
    ),
    (
        "ticdc_owner_status",
        Kind::Gauge,
        "The status of changefeeds",
        |view, _| status(view.state),
    ),
    (
        "ticdc_owner_current_pd_ts",
        Kind::Gauge,
        "The current PD ts",
        |_, now| float(physical_ms(now)),
    ),
    (
        "ticdc_processor_exit_with_error_count",
        Kind::Counter,
        "counter for processor exits with error",
        |view, _| float(view.errors),
    ),
];

const LEGACY: [(&str, Kind, &str, Value); 5] = [
    (
        "ticdc_processor_checkpoint_ts",
        Kind::Gauge,
        "global checkpoint ts of processor",
        |view, _| float(physical_ms(view.position.checkpoint_ts)),
    ),
    (
        "ticdc_processor_checkpoint_ts_lag",
        Kind::Gauge,
        "global checkpoint ts lag of processor",
        |view, now| seconds(lag_ms(view.position.checkpoint_ts, now)),
    ),
    (
        "ticdc_processor_resolved_ts",
        Kind::Gauge,
        "local resolved ts of processor",
        |view, _| float(physical_ms(view.resolved_ts)),
    ),
    (
        "ticdc_processor_resolved_ts_lag",
        Kind::Gauge,
        "local resolved ts lag of processor",
        |view, now| seconds(lag_ms(view.resolved_ts, now)),
    ),
    (
        "ticdc_processor_exit_with_error_count",
        Kind::Counter,
        "counter for processor exits with error",
        |view, _| float(view.errors),
    ),
];

/// TiCDC's numbers of states.
fn status(state: FeedState) -> f64 {
    match state {
        FeedState::Normal => 0.0,
        FeedState::Pending | FeedState::Warning => 1.0,
        FeedState::Failed => 2.0,
        FeedState::Stopped => 3.0,
        FeedState::Finished => 4.0,
        FeedState::Removed => 5.0,
    }
}

pub(super) async fn metrics(State(server): State<Shared>) -> Result<Response, ApiError> {
    let mut views = Vec::new();
    if let Ok((owner, _)) = owner(&server) {
        // an owner that has just gone has no numbers
        views = owner.views().await.unwrap_or_default();
    }
    let now = now(server.upstream.tso()).await;
    let more = Registry::new();
    let shown = owned(&server, &more, &views, now)
        .and_then(|()| process(&more))
        .and_then(|()| server.meters.text(&more));
    let text = shown.map_err(|error| Coded::wrap(Code::ErrOwnerUnknown, error))?;
    Ok(reply::text(StatusCode::OK, TEXT, text))
}

/// What PD's clock shows; where it does not tell in time, this machine's: lags matter most while PD is gone.
async fn now<E>(tso: impl Future<Output = Result<Ts, E>>) -> Ts {
    match tokio::time::timeout(PATIENCE, tso).await {
        Ok(Ok(now)) => now,
        Ok(Err(_)) | Err(_) => local_ts(),
    }
}

fn show(registry: &Registry, family: impl Collector + 'static) -> prometheus::Result<()> {
    registry.register(Box::new(family))
}

/// What the owner knows of its changefeeds at the moment.
fn owned(server: &Server, registry: &Registry, views: &[View], now: Ts) -> prometheus::Result<()> {
    let (families, first): (&[_], _) = match server.compat() {
        Compat::V4_0_9 => (&LEGACY, "capture"),
        Compat::V6_5 | Compat::V8_5 => (&MODERN, "namespace"),
    };
    for (name, kind, help, value) in families {
        let (opts, labels) = (Opts::new(*name, *help), [first, "changefeed"]);
        let each = views.iter().map(|view| {
            let labels = server.meters.labels(&view.id.namespace, &view.id.id);
            (labels, value(view, now))
        });
        match kind {
            Kind::Gauge => {
                let gauges = GaugeVec::new(opts, &labels)?;
                each.for_each(|(labels, value)| gauges.with_label_values(&labels).set(value));
                show(registry, gauges)?;
            }
            Kind::Counter => {
                let counters = CounterVec::new(opts, &labels)?;
                each.for_each(|(labels, value)| counters.with_label_values(&labels).inc_by(value));
                show(registry, counters)?;
            }
        }
    }
    Ok(())
}

/// What every exporter tells of its process. A kernel that does not tell leaves it out.
fn process(registry: &Registry) -> prometheus::Result<()> {
    let Ok(stat) = Process::myself().and_then(|this| this.stat()) else {
        return Ok(());
    };
    let ticks = float(procfs::ticks_per_second());
    let cpu = Counter::new(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
    )?;
    cpu.inc_by(float(stat.utime + stat.stime) / ticks);
    show(registry, cpu)?;
    let memory = float(stat.rss) * float(procfs::page_size());
    let started = procfs::boot_time_secs().map(|boot| float(boot) + float(stat.starttime) / ticks);
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            Some(memory),
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            started.ok(),
        ),
    ] {
        let gauge = Gauge::new(name, help)?;
        if let Some(value) = value {
            gauge.set(value);
            show(registry, gauge)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;

    #[tokio::test]
    async fn without_pd_lags_are_those_of_this_machines_clock() {
        assert_eq!(now(future::ready(Ok::<_, ()>(7))).await, 7);
        let before = local_ts();
        assert!(before > 470_670_821_615_206_404);
        assert!(now(future::ready(Err(()))).await >= before);
        assert!(now(future::pending::<Result<Ts, ()>>()).await >= before);
    }
}

//! `/metrics`: TiCDC's names, as far as there are numbers behind them.

use std::fmt::Write as _;

use axum::{extract::State, http::StatusCode, response::Response};

use super::{Shared, changefeeds::owner, reply};
use crate::{
    changefeed::{clock::lag_ms, info::State as FeedState, owner::View},
    compat::Compat,
    model::{Ts, physical_ms},
};

/// The type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

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
const MODERN: [(&str, &str, &str, Value); 9] = [
    (
        "ticdc_owner_checkpoint_ts",
        "gauge",
        "checkpoint ts of changefeeds",
        |view, _| float(physical_ms(view.position.checkpoint_ts)),
    ),
    (
        "ticdc_owner_checkpoint_ts_lag",
        "gauge",
        "checkpoint ts lag of changefeeds in seconds",
        |view, now| seconds(lag_ms(view.position.checkpoint_ts, now)),
    ),
    (
        "ticdc_owner_resolved_ts",
        "gauge",
        "resolved ts of changefeeds",
        |view, _| float(physical_ms(view.resolved_ts)),
    ),
    (
        "ticdc_owner_resolved_ts_lag",
        "gauge",
        "resolved ts lag of changefeeds in seconds",
        |view, now| seconds(lag_ms(view.resolved_ts, now)),
    ),
    (
        "ticdc_owner_barrier_ts",
        "gauge",
        "barrier ts of changefeeds",
        |view, _| float(physical_ms(view.position.barrier_ts)),
    ),
    (
        "ticdc_owner_status",
        "gauge",
        "The status of changefeeds",
        |view, _| status(view.state),
    ),
    (
        "ticdc_processor_num_of_tables",
        "gauge",
        "number of synchronized table of processor",
        |view, _| float(view.tables.len() as u64),
    ),
    (
        "ticdc_processor_exit_with_error_count",
        "counter",
        "counter for processor exits with error",
        |view, _| float(view.errors),
    ),
    (
        "ticdc_sink_table_sink_total_rows_count",
        "counter",
        "The total count of messages sent",
        |view, _| float(view.messages),
    ),
];

const LEGACY: [(&str, &str, &str, Value); 7] = [
    (
        "ticdc_processor_checkpoint_ts",
        "gauge",
        "global checkpoint ts of processor",
        |view, _| float(physical_ms(view.position.checkpoint_ts)),
    ),
    (
        "ticdc_processor_checkpoint_ts_lag",
        "gauge",
        "global checkpoint ts lag of processor",
        |view, now| seconds(lag_ms(view.position.checkpoint_ts, now)),
    ),
    (
        "ticdc_processor_resolved_ts",
        "gauge",
        "local resolved ts of processor",
        |view, _| float(physical_ms(view.resolved_ts)),
    ),
    (
        "ticdc_processor_resolved_ts_lag",
        "gauge",
        "local resolved ts lag of processor",
        |view, now| seconds(lag_ms(view.resolved_ts, now)),
    ),
    (
        "ticdc_processor_num_of_tables",
        "gauge",
        "number of synchronized table of processor",
        |view, _| float(view.tables.len() as u64),
    ),
    (
        "ticdc_processor_exit_with_error_count",
        "counter",
        "counter for processor exits with error",
        |view, _| float(view.errors),
    ),
    (
        "ticdc_sink_total_rows_count",
        "gauge",
        "The total count of messages sent",
        |view, _| float(view.messages),
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

pub(super) async fn metrics(State(server): State<Shared>) -> Response {
    let mut views = Vec::new();
    let mut capture = String::new();
    let owns = owner(&server);
    if let Ok((owner, id)) = &owns {
        // an owner that has just gone has no numbers
        views = owner.views().await.unwrap_or_default();
        capture.clone_from(id);
    }
    let now = server.upstream.tso().await.unwrap_or_default();
    let text = render(server.compat, &server.address, owns.is_ok(), &views, now);
    reply::text(StatusCode::OK, TEXT, text)
}

fn render(compat: Compat, address: &str, owns: bool, views: &[View], now: Ts) -> String {
    let mut out = String::new();
    let families: &[_] = match compat {
        Compat::V4_0_9 => &LEGACY,
        Compat::V6_5 | Compat::V8_5 => &MODERN,
    };
    if compat != Compat::V4_0_9 {
        head(
            &mut out,
            "ticdc_owner_ownership_counter",
            "counter",
            "The counter of ownership increases every 5 seconds on a owner capture",
        );
        let _ = writeln!(out, "ticdc_owner_ownership_counter {}", u8::from(owns));
    }
    for (name, kind, help, value) in families {
        if views.is_empty() {
            continue;
        }
        head(&mut out, name, kind, help);
        for view in views {
            let labels = match compat {
                Compat::V4_0_9 => {
                    format!("capture=\"{address}\",changefeed=\"{}\"", view.id.id)
                }
                Compat::V6_5 | Compat::V8_5 => format!(
                    "changefeed=\"{}\",namespace=\"{}\"",
                    view.id.id, view.id.namespace
                ),
            };
            let _ = writeln!(out, "{name}{{{labels}}} {}", value(view, now));
        }
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

//! A lab's status, for people and for programs.

use std::fmt::Write as _;

use super::{Failure, print};
use crate::lab::Status;

pub(super) fn json(status: &Status) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(status);
    print(&text.map_err(|error| Failure::broke(format!("print the status: {error}")))?)
}

pub(super) fn status(status: &Status) -> String {
    let head = [
        "component",
        "version",
        "",
        "state",
        "memory",
        "ready in",
        "endpoints",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for component in &status.components {
        let running = component.pid.is_some();
        let shown = |text: String| if running { text } else { String::new() };
        let endpoints: Vec<String> = component
            .endpoints
            .iter()
            .map(|(name, address)| format!("{name} {address}"))
            .collect();
        rows.push([
            component.name.clone(),
            component.version.clone(),
            component.implementation.clone(),
            component.state.clone(),
            shown(format!("{:.0} MB", component.rss_bytes as f64 / 1e6)),
            shown(format!("{:.1} s", component.ready_ms as f64 / 1e3)),
            endpoints.join(", "),
        ]);
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let memory: u64 = status
        .components
        .iter()
        .map(|component| component.rss_bytes)
        .sum();
    let mut text = format!(
        "lab {} ({}, {}): {}, {:.1} GB\n\n",
        status.name,
        status.profile,
        status.backend,
        status.state,
        memory as f64 / 1e9
    );
    for row in &rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Numbers stand to the right.
            let _ = match index {
                4 | 5 => write!(line, "{cell:>width$}  "),
                _ => write!(line, "{cell:width$}  "),
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for component in &status.components {
        if let Some(reason) = &component.reason {
            let _ = writeln!(
                text,
                "\n{}: {reason}; its log: {}",
                component.name,
                component.log.display()
            );
        }
    }
    for changefeed in &status.changefeeds {
        let (id, state, uri, lag) = (
            &changefeed.id,
            &changefeed.state,
            &changefeed.sink_uri,
            changefeed.lag_ms,
        );
        let _ = writeln!(
            text,
            "\nchangefeed {id}: {state}, {lag} ms behind, to {uri}"
        );
    }
    if let Some(error) = &status.changefeeds_error {
        let _ = writeln!(text, "\nchangefeeds: failed to {error}");
    }
    text
}

//! Holds `embedded tikv` and `embedded pd` to what a real TiKV and PD answered to the same requests.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod replay;
mod report;

use replay::run::Replay;
use replay::servers::Servers;
use replay::{recording, synthetic};

/// In the order in which they were recorded: each file's regions stand beside those of the files before.
const FILES: [&str; 18] = [
    "01-optimistic-live",
    "02-incremental-scan",
    "03-pessimistic",
    "04-1pc-async-commit",
    "05-rollback-resolve",
    "06-resolved-ts-stuck",
    "07-split-merge",
    "08-errors",
    "09-large-values",
    "10-many-keys",
    "11-timestamps",
    "12-txn-source-filter-loop",
    "13-pd",
    "15-congestion",
    "16-store-stop-restart",
    "14-many-regions-resolved-ts",
    "17-old-value-flag",
    "18-overlapped-rollback",
];
/// The recorded store's settings.
const STORE: [&str; 2] = ["--cdc-min-ts-interval", "100ms"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_store_and_pd_answered_the_same() {
    let only = std::env::var("TIKV_FEED").unwrap_or_default();
    let cluster = recording(FILES[0])[0]["cluster_id"].as_u64().unwrap();
    let mut replay = Replay::start(Servers::start(1, &STORE).await, cluster).await;
    for name in FILES
        .iter()
        .filter(|name| only.split(',').any(|only| name.starts_with(only)))
    {
        let started = std::time::Instant::now();
        let lines = match &name[..2] {
            "10" => synthetic::requests_from_events(recording(name), "v2"),
            "15" => synthetic::congesting_puts(recording(name)),
            _ => recording(name),
        };
        replay.file(name, lines).await;
        println!("{name}: {} ms", started.elapsed().as_millis());
    }
    replay.report.finish(
        "exchanges with TiKV and PD",
        if only.is_empty() { 1450 } else { 1 },
    );
}

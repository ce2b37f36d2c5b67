//! The status port, as far as tools read TiKV's.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::store::Store;
use super::{Args, test_api};
use crate::client::Client;

struct Shared {
    store: Arc<Store>,
    args: Args,
}

/// The routes.
pub(crate) fn router(store: Arc<Store>, pd: Client, args: &Args) -> Router {
    let shared = Arc::new(Shared {
        store: store.clone(),
        args: args.clone(),
    });
    Router::new()
        .route("/status", get(status))
        .route("/config", get(config).post(change_config))
        .route("/metrics", get(metrics))
        .with_state(shared)
        .nest("/test", test_api::router(store, pd))
}

/// Changes settings while the store runs; the names are TiKV's.
async fn change_config(State(shared): State<Arc<Shared>>, Json(wanted): Json<Value>) -> Response {
    match shared.store.settings.change(&wanted) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("failed to {error}\n")).into_response(),
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let (subscriptions, locks) = shared.store.hub.counts();
    Json(json!({
        "version": shared.args.version,
        "embedded": true,
        "cluster_id": shared.store.cluster_id,
        "store_ids": shared.store.ids,
        "regions": shared.store.regions.all().len(),
        "locks": locks,
        "gc_safe_point": shared.store.collected.load(Ordering::Relaxed),
        "subscriptions": subscriptions,
    }))
}

async fn config(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let args = &shared.args;
    Json(json!({
        "server": {
            "addr": args.addr.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            "status-addr": args.status_addr.to_string(),
        },
        "storage": { "data-dir": args.data_dir.display().to_string(), "api-version": 1 },
        "pd": { "endpoints": [args.pd] },
        "cdc": {
            "min-ts-interval": format!("{}ms", shared.store.settings.tick().borrow().as_millis()),
            "sink-memory-quota": shared.store.hub.quota(),
        },
        "coprocessor": { "region-split-size": shared.store.settings.split_size() },
    }))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> String {
    let store = &shared.store;
    let (subscriptions, locks) = store.hub.counts();
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let as_u64 = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let rows = [
        ("tikv_reads_total", "counter", count(&store.counters.reads)),
        (
            "tikv_writes_total",
            "counter",
            count(&store.counters.writes),
        ),
        (
            "tikv_refused_total",
            "counter",
            count(&store.counters.refused),
        ),
        ("tikv_regions", "gauge", as_u64(store.regions.all().len())),
        ("tikv_locks", "gauge", as_u64(locks)),
        ("tikv_disk_bytes", "gauge", store.engine.disk_space()),
        ("tikv_cdc_subscriptions", "gauge", as_u64(subscriptions)),
        (
            "tikv_cdc_waiting_bytes",
            "gauge",
            as_u64(store.hub.waiting_bytes()),
        ),
    ];
    let mut text = String::new();
    for (name, kind, value) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
    }
    text
}

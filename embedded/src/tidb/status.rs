//! The status port, as far as tools read TiDB's.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::front::Shared;

/// What `GET /status` answers.
#[derive(Debug, Serialize)]
struct Status {
    connections: usize,
    version: String,
    git_hash: &'static str,
}

/// The routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/status", get(status))
        .with_state(shared)
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(Status {
        connections: shared.connections.load(Ordering::Relaxed),
        version: shared.server_version.clone(),
        git_hash: "None",
    })
}

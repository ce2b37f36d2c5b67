//! The HTTP API of a server: v2 and what is left of v1 (since v5), v4.0.9's, and metrics.

mod changefeeds;
mod cluster;
mod error;
mod forward;
mod legacy;
mod metrics;
pub mod model;
mod reply;
mod upstream;
mod v1;

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};

pub(crate) use self::forward::root as root_cause;
pub use self::{error::ErrorBody, reply::HINT};
use crate::{compat::Compat, server::Server};

type Shared = Arc<Server>;

/// All endpoints of a server, by its release.
pub fn router(server: Shared) -> Router {
    let router = match server.compat() {
        Compat::V4_0_9 => legacy::router(),
        Compat::V6_5 | Compat::V8_5 => modern(&server),
    };
    router
        .route("/status", get(cluster::bare_status))
        .route("/metrics", get(metrics::metrics))
        .fallback(not_found)
        .with_state(server)
}

async fn not_found() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain")];
    (StatusCode::NOT_FOUND, kind, "404 page not found").into_response()
}

fn modern(server: &Shared) -> Router<Shared> {
    let of_owner = Router::new()
        .route(
            "/api/v2/changefeeds",
            get(changefeeds::list).post(changefeeds::create),
        )
        .route(
            "/api/v2/changefeeds/{id}",
            get(changefeeds::get)
                .put(changefeeds::update)
                .delete(changefeeds::remove),
        )
        .route("/api/v2/changefeeds/{id}/meta_info", get(changefeeds::get))
        .route("/api/v2/changefeeds/{id}/status", get(changefeeds::status))
        .route("/api/v2/changefeeds/{id}/synced", get(changefeeds::synced))
        .route("/api/v2/changefeeds/{id}/pause", post(changefeeds::pause))
        .route("/api/v2/changefeeds/{id}/resume", post(changefeeds::resume))
        .route("/api/v2/processors", get(cluster::processors))
        .route("/api/v2/processors/{id}/{capture}", get(cluster::processor))
        .route("/api/v2/captures/{id}/drain", post(cluster::drain))
        .route("/api/v2/owner/resign", post(cluster::resign))
        .merge(v1::of_owner())
        .route_layer(middleware::from_fn_with_state(
            Arc::clone(server),
            forward::to_owner,
        ));
    Router::new()
        .merge(of_owner)
        .route("/api/v2/status", get(cluster::status))
        .route("/api/v1/status", get(cluster::status))
        .route("/api/v2/health", get(cluster::health))
        .route("/api/v1/health", get(v1::health))
        .route("/api/v2/captures", get(cluster::captures))
        .route("/api/v1/captures", get(v1::captures))
        .route("/api/v2/tso", post(cluster::tso))
        .route("/api/v2/verify_table", post(changefeeds::verify_table))
        .route("/api/v2/log", post(cluster::log))
        .route("/api/v1/log", post(v1::log))
        .route("/api/v2/unsafe/metadata", get(cluster::metadata))
        .route(
            "/api/v2/unsafe/service_gc_safepoint",
            delete(cluster::delete_safepoint),
        )
        .route("/api/v2/unsafe/resolve_lock", post(cluster::resolve_lock))
        .route("/debug/info", get(cluster::debug_info))
}

//! What is left of `/api/v1` since v5.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};

use super::{
    Shared,
    changefeeds::{self, Reply, is_listed, modern, owner, parse, tasks},
    cluster,
    model::{Common, ProcessorTables, ShownError, TaskStatus, masked},
    reply::Indented,
};
use crate::{
    changefeed::{clock::ts_text, info::State as FeedState, keys::Id, spread::lead::Wish},
    model::Ts,
};

pub(super) fn of_owner() -> Router<Shared> {
    Router::new()
        .route("/api/v1/changefeeds", get(list))
        .route("/api/v1/changefeeds/{id}", get(detail).delete(remove))
        .route("/api/v1/changefeeds/{id}/pause", post(pause))
        .route("/api/v1/changefeeds/{id}/resume", post(resume))
        .route("/api/v1/processors", get(processors))
        .route("/api/v1/processors/{id}/{capture}", get(processor))
        .route(
            "/api/v1/changefeeds/{id}/tables/rebalance_table",
            post(rebalance),
        )
        .route(
            "/api/v1/changefeeds/{id}/tables/move_table",
            post(move_table),
        )
        .route("/api/v1/captures/drain", put(drain))
        .route("/api/v1/owner/resign", post(resign))
}

pub(super) async fn health(State(server): State<Shared>) -> Reply {
    match server.current() {
        Some(_) => Ok(StatusCode::OK.into_response()),
        None => Err(super::forward::not_ready().into()),
    }
}

pub(super) async fn captures(State(server): State<Shared>) -> Reply {
    Ok(Indented(cluster::list_captures(&server).await?).into_response())
}

pub(super) async fn log(State(server): State<Shared>, body: Bytes) -> Reply {
    cluster::set_log(&server, &body)?;
    Ok(StatusCode::OK.into_response())
}

#[derive(Debug, Deserialize)]
struct Wanted {
    state: Option<String>,
}

async fn list(State(server): State<Shared>, Query(wanted): Query<Wanted>) -> Reply {
    let (owner, _) = owner(&server)?;
    let views = owner.views().await?;
    let items: Vec<Common> = views
        .iter()
        .filter(|view| is_listed(view.state, wanted.state.as_deref()))
        .map(Into::into)
        .collect();
    Ok(Indented(items).into_response())
}

#[derive(Serialize)]
struct Detail {
    upstream_id: u64,
    namespace: String,
    id: String,
    sink_uri: String,
    create_time: String,
    start_ts: Ts,
    resolved_ts: Ts,
    target_ts: Ts,
    checkpoint_tso: Ts,
    checkpoint_time: String,
    sort_engine: &'static str,
    state: FeedState,
    error: Option<ShownError>,
    error_history: Option<Vec<i64>>,
    creator_version: String,
    task_status: Vec<TaskStatus>,
}

async fn detail(State(server): State<Shared>, Path(id): Path<String>) -> Reply {
    let (owner, _) = owner(&server)?;
    let view = owner.view(&Id::default(&id)).await?;
    let info = modern(&view)?;
    let detail = Detail {
        upstream_id: info.upstream_id,
        namespace: info.namespace.clone(),
        id: info.id.clone(),
        sink_uri: masked(&info.sink_uri),
        create_time: info.create_time.local_text(),
        start_ts: info.start_ts,
        resolved_ts: view.resolved_ts,
        target_ts: info.target_ts,
        checkpoint_tso: view.position.checkpoint_ts,
        checkpoint_time: ts_text(view.position.checkpoint_ts),
        sort_engine: "unified",
        state: view.state,
        error: view.meta.shown_error().map(Into::into),
        error_history: None,
        creator_version: info.creator_version.clone(),
        task_status: tasks(&view),
    };
    Ok(Indented(detail).into_response())
}

/// Accepted, with nothing to say.
fn accepted(outcome: Result<(), crate::coded::Coded>) -> Reply {
    outcome?;
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn pause(State(server): State<Shared>, Path(id): Path<String>) -> Reply {
    accepted(owner(&server)?.0.pause(&Id::default(&id)).await)
}

async fn resume(
    server: State<Shared>,
    id: Path<String>,
    scope: Query<changefeeds::Scope>,
) -> Reply {
    changefeeds::resume(server, id, scope, Bytes::new()).await?;
    accepted(Ok(()))
}

async fn remove(State(server): State<Shared>, Path(id): Path<String>) -> Reply {
    accepted(owner(&server)?.0.remove(&Id::default(&id), false).await)
}

async fn processors(State(server): State<Shared>) -> Reply {
    Ok(Indented(cluster::list_processors(&server).await?).into_response())
}

async fn processor(
    State(server): State<Shared>,
    Path((id, capture)): Path<(String, String)>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let mut view = owner.view(&Id::default(&id)).await?;
    let tables = ProcessorTables {
        table_ids: view.shares.remove(&capture).unwrap_or_default(),
    };
    Ok(Indented(tables).into_response())
}

async fn rebalance(State(server): State<Shared>, Path(id): Path<String>) -> Reply {
    let (owner, _) = owner(&server)?;
    accepted(owner.place(&Id::default(&id), Wish::Balance).await)
}

/// `capture_id` in the code of TiCDC, `target_capture_id` in its documentation.
#[derive(Debug, Deserialize)]
struct Move {
    #[serde(alias = "target_capture_id")]
    capture_id: String,
    table_id: i64,
}

async fn move_table(State(server): State<Shared>, Path(id): Path<String>, body: Bytes) -> Reply {
    let Move {
        capture_id,
        table_id,
    } = parse(&body)?;
    let (owner, _) = owner(&server)?;
    let wish = Wish::Move(table_id, capture_id);
    accepted(owner.place(&Id::default(&id), wish).await)
}

#[derive(Debug, Deserialize)]
struct Drain {
    capture_id: String,
}

async fn drain(State(server): State<Shared>, body: Bytes) -> Reply {
    let Drain { capture_id } = parse(&body)?;
    cluster::drain(State(server), Path(capture_id)).await
}

async fn resign(State(server): State<Shared>) -> Response {
    server.resign();
    StatusCode::ACCEPTED.into_response()
}

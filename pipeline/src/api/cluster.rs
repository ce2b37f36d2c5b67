//! Endpoints about the server and the cluster of captures.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    Shared,
    changefeeds::{Reply, owner, parse},
    error::ApiError,
    forward::not_ready,
    model::{
        Capture, Drained, KeyValue, List, Processor, ProcessorTables, ResolveLock, ServerStatus,
        Tso,
    },
    reply::{self, Indented, Json},
    upstream::is_ours,
};
use crate::{
    changefeed::{
        capture, election,
        keys::Id,
        owner::{View, not_exists},
    },
    coded::{Code, Coded},
    model::physical_ms,
    server::GIT_HASH,
};

fn etcd(error: crate::etcd::Error) -> Coded {
    Coded::wrap(Code::ErrPDEtcdAPIError, error)
}

fn server_status(server: &Shared) -> ServerStatus {
    let current = server.current();
    ServerStatus {
        version: server.release.to_string(),
        git_hash: GIT_HASH.to_owned(),
        is_owner: current.as_ref().is_some_and(|c| c.owner.is_some()),
        id: current.map(|current| current.id).unwrap_or_default(),
        cluster_id: server.cluster.clone(),
        pid: std::process::id(),
        liveness: 0,
    }
}

pub(super) async fn status(State(server): State<Shared>) -> Response {
    Indented(server_status(&server)).into_response()
}

#[derive(Serialize)]
struct BareStatus {
    version: String,
    git_hash: String,
    id: String,
    pid: u32,
    is_owner: bool,
}

/// `/status` of every release.
pub(super) async fn bare_status(State(server): State<Shared>) -> Response {
    let status = server_status(&server);
    let bare = BareStatus {
        version: status.version,
        git_hash: status.git_hash,
        id: status.id,
        pid: status.pid,
        is_owner: status.is_owner,
    };
    let body = reply::indented(&bare, " ");
    reply::text(StatusCode::OK, "application/json", body)
}

pub(super) async fn health(State(server): State<Shared>) -> Reply {
    match server.current() {
        Some(_) => Ok(reply::empty()),
        None => Err(not_ready().into()),
    }
}

/// All captures, the owner first.
pub(super) async fn list_captures(server: &Shared) -> Result<Vec<Capture>, Coded> {
    let owner = election::owner(&server.etcd, &server.keys)
        .await
        .map_err(etcd)?;
    // elected is not yet owning: this server knows of itself
    let starting = server
        .current()
        .filter(|current| current.owner.is_none())
        .map(|current| current.id);
    let mut captures: Vec<Capture> = capture::captures(&server.etcd, &server.keys)
        .await
        .map_err(etcd)?
        .into_iter()
        .map(|info| Capture {
            is_owner: Some(&info.id) == owner.as_ref() && Some(&info.id) != starting.as_ref(),
            id: info.id,
            address: info.address,
            cluster_id: server.cluster.clone(),
        })
        .collect();
    captures.sort_by(|a, b| (!a.is_owner, &a.id).cmp(&(!b.is_owner, &b.id)));
    Ok(captures)
}

pub(super) async fn captures(State(server): State<Shared>) -> Reply {
    let captures = list_captures(&server).await?;
    Ok(Json(List::from(captures)).into_response())
}

pub(super) async fn list_processors(server: &Shared) -> Result<Vec<Processor>, Coded> {
    let (owner, _) = owner(server)?;
    let views = owner.views().await?;
    let of = |view: &View| -> Vec<Processor> {
        let captures = view.shares.keys();
        captures
            .map(|capture| Processor::new(&view.id, capture))
            .collect()
    };
    Ok(views.iter().flat_map(of).collect())
}

pub(super) async fn processors(State(server): State<Shared>) -> Reply {
    let processors = list_processors(&server).await?;
    Ok(Json(List::from(processors)).into_response())
}

pub(super) async fn processor(
    State(server): State<Shared>,
    Path((id, capture)): Path<(String, String)>,
) -> Reply {
    let (owner, me) = owner(&server)?;
    let id = Id::default(&id);
    let mut view = owner.view(&id).await?;
    let share = view.shares.remove(&capture);
    if share.is_none() && capture != me {
        let captures = list_captures(&server).await?;
        if !captures.iter().any(|known| known.id == capture) {
            return Err(Coded::new(
                Code::ErrCaptureNotExist,
                format!("capture not exists, {capture}"),
            )
            .into());
        }
        return Err(not_exists(&id).into());
    }
    let tables = ProcessorTables {
        table_ids: share.unwrap_or_default(),
    };
    Ok(Json(tables).into_response())
}

/// Moves all tables away from a capture.
pub(super) async fn drain(State(server): State<Shared>, Path(capture): Path<String>) -> Reply {
    let (owner, _) = owner(&server)?;
    let drained = Drained {
        current_table_count: owner.drain(&capture).await?,
    };
    let mut response = Json(drained).into_response();
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

pub(super) async fn resign(State(server): State<Shared>) -> Response {
    server.resign();
    reply::empty()
}

pub(super) async fn tso(State(server): State<Shared>, body: Bytes) -> Reply {
    is_ours(&server, &body).await?;
    let ts = server
        .upstream
        .tso()
        .await
        .map_err(|error| Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}")))?;
    let parts = Tso {
        timestamp: physical_ms(ts),
        logic_time: ts & 0x3_ffff,
    };
    Ok(Indented(parts).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogRequest {
    log_level: String,
}

/// Changes the level of the log.
pub(super) fn set_log(server: &Shared, body: &Bytes) -> Result<(), ApiError> {
    let request: LogRequest = parse(body)?;
    if server.log_level.set(&request.log_level) {
        return Ok(());
    }
    Err(Coded::new(
        Code::ErrAPIInvalidParam,
        format!("fail to change log level: {}", request.log_level),
    )
    .into())
}

pub(super) async fn log(State(server): State<Shared>, body: Bytes) -> Reply {
    set_log(&server, &body)?;
    Ok(reply::empty())
}

/// All keys of this cluster of captures.
pub(super) async fn all_keys(server: &Shared) -> Result<Vec<KeyValue>, Coded> {
    let prefix = format!("{}/", server.keys.base());
    let (pairs, _) = server.etcd.list(&prefix).await.map_err(etcd)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(pairs
        .iter()
        .map(|pair| KeyValue {
            key: text(&pair.key),
            value: text(&pair.value),
        })
        .collect())
}

pub(super) async fn metadata(State(server): State<Shared>) -> Reply {
    Ok(Indented(all_keys(&server).await?).into_response())
}

pub(super) async fn delete_safepoint(State(server): State<Shared>, body: Bytes) -> Reply {
    is_ours(&server, &body).await?;
    server
        .safepoints
        .release()
        .await
        .map_err(|error| Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}")))?;
    Ok(reply::empty())
}

/// Resolves the locks of a region that its transactions left behind.
pub(super) async fn resolve_lock(State(server): State<Shared>, body: Bytes) -> Reply {
    let ResolveLock { region_id, ts } = parse(&body)?;
    is_ours(&server, &body).await?;
    let locks = server
        .upstream
        .resolve_locks(region_id, ts)
        .await
        .map_err(|error| Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}")))?;
    tracing::info!(region_id, ts, locks, "locks are resolved by hand");
    Ok(reply::empty())
}

/// Everything about changefeeds and etcd, for people.
pub(super) async fn debug_info(State(server): State<Shared>) -> Reply {
    let mut out = String::from("\n\n*** owner info ***:\n\n");
    let views = match owner(&server) {
        Ok((owner, _)) => owner.views().await?,
        Err(_) => Vec::new(),
    };
    for view in &views {
        let info = view.meta.encode().unwrap_or_default();
        out.push_str(&format!(
            "{{\n ID: {}\n info: {}\n state: {}\n checkpoint-ts: {}\n resolved-ts: {}\n}}\n",
            view.id.id,
            hidden(&info, view.meta.sink_uri()),
            view.state.as_str(),
            view.position.checkpoint_ts,
            view.resolved_ts,
        ));
    }
    out.push_str("\n\n\n\n*** processors info ***:\n\n");
    for view in views.iter().filter(|view| view.running) {
        out.push_str(&format!("changefeedID: {}\n", view.id.id));
        for table in &view.tables {
            out.push_str(&format!(
                "\ttable id: {table}, resolveTS: {}\n",
                view.resolved_ts
            ));
        }
    }
    out.push_str("\n\n\n\n*** etcd info ***:\n\n");
    for pair in all_keys(&server).await? {
        out.push_str(&format!("{}\n\t{}\n\n", pair.key, pair.value));
    }
    Ok(reply::text(StatusCode::OK, reply::PLAIN, out))
}

/// The sink URI may hold passwords.
fn hidden(json: &str, uri: &str) -> String {
    let shown = crate::config::golang::json(uri).unwrap_or_default();
    json.replace(&shown, "\"***\"")
}

//! `/api/v2/changefeeds` and `/api/v2/verify_table`.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Shared,
    error::ApiError,
    model::{ChangefeedInfo, ChangefeedStatus, Common, List, Synced, TaskStatus},
    reply::{self, Json},
    upstream::is_ours,
};
use crate::{
    changefeed::{
        clock::{lag_ms, ts_text},
        create::{self, Checker},
        gc::Purpose,
        info::{Info, State as FeedState},
        keys::{DEFAULT_NAMESPACE, Id},
        owner::{self, View, not_exists},
        state::{Meta, Position},
        update,
    },
    coded::{Code, Coded},
    config::replica::api::SyncedStatus,
    model::{Ts, compose_ts, physical_ms},
};

pub(super) type Reply = Result<Response, ApiError>;

#[derive(Debug, Deserialize)]
pub(super) struct Scope {
    namespace: Option<String>,
    state: Option<String>,
}

impl Scope {
    fn namespace(&self) -> &str {
        match self.namespace.as_deref() {
            None | Some("") => DEFAULT_NAMESPACE,
            Some(name) => name,
        }
    }

    pub(super) fn id(&self, id: &str) -> Id {
        Id::new(self.namespace(), id)
    }
}

/// The owner on this server: the layer before has made sure that it is here, unless it has just gone.
pub(super) fn owner(server: &Shared) -> Result<(owner::Handle, String), Coded> {
    let current = server.current().ok_or_else(super::forward::not_ready)?;
    current
        .owner
        .map(|owner| (owner, current.id))
        .ok_or_else(|| Coded::new(Code::ErrOwnerNotFound, "owner not found"))
}

/// The body of a request; none at all counts as empty.
pub(super) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let body: &[u8] = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    serde_json::from_slice(body).map_err(|error| ApiError::param(&error))
}

fn checker(server: &Shared) -> Checker<'_> {
    Checker {
        release: server.release,
        upstream: &server.upstream,
        safepoints: &server.safepoints,
    }
}

/// What v2 speaks of is never of v4.0.9.
pub(super) fn modern(view: &View) -> Result<&Info, Coded> {
    match &view.meta {
        Meta::Modern(info) => Ok(info),
        Meta::Legacy(_) => Err(not_exists(&view.id)),
    }
}

/// Whether a list that asks for `wanted` shows this state.
pub(super) fn is_listed(state: FeedState, wanted: Option<&str>) -> bool {
    match wanted {
        None | Some("") => !matches!(state, FeedState::Finished | FeedState::Removed),
        Some("all") => true,
        Some(wanted) => state.shown().as_str() == wanted,
    }
}

pub(super) async fn list(State(server): State<Shared>, Query(scope): Query<Scope>) -> Reply {
    let (owner, _) = owner(&server)?;
    let views = owner.views().await?;
    let namespace = scope.namespace.as_deref().filter(|name| !name.is_empty());
    let items: Vec<Common> = views
        .iter()
        .filter(|view| namespace.is_none_or(|name| view.id.namespace == name))
        .filter(|view| is_listed(view.state, scope.state.as_deref()))
        .map(Into::into)
        .collect();
    Ok(Json(List::from(items)).into_response())
}

pub(super) async fn create(State(server): State<Shared>, body: Bytes) -> Reply {
    let request: create::Request = parse(&body)?;
    is_ours(&server, &body).await?;
    let (owner, _) = owner(&server)?;
    let (id, info, hints) = checker(&server).create(&owner, request).await?;
    let start_ts = info.start_ts;
    let shown = ChangefeedInfo::new(&info, start_ts, start_ts);
    owner
        .insert(&id, Meta::Modern(Box::new(info)), Position::start(start_ts))
        .await?;
    Ok(reply::with_hints(Json(shown).into_response(), &hints))
}

pub(super) async fn verify_table(State(server): State<Shared>, body: Bytes) -> Reply {
    let request = parse(&body)?;
    is_ours(&server, &body).await?;
    let tables = checker(&server).verify_tables(request).await?;
    Ok(Json(tables).into_response())
}

pub(super) async fn get(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let view = owner.view(&scope.id(&id)).await?;
    let mut info = modern(&view)?.clone();
    info.config.forget_unused();
    let mut shown = ChangefeedInfo::new(&info, view.position.checkpoint_ts, view.resolved_ts);
    shown.task_status = tasks(&view);
    Ok(Json(shown).into_response())
}

pub(super) fn tasks(view: &View) -> Vec<TaskStatus> {
    let task = |(capture, tables): (&String, &Vec<i64>)| TaskStatus {
        capture_id: capture.clone(),
        table_ids: tables.clone(),
    };
    view.shares.iter().map(task).collect()
}

pub(super) async fn status(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let view = owner.view(&scope.id(&id)).await?;
    let info = modern(&view)?;
    let shown = ChangefeedStatus {
        state: view.state,
        resolved_ts: view.resolved_ts,
        checkpoint_ts: view.position.checkpoint_ts,
        last_error: info.error.as_ref().map(Into::into),
        last_warning: info.warning.as_ref().map(Into::into),
    };
    Ok(Json(shown).into_response())
}

pub(super) async fn synced(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let view = owner.view(&scope.id(&id)).await?;
    let rules = modern(&view)?.config.synced_status.clone();
    let rules = rules.map_or_else(SyncedStatus::default, Into::into);
    let now = server.upstream.tso().await.map_err(unreachable)?;
    Ok(Json(synced_of(&view, &rules, now)).into_response())
}

fn unreachable(error: crate::upstream::Error) -> Coded {
    Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}"))
}

fn synced_of(view: &View, rules: &SyncedStatus, now: Ts) -> Synced {
    let seconds = |number: i64| u64::try_from(number).unwrap_or_default() * 1000;
    let checkpoint = view.position.checkpoint_ts;
    let quiet = lag_ms(view.last_synced_ts, now) > seconds(rules.synced_check_interval);
    let close = lag_ms(checkpoint, now) < seconds(rules.checkpoint_interval);
    let info = match (quiet, close) {
        (true, true) => "Data syncing is finished",
        (true, false) => {
            "Please check whether PD is online and TiKV Regions are all available. If PD is offline or some TiKV \
             regions are not available, it means that the data syncing process is complete. To check whether TiKV \
             regions are all available, you can view 'TiKV-Details' > 'Resolved-Ts' > 'Max Leader Resolved TS gap' on \
             Grafana. If the gap is large, such as a few minutes, it means that some regions in TiKV are unavailable. \
             Otherwise, if the gap is small and PD is online, it means the data syncing is incomplete, so please wait"
        }
        (false, _) => "The data syncing is not finished, please wait",
    };
    Synced {
        synced: quiet && close,
        sink_checkpoint_ts: ts_text(checkpoint),
        puller_resolved_ts: ts_text(view.resolved_ts),
        last_synced_ts: ts_text(view.last_synced_ts),
        // PD's clock is shown by the second
        now_ts: ts_text(compose_ts(physical_ms(now) / 1000 * 1000, 0)),
        info: info.to_owned(),
    }
}

pub(super) async fn update(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
    body: Bytes,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let id = scope.id(&id);
    let view = owner.view(&id).await?;
    let old = modern(&view)?;
    if !matches!(view.state, FeedState::Stopped | FeedState::Failed) {
        return Err(update::running().into());
    }
    is_ours(&server, &body).await?;
    let body: &[u8] = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        &body
    };
    let request = update::parse(body).map_err(|error| ApiError::param(&error))?;
    let info = update::apply(old, request, server.compat()).await?;
    let shown = ChangefeedInfo::new(&info, view.position.checkpoint_ts, 0);
    owner.update(&id, Meta::Modern(Box::new(info))).await?;
    Ok(Json(shown).into_response())
}

pub(super) async fn remove(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    match owner.remove(&scope.id(&id), false).await {
        Err(error) if error.code() != Code::ErrChangeFeedNotExists => Err(error.into()),
        _ => Ok(reply::empty()),
    }
}

pub(super) async fn pause(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
) -> Reply {
    let (owner, _) = owner(&server)?;
    owner.pause(&scope.id(&id)).await?;
    Ok(reply::empty())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resume {
    overwrite_checkpoint_ts: Ts,
}

pub(super) async fn resume(
    State(server): State<Shared>,
    Path(id): Path<String>,
    Query(scope): Query<Scope>,
    body: Bytes,
) -> Reply {
    let (owner, _) = owner(&server)?;
    let id = scope.id(&id);
    let view = owner.view(&id).await?;
    let request: Resume = parse(&body)?;
    is_ours(&server, &body).await?;
    let overwrite =
        (request.overwrite_checkpoint_ts != 0).then_some(request.overwrite_checkpoint_ts);
    let from = overwrite.unwrap_or(view.position.checkpoint_ts);
    if overwrite.is_some() {
        let now = server.upstream.tso().await.map_err(unreachable)?;
        if from > now {
            return Err(Coded::new(
                Code::ErrAPIInvalidParam,
                format!("invalid checkpoint-ts {from}, larger than current tso {now}"),
            )
            .into());
        }
    }
    let resumed = async {
        server
            .safepoints
            .ensure(&id, Purpose::Resuming, from)
            .await?;
        owner.resume(&id, overwrite).await
    };
    let resumed = resumed.await;
    if resumed.is_err()
        && let Err(error) = server.safepoints.undo(&id, Purpose::Resuming).await
    {
        tracing::warn!(%error, "failed to let a GC safepoint go, it expires");
    }
    resumed?;
    Ok(reply::empty())
}

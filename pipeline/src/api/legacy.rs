//! v4.0.9's HTTP endpoints.

use std::collections::HashMap;

use axum::{
    Form, Router,
    body::Bytes,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
    routing::{any, get},
};

use super::{Shared, cluster, reply};
use crate::{
    changefeed::{
        info::AdminJob,
        keys::Id,
        legacy::{JobStatus, LegacyInfo, Summary},
        owner,
        spread::lead::Wish,
    },
    coded::{Code, Coded},
};

/// The header's word for the type of JSON here.
const JSON: &str = "application/json";

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/debug/info", get(cluster::debug_info))
        .route("/capture/owner/resign", any(resign))
        .route("/capture/owner/admin", any(admin))
        .route("/capture/owner/changefeed/query", any(query))
        .route("/capture/owner/rebalance_trigger", any(rebalance))
        .route("/capture/owner/move_table", any(move_table))
        .route("/admin/log", any(log))
}

fn refuse(status: StatusCode, reason: impl std::fmt::Display) -> Response {
    reply::text(status, reply::PLAIN, reason.to_string())
}

fn bad(reason: impl std::fmt::Display) -> Response {
    refuse(StatusCode::BAD_REQUEST, reason)
}

/// `{"status": true}`, or why not.
fn common(outcome: Result<(), Coded>) -> Response {
    #[derive(serde::Serialize)]
    struct Common {
        status: bool,
        message: String,
    }
    let body = Common {
        status: outcome.is_ok(),
        message: outcome.err().map(|e| e.to_string()).unwrap_or_default(),
    };
    reply::text(StatusCode::OK, JSON, reply::indented(&body, " "))
}

type Fields = Result<Form<HashMap<String, String>>, FormRejection>;

/// The fields of a form that is posted to the owner.
fn posted(
    server: &Shared,
    method: &axum::http::Method,
    form: Fields,
) -> Result<(owner::Handle, HashMap<String, String>), Box<Response>> {
    if *method != axum::http::Method::POST {
        let reason = Coded::new(
            Code::ErrSupportPostOnly,
            "this api supports POST method only",
        );
        return Err(Box::new(bad(reason)));
    }
    let owner = server
        .current()
        .and_then(|current| current.owner)
        .ok_or_else(|| Box::new(bad("election: not leader")))?;
    // no form at all is a form without fields
    Ok((owner, form.map(|Form(fields)| fields).unwrap_or_default()))
}

fn invalid(reason: impl std::fmt::Display) -> Response {
    bad(Coded::wrap(Code::ErrAPIInvalidParam, reason))
}

/// The changefeed that a form names.
fn changefeed(fields: &HashMap<String, String>) -> Result<Id, Box<Response>> {
    let id = fields.get("cf-id").map(String::as_str).unwrap_or_default();
    if id.is_empty() {
        return Err(Box::new(invalid("invalid changefeed id: ")));
    }
    Ok(Id::default(id))
}

/// As [`posted`], of a form that names a changefeed.
fn posted_of(
    server: &Shared,
    method: &axum::http::Method,
    form: Fields,
) -> Result<(owner::Handle, HashMap<String, String>, Id), Box<Response>> {
    let (owner, fields) = posted(server, method, form)?;
    let id = changefeed(&fields)?;
    Ok((owner, fields, id))
}

async fn resign(
    State(server): State<Shared>,
    method: axum::http::Method,
    form: Fields,
) -> Response {
    match posted(&server, &method, form) {
        Ok(_) => {
            server.resign();
            common(Ok(()))
        }
        Err(response) => *response,
    }
}

async fn admin(State(server): State<Shared>, method: axum::http::Method, form: Fields) -> Response {
    let (owner, fields) = match posted(&server, &method, form) {
        Ok(posted) => posted,
        Err(response) => return *response,
    };
    let given = fields
        .get("admin-job")
        .map(String::as_str)
        .unwrap_or_default();
    let job = match crate::config::golang::atoi(given) {
        Ok(number) => i32::try_from(number)
            .ok()
            .and_then(|n| AdminJob::try_from(n).ok()),
        Err(_) => return invalid(format!("invalid admin job type: {given}")),
    };
    let id = match changefeed(&fields) {
        Ok(id) => id,
        Err(response) => return *response,
    };
    let force = fields
        .get("force-remove")
        .is_some_and(|force| force == "true");
    let outcome = match job {
        Some(AdminJob::Stop) => owner.pause(&id).await,
        Some(AdminJob::Resume) => owner.resume(&id, None).await,
        Some(AdminJob::Remove) => match owner.remove(&id, force).await {
            Err(error) if error.code() == Code::ErrChangeFeedNotExists && force => {
                forget(&server, &id).await
            }
            outcome => outcome,
        },
        _ => return invalid(format!("invalid admin job type: {given}")),
    };
    match outcome {
        // orders for what is not there are taken without a word
        Err(error) if error.code() == Code::ErrChangeFeedNotExists => common(Ok(())),
        outcome => common(outcome),
    }
}

/// Removes what is kept of a changefeed that was removed.
async fn forget(server: &Shared, id: &Id) -> Result<(), Coded> {
    let status = server.keys.status(id);
    match server.etcd.delete(&status).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Coded::wrap(Code::ErrPDEtcdAPIError, error)),
    }
}

async fn query(State(server): State<Shared>, method: axum::http::Method, form: Fields) -> Response {
    let (owner, _, id) = match posted_of(&server, &method, form) {
        Ok(posted) => posted,
        Err(response) => return *response,
    };
    match summary(&server, &owner, &id).await {
        Ok(summary) => reply::text(StatusCode::OK, JSON, reply::indented(&summary, " ")),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

async fn summary(server: &Shared, owner: &owner::Handle, id: &Id) -> Result<Summary, Coded> {
    let kept = async {
        let pair = server.etcd.get(&server.keys.status(id)).await;
        pair.map_err(|error| Coded::wrap(Code::ErrPDEtcdAPIError, error))
    };
    let (info, status): (Option<LegacyInfo>, Option<JobStatus>) = match owner.view(id).await {
        Ok(view) => {
            let status = JobStatus {
                resolved_ts: view.position.resolved_ts,
                checkpoint_ts: view.position.checkpoint_ts,
                admin_job_type: view.meta.admin_job(),
            };
            match view.meta {
                crate::changefeed::state::Meta::Legacy(info) => (Some(*info), Some(status)),
                crate::changefeed::state::Meta::Modern(_) => (None, Some(status)),
            }
        }
        Err(error) if error.code() == Code::ErrChangeFeedNotExists => {
            let pair = kept.await?;
            let status = pair.and_then(|pair| serde_json::from_slice(&pair.value).ok());
            (None, status)
        }
        Err(error) => return Err(error),
    };
    Ok(Summary::new(info.as_ref(), status.as_ref()))
}

async fn rebalance(
    State(server): State<Shared>,
    method: axum::http::Method,
    form: Fields,
) -> Response {
    match posted_of(&server, &method, form) {
        Ok((owner, _, id)) => placed(owner.place(&id, Wish::Balance).await),
        Err(response) => *response,
    }
}

async fn move_table(
    State(server): State<Shared>,
    method: axum::http::Method,
    form: Fields,
) -> Response {
    let (owner, fields, id) = match posted_of(&server, &method, form) {
        Ok(posted) => posted,
        Err(response) => return *response,
    };
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let (capture, table) = (field("target-cp-id"), field("table-id"));
    if capture.is_empty() {
        return invalid(format!("invalid target capture id: {capture}"));
    }
    match crate::config::golang::atoi(table) {
        Ok(table) => placed(
            owner
                .place(&id, Wish::Move(table, capture.to_owned()))
                .await,
        ),
        Err(_) => invalid(format!("invalid tableID: {table}")),
    }
}

/// Orders for changefeeds that are not there are taken without a word.
fn placed(outcome: Result<(), Coded>) -> Response {
    match outcome {
        Err(error) if error.code() == Code::ErrChangeFeedNotExists => common(Ok(())),
        outcome => common(outcome),
    }
}

async fn log(State(server): State<Shared>, body: Bytes) -> Response {
    let refused = |reason: &str| {
        bad(Coded::new(
            Code::ErrAPIInvalidParam,
            format!("invalid log level: {reason}"),
        ))
    };
    if body.trim_ascii().is_empty() {
        return refused("unexpected end of JSON input");
    }
    match serde_json::from_slice::<String>(&body) {
        Ok(level) if server.log_level.set(&level) => common(Ok(())),
        Ok(level) => refused(&format!("unrecognized level: {level:?}")),
        Err(error) => refused(&error.to_string()),
    }
}

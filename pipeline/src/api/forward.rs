//! Requests that only the owner can answer are passed on to it.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, Response as HttpResponse, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Shared, error::ApiError};
use crate::coded::{Code, Coded};

const FROM: HeaderName = HeaderName::from_static("ticdc-forwardfromcapture");
const TIMES: HeaderName = HeaderName::from_static("ticdc-forwardtimes");
/// So many servers may pass a request on.
const MAX_TIMES: u32 = 2;
/// The largest body passed on.
const MAX_BODY: usize = 4 << 20;

/// Answers here if this server owns, else at the owner.
pub(super) async fn to_owner(
    State(server): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let Some(current) = server.current() else {
        return ApiError::from(not_ready()).into_response();
    };
    if current.owner.is_some() {
        return next.run(request).await;
    }
    match pass_on(&server, &current.id, request).await {
        Ok(response) => response,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// What a server says that has no session.
pub(super) fn not_ready() -> Coded {
    Coded::new(Code::ErrServerIsNotReady, "cdc server is not ready")
}

async fn pass_on(server: &Shared, capture: &str, request: Request) -> Result<Response, Coded> {
    let failed = |reason: String| Coded::wrap(Code::ErrRequestForwardErr, reason);
    let times = request
        .headers()
        .get(TIMES)
        .and_then(|times| times.to_str().ok()?.parse::<u32>().ok())
        .unwrap_or_default();
    if times >= MAX_TIMES {
        return Err(failed("request forward, capture loop".to_owned()));
    }
    let owner = server.owner_address().await?;
    if owner == server.address {
        // elected, and about to own
        return Err(Coded::new(Code::ErrOwnerNotFound, "owner not found"));
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let mut onward = server
        .http
        .request(parts.method, format!("http://{owner}{path}"))
        .header(FROM, capture)
        .header(TIMES, times + 1)
        .body(body);
    if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
        onward = onward.header(header::CONTENT_TYPE, kind);
    }
    let answer = onward
        .send()
        .await
        .map_err(|error| failed(format!("{owner}: {}", root(&error))))?;
    let mut response = HttpResponse::builder()
        .status(StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY));
    for (name, value) in answer.headers() {
        if name == header::CONTENT_TYPE || name.as_str() == super::HINT {
            response = response.header(name, value);
        }
    }
    let body = answer
        .bytes()
        .await
        .map_err(|error| failed(error.to_string()))?;
    response
        .body(Body::from(body))
        .map_err(|error| failed(error.to_string()))
}

/// The innermost cause of an error.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

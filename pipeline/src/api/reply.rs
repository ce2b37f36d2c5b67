//! Replies as Go writes them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::config::golang;

/// The type of JSON from the API's framework.
pub(super) const JSON: &str = "application/json; charset=utf-8";
/// The type of text.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
/// A header with a hint that the command line shows on standard error; not of TiCDC.
pub const HINT: &str = "cdc-hint";

pub(super) fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// JSON with an indent; what is written here always has a JSON form.
pub(super) fn indented<T: Serialize>(value: &T, indent: &str) -> String {
    golang::json_indented(value, indent).unwrap_or_default()
}

/// A compact JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let body = golang::json(&self.0).unwrap_or_default();
        text(StatusCode::OK, JSON, body)
    }
}

/// A JSON body indented by four.
pub(super) struct Indented<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Indented<T> {
    fn into_response(self) -> Response {
        text(StatusCode::OK, JSON, indented(&self.0, "    "))
    }
}

/// `{}`.
pub(super) fn empty() -> Response {
    text(StatusCode::OK, JSON, "{}".to_owned())
}

/// Adds hints for the user.
pub(super) fn with_hints(mut response: Response, hints: &[String]) -> Response {
    for hint in hints {
        // a hint with characters that no header takes is left out
        if let Ok(value) = HeaderValue::from_str(hint) {
            response.headers_mut().append(HINT, value);
        }
    }
    response
}

//! Errors of the API: which status a code has, and the body.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::reply;
use crate::coded::{Code, Coded};

/// Codes that are the caller's fault; they count wherever they stand in the text.
const BAD_REQUEST: [Code; 11] = [
    Code::ErrAPIInvalidParam,
    Code::ErrSinkURIInvalid,
    Code::ErrStartTsBeforeGC,
    Code::ErrChangeFeedNotExists,
    Code::ErrTargetTsBeforeStartTs,
    Code::ErrTableIneligible,
    Code::ErrFilterRuleInvalid,
    Code::ErrChangefeedUpdateRefused,
    Code::ErrMySQLInvalidConfig,
    Code::ErrCaptureNotExist,
    Code::ErrSchedulerRequestFailed,
];

/// The body of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The whole text, code in front.
    pub error_msg: String,
    /// `CDC:ErrX`.
    pub error_code: String,
}

/// An error on its way out.
#[derive(Debug)]
pub(super) struct ApiError {
    error: Coded,
    /// The original forgets the type of its body when it cannot read the request's.
    plain: bool,
}

impl ApiError {
    /// The body of the request is not what it should be.
    pub(super) fn param(reason: &dyn std::fmt::Display) -> Self {
        Self {
            error: Coded::wrap(Code::ErrAPIInvalidParam, reason),
            plain: true,
        }
    }

    fn status(&self) -> StatusCode {
        let code = self.error.code();
        let named = |code: &Code| self.error.message().contains(code.as_str());
        if code == Code::ErrServerIsNotReady {
            StatusCode::SERVICE_UNAVAILABLE
        } else if BAD_REQUEST.contains(&code) || BAD_REQUEST.iter().any(named) {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

impl From<Coded> for ApiError {
    fn from(error: Coded) -> Self {
        Self {
            error,
            plain: false,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = ErrorBody {
            error_msg: self.error.to_string(),
            error_code: self.error.code().as_str().to_owned(),
        };
        let kind = if self.plain {
            reply::PLAIN
        } else {
            reply::JSON
        };
        reply::text(status, kind, reply::indented(&body, "    "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_fault_is_told_apart() {
        let status = |code, message: &str| ApiError::from(Coded::new(code, message)).status();
        assert_eq!(status(Code::ErrChangeFeedNotExists, ""), 400);
        assert_eq!(status(Code::ErrChangeFeedAlreadyExists, ""), 500);
        assert_eq!(status(Code::ErrServerIsNotReady, ""), 503);
        assert_eq!(
            status(
                Code::ErrKafkaInvalidConfig,
                "kafka config invalid: [CDC:ErrMySQLInvalidConfig]MySQL config invalid: x"
            ),
            400
        );
    }
}

//! Which error to use where:
//!
//! - [`ApiError`] for whatever a route answers instead of its result; it alone knows status codes and JSON.
//! - [`crate::store::Failure`] for what the store cannot do now. Whoever meets one inside the store logs it, so
//!   that it is logged once, however many requests it fails.
//! - [`crate::store::WriteFailure`] where the caller must also know whether the write may be stored all the same.
//! - `anyhow::Error` while starting and stopping, where nobody branches on the kind.

use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use thiserror::Error;

use crate::admission::Refusal;
use crate::discretion::without_directories;
use crate::query::QueryError;
use crate::store::{Failure, Outcome, WriteFailure};

/// What a route answers when it cannot answer what was asked.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    BadQuery(#[from] QueryError),
    #[error("no such route; see /openapi.json")]
    NotFound,
    #[error("method not allowed; expected {allow}")]
    MethodNotAllowed { allow: &'static str },
    #[error("unsupported media type; expected {expected}")]
    UnsupportedMediaType { expected: &'static str },
    /// 413, or 400: the body is too long, or no text.
    #[error("cannot read the body: {0}")]
    Body(#[from] StringRejection),
    #[error("the body did not arrive within {seconds} s")]
    BodyTooSlow { seconds: u64 },
    #[error("{most} {what}, the maximum; try again in a second")]
    Overloaded { what: &'static str, most: usize },
    /// 403, or 401 where a token is missing: it is not for this client.
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Read(#[from] Failure),
    #[error("{0}")]
    Write(#[from] WriteFailure),
}

#[derive(Serialize)]
struct Body {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadQuery(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(rejection) => rejection.status(),
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Refused(Refusal::Token) => StatusCode::UNAUTHORIZED,
            Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::Overloaded { .. } | Self::Read(_) | Self::Write(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(crate) fn told(&self) -> String {
        let error = self.to_string();
        if self.failure().is_some() { without_directories(&error) } else { error }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Read(failure) | Self::Write(WriteFailure { failure, .. }) => Some(failure),
            _ => None,
        }
    }

    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Write(failure) => Some(failure.outcome),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(Body { error: self.told(), outcome: self.outcome() });
        let mut response = (self.status(), body).into_response();
        if let Self::MethodNotAllowed { allow } = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        }
        if matches!(self, Self::Refused(Refusal::Token)) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self, Self::BodyTooSlow { .. }) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.failure().is_some_and(Failure::is_passing) || matches!(self, Self::Overloaded { .. }) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

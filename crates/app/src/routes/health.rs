//! `GET /health`: whether the database can serve a durable write, proven by one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::router::Service;
use crate::store::Failure;

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Health {
    Ok,
    Unavailable { reason: String },
}

/// Answers 200 once a write has reached the disk, 503 if none can.
pub async fn health(State(service): State<Service>) -> Response {
    answer(service.store.prove_durable().await)
}

/// What a probe is told: 200, or 503 with the reason.
pub(super) fn answer(found: Result<(), Failure>) -> Response {
    match found {
        Ok(()) => Json(Health::Ok).into_response(),
        Err(failure) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health::Unavailable { reason: failure.to_string() })).into_response()
        }
    }
}

//! `GET /health`: tests whether the database can make a write durable by making one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::discretion::without_directories;
use crate::service::Service;
use crate::store::{self, Failure};

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Health {
    Ok {
        /// Absent without `--protect`.
        #[serde(skip_serializing_if = "Option::is_none")]
        protection: Option<store::Status>,
    },
    Unavailable {
        reason: String,
    },
}

/// Answers 200 once a write has reached the disk, 503 if none can.
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Response {
    let proven = service.store.prove_durable().await;
    answer(proven, service.store.protection())
}

/// What a probe is told: 200, or 503 with the reason.
pub(super) fn answer(found: Result<(), Failure>, mut protection: Option<store::Status>) -> Response {
    if let Some(protection) = &mut protection {
        protection.reason = protection.reason.take().map(|reason| without_directories(&reason));
    }
    match found {
        Ok(()) => Json(Health::Ok { protection }).into_response(),
        Err(failure) => {
            let reason = without_directories(&failure.to_string());
            (StatusCode::SERVICE_UNAVAILABLE, Json(Health::Unavailable { reason })).into_response()
        }
    }
}

//! `GET /live`: whether this process can recover by itself or needs a restart.
//!
//! Not the same question as `/health`: a full disk or the lock of another process makes the service unavailable, and
//! a restart would mend neither. Whoever restarts on `/health` turns a slow disk into an outage.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::health;
use crate::service::Service;

/// Answers 503 if the database was deleted or replaced underneath, or if nothing writes any more; else 200.
pub(crate) async fn live(State(service): State<Arc<Service>>) -> Response {
    health::answer(service.store.check_alive(), None)
}

//! `GET /count`: how many messages there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::error::ApiError;
use crate::service::Service;

#[derive(Serialize)]
pub(crate) struct Count {
    count: i64,
}

pub(crate) async fn count(State(service): State<Arc<Service>>) -> Result<Json<Count>, ApiError> {
    Ok(Json(Count { count: service.store.count().await? }))
}

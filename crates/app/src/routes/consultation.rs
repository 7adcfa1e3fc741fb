//! `GET /consultation`: messages, newest first, a page at a time.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::error::ApiError;
use crate::query::{self, QueryError};
use crate::router::Service;
use crate::store::{Page, Position};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 1000;

/// Answers a page of messages: the newest, those before an id, or those after one.
pub async fn consultation(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, ApiError> {
    let page = page(query.as_deref().unwrap_or_default())?;
    Ok(([(CONTENT_TYPE, "application/json")], service.store.page_json(page).await?))
}

fn page(query: &str) -> Result<Page, QueryError> {
    let limit = query::number(query, "limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    let before = query::number(query, "before", 0, i64::MAX)?;
    let after = query::number(query, "after", 0, i64::MAX)?;
    let position = match (before, after) {
        (None, None) => Position::Newest,
        (Some(id), None) => Position::Before(id),
        (None, Some(id)) => Position::After(id),
        (Some(_), Some(_)) => return Err(QueryError::Exclusive("before", "after")),
    };
    Ok(Page { position, limit })
}

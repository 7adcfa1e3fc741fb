//! `GET /consultation`: messages, newest first, a page at a time.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Extension};
use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;

use crate::bounds::ANSWER_TIMES_MAX;
use crate::connections::Width;
use crate::error::ApiError;
use crate::query::{self, QueryError};
use crate::service::Service;
use crate::store::{Page, Position, Rest};

const LIMIT_DEFAULT: i64 = 50;
pub(crate) const LIMIT_MAX: i64 = 1000;

/// Answers a page of messages: the newest, those before an id, or those after one. A long one in pieces, each read once the
/// one before it was taken.
pub(crate) async fn consultation(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let page = page(query.as_deref().unwrap_or_default())?;
    if let Some(most) = service.connections.stalled() {
        return Err(ApiError::Overloaded { what: "clients are not reading their responses", most });
    }
    // What every page of the default length costs is little.
    let turn = if page.limit > LIMIT_DEFAULT { service.turn().await } else { None };
    let begun = service.store.page_json(page).await?;
    drop(turn);
    let head = [(CONTENT_TYPE, "application/json")];
    let (first, rest) = match begun {
        (all, None) => return Ok((head, all).into_response()),
        (first, Some(rest)) => (first, rest),
    };
    let first = stream::once(async { Ok(Bytes::from(first)) });
    let width = Width::default();
    let body = Body::from_stream(first.chain(pieces(service, rest, width.clone())));
    Ok((head, Extension(width), body).into_response())
}

fn pieces(service: Arc<Service>, rest: Rest, width: Width) -> impl Stream<Item = Result<Bytes, BoxError>> {
    let wait = service.connections.patience() * ANSWER_TIMES_MAX;
    let began = Instant::now();
    stream::try_unfold((service, Some(rest), width), move |(service, rest, width)| async move {
        let Some(rest) = rest else { return Ok(None) };
        if began.elapsed() > wait {
            return Err(format!("the client did not read its response within {} s", wait.as_secs()).into());
        }
        let turn = service.turn().await;
        let (piece, rest) = service.store.more_json(rest, width.piece_bytes()).await?;
        drop(turn);
        Ok(Some((Bytes::from(piece), (service, rest, width))))
    })
}

pub(crate) fn page(query: &str) -> Result<Page, QueryError> {
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

//! `GET /add?message=…`: stores a message. A response means that it is on disk.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::Method;
use serde::Serialize;

use crate::error::ApiError;
use crate::query::{self, QueryError};
use crate::service::Service;
use crate::store::Message;

/// The parameter, or the field.
const NAME: &str = "message";

/// The longest message that is stored, in bytes of UTF-8.
pub(crate) const LENGTH_MAX: usize = 4096;

#[derive(Serialize)]
pub(crate) struct Added {
    status: &'static str,
    #[serde(flatten)]
    message: Message,
}

/// Stores the message of the query. Only for GET: HEAD must not insert.
pub(crate) async fn add(
    method: Method,
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Added>, ApiError> {
    if method != Method::GET {
        return Err(ApiError::MethodNotAllowed { allow: "GET" });
    }
    let message = message(query.as_deref().unwrap_or_default())?;
    let message = service.store.add(message).await?;
    Ok(Json(Added { status: "added", message }))
}

/// The message of a query or of a form, if it can be stored.
pub(crate) fn message(query: &str) -> Result<String, QueryError> {
    let message = text(query)?;
    match message.len() {
        0 => Err(QueryError::Missing { name: NAME }),
        length if length > LENGTH_MAX => Err(QueryError::TooLong { name: NAME, length, length_max: LENGTH_MAX }),
        _ => Ok(message.into_owned()),
    }
}

/// The text of a message, whether it can be stored or not.
pub(super) fn text(query: &str) -> Result<Cow<'_, str>, QueryError> {
    Ok(query::value(query, NAME)?.unwrap_or_default())
}

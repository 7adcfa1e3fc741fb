//! `GET /`: the greeting, as JSON to programs and as a page to browsers.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::bulletin::Bulletin;
use crate::negotiate;
use crate::page::{self, Notice};
use crate::query;
use crate::service::Service;

const JSON: &str = r#"{"status":"Bonjour tout le monde !"}"#;

/// Answers the greeting in the form that the client prefers. `?added=ID` is where the form of the page leads to.
pub(crate) async fn root(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if !negotiate::prefers_html(&headers) {
        return ([(VARY, "accept"), (CONTENT_TYPE, "application/json")], JSON).into_response();
    }
    let bulletin = Bulletin::look(&service.looks).await;
    let added = query::number(query.as_deref().unwrap_or_default(), "added", 1, i64::MAX).ok().flatten();
    // Only of a message that is there to be seen: anybody can write a link.
    let is_shown = |id: &i64| {
        bulletin.contents.as_ref().is_some_and(|contents| contents.messages.iter().any(|message| message.id == *id))
    };
    let notice = added.filter(is_shown).map(Notice::Added);
    let (language, writers) = (negotiate::language(&headers), service.admission.writers());
    let _turn = service.turn().await;
    page::answer(StatusCode::OK, &bulletin, language, writers, notice.as_ref())
}

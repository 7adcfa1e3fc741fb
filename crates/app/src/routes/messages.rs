//! `POST /messages`: the form on the page. It redirects back to the page, so that a reload adds nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};

use tokio::time::timeout;

use super::add;
use crate::bulletin::Bulletin;
use crate::error::ApiError;
use crate::negotiate;
use crate::page::{self, Notice};
use crate::service::Service;

const FORM: &str = "application/x-www-form-urlencoded";

/// Stores the message of the form, then leads back to the page. What cannot be stored is answered with the page as well,
/// and stays in its field.
pub(crate) async fn messages(State(service): State<Arc<Service>>, headers: HeaderMap, request: Request) -> Response {
    let stored = match form(&headers, request, service.connections.patience()).await {
        Ok(form) => store(&service, &form).await.map_err(|error| (error, form)),
        Err(error) => Err((error, String::new())),
    };
    match stored {
        Ok(id) => Redirect::to(&format!("/?added={id}")).into_response(),
        Err((error, _)) if !negotiate::prefers_html(&headers) => error.into_response(),
        Err((error, form)) => {
            let text = add::text(&form).unwrap_or_default().into_owned();
            let notice = Notice::NotAdded { reason: error.told(), text };
            let bulletin = Bulletin::look(&service.looks).await;
            let (language, writers) = (negotiate::language(&headers), service.admission.writers());
            let _turn = service.turn().await;
            page::answer(error.status(), &bulletin, language, writers, Some(&notice))
        }
    }
}

async fn form(headers: &HeaderMap, request: Request, patience: Duration) -> Result<String, ApiError> {
    let found = headers.get(CONTENT_TYPE).and_then(|found| found.to_str().ok()).unwrap_or_default();
    if !found.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(FORM)) {
        return Err(ApiError::UnsupportedMediaType { expected: FORM });
    }
    let too_slow = |_| ApiError::BodyTooSlow { seconds: patience.as_secs() };
    Ok(timeout(patience, String::from_request(request, &())).await.map_err(too_slow)??)
}

async fn store(service: &Service, form: &str) -> Result<i64, ApiError> {
    Ok(service.store.add(add::message(form)?).await?.id)
}

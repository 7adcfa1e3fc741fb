//! Every route of the service.
//!
//! What is no HTTP request never gets here: hyper itself answers a malformed request line (400), a URI that is too long
//! (414) and headers that are too large (431), with an empty body, and offers no hook to put JSON into it.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CONNECTION, HeaderValue};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};

use crate::bounds::FORM_BYTES_MAX;
use crate::error::ApiError;
use crate::hardening::harden;
use crate::routes::{add, assets, consultation, count, events, health, live, messages, metrics, openapi, root, status};
use crate::service::Service;

/// The routes, with JSON for whatever is none of them.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(root::root))
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        // `get` would answer HEAD as well, and a HEAD that inserts is a trap: this route looks at the method itself.
        .route("/add", any(add::add))
        .route("/count", get(count::count))
        .route("/consultation", get(consultation::consultation))
        .route("/status", get(status::status))
        .route("/metrics", get(metrics::metrics))
        .route("/messages", messages())
        .route("/events", get(events::events))
        .route("/openapi.json", get(openapi::openapi))
        .route("/assets/page.css", get(assets::style))
        .route("/assets/page.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed { allow: "GET, HEAD" })
        .layer(from_fn_with_state(service.clone(), finish))
        .with_state(service)
}

/// For clients that found no place: they are told so. Probes are answered all the same, since who fills the places must
/// not have the process restarted.
pub(crate) fn without_place(service: Arc<Service>) -> Router {
    let most = service.connections.most();
    Router::new()
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        .fallback(async move || ApiError::Overloaded { what: "clients are connected", most })
        .layer(map_response(async |response: Response| ([(CONNECTION, "close")], harden(response))))
        .with_state(service)
}

/// For the port that only probes ask.
pub(crate) fn probes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed { allow: "GET, HEAD" })
        .layer(map_response(async |response| harden(response)))
        .with_state(service)
}

/// What is the same for every answer; one function, since each layer costs every request.
///
/// It is counted, by route: whatever is none counts as one, so that no client can make up names. And the last one on a
/// connection says so: a client that sends another request after it would be reset.
async fn finish(
    State(service): State<Arc<Service>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let mut response = match service.admission.check(route, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => ApiError::from(refusal).into_response(),
    };
    service.metrics.answered(route, response.status(), began.elapsed());
    response = harden(response);
    if service.stop.is_asked() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn messages() -> MethodRouter<Arc<Service>> {
    post(messages::messages)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .fallback(async || ApiError::MethodNotAllowed { allow: "POST" })
}

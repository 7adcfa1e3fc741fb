//! Every route of the service.
//!
//! What is no HTTP request never gets here: hyper itself answers a malformed request line (400), a URI that is too long
//! (414) and headers that are too large (431), with an empty body, and offers no hook to put JSON into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderValue};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post};

use crate::bulletin::Bulletins;
use crate::connections::Connections;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::routes::{add, assets, consultation, count, events, health, live, messages, metrics, openapi, root, status};
use crate::stop::Stop;
use crate::store::Store;

/// The longest message in a form, each byte of it percent-encoded, and some room beside it.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// What the routes share.
pub struct Service {
    /// Where messages are kept.
    pub store: Arc<Store>,
    /// The repository of restore points, if the service was told of one.
    pub backup_dir: Option<PathBuf>,
    /// What is counted.
    pub metrics: Metrics,
    /// The way to everyone who watches the page.
    pub bulletins: Bulletins,
    /// Who is connected.
    pub connections: Connections,
    /// Whether the service was asked to stop.
    pub stop: Stop,
    /// When the service started.
    pub started: Instant,
}

impl Service {
    /// A service that starts now.
    pub fn new(store: Arc<Store>, backup_dir: Option<PathBuf>, connections: Connections, stop: Stop) -> Self {
        let metrics = Metrics::new(&store, &connections);
        let bulletins = Bulletins::default();
        Self { store, backup_dir, metrics, bulletins, connections, stop, started: Instant::now() }
    }
}

/// The routes, with JSON for whatever is none of them.
pub fn router(service: Arc<Service>) -> Router {
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
pub fn without_place(service: Arc<Service>) -> Router {
    let (_, most) = service.connections.count();
    Router::new()
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        .fallback(async move || ApiError::TooManyConnections { most })
        .layer(map_response(async |response: Response| {
            ([(CONNECTION, "close"), (CACHE_CONTROL, "no-store")], response)
        }))
        .with_state(service)
}

/// What is the same for every answer; one function, since each layer costs every request.
///
/// It is counted, by route: whatever is none counts as one, so that no client can make up names. It is about this instant: a
/// cached count or health would be a wrong one. And the last one on a connection says so: a client that sends another
/// request after it would be reset.
async fn finish(
    State(service): State<Arc<Service>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let mut response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    service.metrics.answered(route, response.status(), began.elapsed());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
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

//! Every route of the service.
//!
//! What is no HTTP request never gets here: hyper itself answers a malformed request line (400), a URI that is too long
//! (414) and headers that are too large (431), with an empty body, and offers no hook to put JSON into it.

use std::mem;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::admission::Admission;
use crate::bounds::FORM_BYTES_MAX;
use crate::bulletin::Bulletins;
use crate::config::Config;
use crate::connections::Connections;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::protection::Looks;
use crate::routes::{add, assets, consultation, count, events, health, live, messages, metrics, openapi, root, status};
use crate::stop::Stop;
use crate::store::Store;

/// What keeps a browser from taking an answer for what it is not, or from showing it to a page of another site, unless the
/// answer says otherwise. There are no headers for the opposite.
static HARDENING: LazyLock<HeaderMap> = LazyLock::new(|| {
    let headers = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not none at all: a form is then sent with `Origin: null`, as by a page of another site.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        // For what is no page: it may do nothing at all.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
});

/// What the routes share.
pub struct Service {
    /// Where messages are kept.
    pub store: Arc<Store>,
    /// What the service was told.
    pub config: Config,
    /// What is asked of a request before it is served.
    pub admission: Admission,
    /// The last look at the database and its repository.
    pub looks: Looks,
    /// What is counted.
    pub metrics: Metrics,
    /// The way to everyone who watches the page.
    pub bulletins: Bulletins,
    /// Who is connected.
    pub connections: Connections,
    /// Whether the service was asked to stop.
    pub stop: Stop,
    turns: Semaphore,
    /// When the service started.
    pub started: Instant,
}

impl Service {
    /// A service that starts now.
    pub fn new(config: Config, admission: Admission, store: Arc<Store>, connections: Connections, stop: Stop) -> Self {
        let metrics = Metrics::new(&store, &connections);
        let (looks, bulletins) = (Looks::default(), Bulletins::new(&connections));
        let turns = Semaphore::new(Handle::current().metrics().num_workers());
        Self { config, admission, looks, store, metrics, bulletins, connections, stop, turns, started: Instant::now() }
    }

    /// Waits until this one of the answers that are much work may be made. As many are made at once as there are threads, so
    /// that what is little work, a probe above all, waits behind so many and not behind thousands.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.turns.acquire().await.ok()
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
    let most = service.connections.most();
    Router::new()
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        .fallback(async move || ApiError::Overloaded { what: "clients are connected", most })
        .layer(map_response(async |response: Response| ([(CONNECTION, "close")], harden(response))))
        .with_state(service)
}

/// For the port that only probes ask.
pub fn probes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/live", get(live::live))
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed { allow: "GET, HEAD" })
        .layer(map_response(async |response| harden(response)))
        .with_state(service)
}

/// Adds what every answer has for browsers. It is about this instant: a cached count or health would be a wrong one.
pub fn harden(mut response: Response) -> Response {
    // To add the few of the answer to the many of all is the shorter way round.
    let own = mem::replace(response.headers_mut(), HARDENING.clone());
    response.headers_mut().extend(own);
    response
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

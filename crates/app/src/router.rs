//! Every route of the service.
//!
//! What is no HTTP request never gets here: hyper itself answers a malformed request line (400), a URI that is too long
//! (414) and headers that are too large (431), with an empty body, and offers no hook to put JSON into it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{any, get};

use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::routes::{add, consultation, count, health, live, metrics, root, status};
use crate::store::Store;

/// What the routes share.
#[derive(Clone)]
pub struct Service {
    /// Where messages are kept.
    pub store: Arc<Store>,
    /// The repository of restore points, if the service was told of one.
    pub backup_dir: Option<Arc<PathBuf>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// When the service started.
    pub started: Instant,
}

impl Service {
    /// A service that starts now.
    pub fn new(store: Arc<Store>, backup_dir: Option<PathBuf>) -> Self {
        let metrics = Arc::new(Metrics::new(&store));
        Self { store, backup_dir: backup_dir.map(Arc::new), metrics, started: Instant::now() }
    }
}

/// The routes, with JSON for whatever is none of them.
pub fn router(service: Service) -> Router {
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
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed { allow: "GET, HEAD" })
        .layer(map_response(forbid_caching))
        .layer(from_fn_with_state(service.metrics.clone(), crate::metrics::observe))
        .with_state(service)
}

/// Every answer is about this instant; a cached count or health would be a wrong one.
async fn forbid_caching(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

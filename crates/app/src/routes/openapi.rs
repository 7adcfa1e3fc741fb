//! `GET /openapi.json`: the OpenAPI description of this service. Written by hand; a test compares it with the running
//! service.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

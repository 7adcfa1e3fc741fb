//! `GET /openapi.json`: what this service answers, for programs that read descriptions. Written by hand: a test asks the
//! running service whether it is true.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(crate) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

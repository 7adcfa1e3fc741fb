//! `GET /assets/…`: the page's style sheet, script and icon. The page fetches nothing from other hosts.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../page/page.css"))
}

pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../page/page.js"))
}

pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../page/icon.svg"))
}

fn asset(media_type: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, media_type)], content).into_response()
}

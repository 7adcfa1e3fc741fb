//! Security headers of every response, for browsers.

use std::mem;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::Response;

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

/// Adds what every answer has for browsers. It is about this instant: a cached count or health would be a wrong one.
pub(crate) fn harden(mut response: Response) -> Response {
    // To add the few of the answer to the many of all is the shorter way round.
    let own = mem::replace(response.headers_mut(), HARDENING.clone());
    response.headers_mut().extend(own);
    response
}

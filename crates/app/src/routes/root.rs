//! `GET /`: the greeting, as JSON to programs and as a page to browsers.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, VARY};
use axum::response::{Html, IntoResponse, Response};

const JSON: &str = r#"{"status":"Bonjour tout le monde !"}"#;
const PAGE: &str = include_str!("root.html");

/// Answers the greeting in the form that the client prefers.
pub async fn root(headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if prefers_html(accept) {
        ([(VARY, "accept")], Html(PAGE)).into_response()
    } else {
        ([(VARY, "accept"), (axum::http::header::CONTENT_TYPE, "application/json")], JSON).into_response()
    }
}

/// Whether `text/html` is accepted by name and `application/json` is not preferred: by weight, then by order.
fn prefers_html(accept: &str) -> bool {
    let Some((html, html_place)) = weight(accept, "text/html") else { return false };
    let Some((json, json_place)) = weight(accept, "application/json") else { return html > 0.0 };
    html > 0.0 && (html > json || (html == json && html_place < json_place))
}

/// The weight of a media type and its place in the list. A weight that cannot be read counts as 1.
fn weight(accept: &str, media_type: &str) -> Option<(f32, usize)> {
    accept.split(',').enumerate().find_map(|(place, range)| {
        let mut parts = range.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(media_type) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Some((quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0), place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_for_clients_that_name_it_and_do_not_prefer_json() {
        for (accept, expected) in [
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("text/html", true),
            ("TEXT/HTML", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/json, text/html", false),
            ("text/html, application/json", true),
            ("text/html;q=0.5, application/json", false),
            ("application/json;q=0.5, text/html", true),
            ("text/html;q=0", false),
        ] {
            assert_eq!(prefers_html(accept), expected, "{accept}");
        }
    }
}

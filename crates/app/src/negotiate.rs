//! What a client prefers: `Accept` and `Accept-Language`.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Of the greeting, and so for whoever prefers none.
    French,
    /// For whoever prefers it to French.
    English,
}

/// Whether `text/html` is accepted by name and `application/json` is not preferred: by weight, then by order.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let accept = text(headers, ACCEPT);
    let of = |wanted: &str| weight(accept, |range| range.eq_ignore_ascii_case(wanted));
    let Some((html, html_place)) = of("text/html") else { return false };
    let Some((json, json_place)) = of("application/json") else { return html > 0.0 };
    html > 0.0 && (html > json || (html == json && html_place < json_place))
}

/// Whether a client takes OpenMetrics: by its name, or because it says nothing at all. One that takes anything gets what more
/// programs can read.
pub(crate) fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let named = weight(text(headers, ACCEPT), |range| range.eq_ignore_ascii_case("application/openmetrics-text"));
    !headers.contains_key(ACCEPT) || named.is_some_and(|(weight, _)| weight > 0.0)
}

/// The language that a client prefers, of those that there are: by weight, then by order.
pub(crate) fn language(headers: &HeaderMap) -> Language {
    let accept = text(headers, ACCEPT_LANGUAGE);
    let of = |wanted: &str| {
        weight(accept, |range| range.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case(wanted)))
    };
    match (of("en"), of("fr")) {
        (Some((english, _)), None) if english > 0.0 => Language::English,
        (Some((english, en_place)), Some((french, fr_place)))
            if english > french || (english == french && english > 0.0 && en_place < fr_place) =>
        {
            Language::English
        }
        _ => Language::French,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The weight of the first range that fits and its place in the list. A weight that cannot be read counts as 1.
fn weight(list: &str, fits: impl Fn(&str) -> bool) -> Option<(f32, usize)> {
    list.split(',').enumerate().find_map(|(place, range)| {
        let mut parts = range.split(';').map(str::trim);
        if !fits(parts.next()?) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Some((quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0), place))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn sent(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

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
            assert_eq!(prefers_html(&sent(ACCEPT, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn open_metrics_are_for_clients_that_name_them_or_say_nothing() {
        assert!(takes_open_metrics(&HeaderMap::new()));
        for (accept, expected) in [
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1", true),
        ] {
            assert_eq!(takes_open_metrics(&sent(ACCEPT, accept)), expected, "{accept}");
        }
    }

    #[test]
    fn english_is_for_clients_that_prefer_it_to_french() {
        for (accept, expected) in [
            ("", Language::French),
            ("*", Language::French),
            ("de", Language::French),
            ("en", Language::English),
            ("EN-gb", Language::English),
            ("en;q=0", Language::French),
            ("de,en;q=0.5", Language::English),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", Language::French),
            ("en-US,en;q=0.9,fr;q=0.8", Language::English),
            ("fr;q=0.1,en;q=0.2", Language::English),
            ("en;q=0,fr;q=0", Language::French),
            ("eng", Language::French),
        ] {
            assert_eq!(language(&sent(ACCEPT_LANGUAGE, accept)), expected, "{accept}");
        }
    }
}

//! The page for browsers. It works without its script: the form and the links work, and the figures are those at the
//! time of the request. The script updates them as bulletins arrive.

mod texts;

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::admission::Writers;
use crate::bulletin::{Bulletin, Contents, Newest};
use crate::negotiate::Language;
use crate::store::Message;
use texts::Texts;

/// Nothing but what this service serves, and nothing in the page itself that runs or styles: stored text that got past
/// the escaping could do nothing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// How a program writes that has the token.
const WITH_TOKEN: &str = "curl --header 'Authorization: Bearer TOKEN' '…/add?message=test'";

pub(crate) enum Notice {
    Added(i64),
    /// It was not, and its text is still there to be sent again.
    NotAdded {
        reason: String,
        text: String,
    },
}

pub(crate) fn answer(
    status: StatusCode,
    bulletin: &Bulletin,
    language: Language,
    writers: Writers,
    notice: Option<&Notice>,
) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (VARY, "accept, accept-language"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, headers, page(bulletin, texts::of(language), writers, notice).into_string()).into_response()
}

fn page(bulletin: &Bulletin, texts: &Texts, writers: Writers, notice: Option<&Notice>) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(texts.language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (state_of(bulletin, texts)) " · " (texts.title) }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/page.css";
                script src="/assets/page.js" defer {}
            }
            body data-title=(texts.title) data-up=(texts.up) data-unavailable=(texts.unavailable) data-down=(texts.down)
                data-stopped=(texts.stopped) data-recovered=(texts.recovered) data-fewer=(texts.fewer) data-all-protected=(texts.all_protected)
                data-some-unprotected=(texts.some_unprotected) data-nothing-protected=(texts.nothing_protected)
                data-protection-unknown=(texts.protection_unknown) data-chart-start=(texts.chart_start) {
                a.skip href="#content" { (texts.skip) }
                header {
                    p.brand { span lang=[(texts.language != "fr").then_some("fr")] { "Bonjour tout le monde !" } " · " (texts.title) }
                    (state(bulletin, texts))
                }
                main #content tabindex="-1" {
                    h1 #headline { (headline(bulletin.contents.as_ref(), texts)) }
                    (outage(texts))
                    p #last-known .bad hidden { (texts.last_known) }
                    div.cards {
                        (exposure(bulletin.contents.as_ref(), texts))
                        div.column {
                            (protection(bulletin.contents.as_ref(), texts))
                            (add(texts, writers, notice))
                        }
                    }
                    (messages(bulletin.contents.as_ref(), texts))
                }
                footer { (links(texts)) }
            }
        }
    }
}

fn state_of(bulletin: &Bulletin, texts: &Texts) -> &'static str {
    if bulletin.failure.is_some() { texts.unavailable } else { texts.up }
}

/// How far what is stored is protected, as the script writes it.
fn headline(contents: Option<&Contents>, texts: &Texts) -> String {
    match contents {
        Some(Contents { newest: None, repository_error: None, .. }) => texts.nothing_protected.to_owned(),
        Some(Contents { exposed_messages: Some(0), .. }) => texts.all_protected.to_owned(),
        Some(Contents { exposed_messages: Some(some), .. }) => texts.some_unprotected.replace("{}", &some.to_string()),
        _ => texts.protection_unknown.to_owned(),
    }
}

/// Said aloud by screen readers when it changes, and only then: what runs is elsewhere.
fn state(bulletin: &Bulletin, texts: &Texts) -> Markup {
    let (class, state) = (if bulletin.failure.is_some() { "bad" } else { "good" }, state_of(bulletin, texts));
    html! {
        p #state .state .(class) role="status" {
            span { (texts.service) } " " strong #state-text { (state) }
            span #reason { @if let Some(reason) = &bulletin.failure { (reason) } }
        }
    }
}

fn outage(texts: &Texts) -> Markup {
    html! {
        dl #outage .outage hidden {
            div { dt { (texts.outage) } dd { span #outage-time role="timer" { "0 s" } } }
            div #missing hidden { dt { (texts.missing) } dd #missing-count { "0" } }
        }
    }
}

fn exposure(contents: Option<&Contents>, texts: &Texts) -> Markup {
    let seconds = contents.and_then(|contents| contents.exposed_seconds);
    let messages = contents.and_then(|contents| contents.exposed_messages);
    html! {
        section.card.exposure aria-labelledby="exposure-title" {
            h2 #exposure-title { (texts.exposure) }
            p { (texts.exposure_lead) }
            p.figures {
                span.figure { strong #exposed-seconds { (or_unknown(seconds.map(duration))) } " " (texts.exposed_seconds) }
                span.figure { strong #exposed-messages { (or_unknown(messages)) } " " (texts.exposed_messages) }
            }
            figure.chart {
                span #chart-most aria-hidden="true" {}
                svg #chart viewBox="0 0 600 120" preserveAspectRatio="none" aria-hidden="true" focusable="false" {}
                figcaption { span #chart-start {} span { (texts.chart) } span { (texts.chart_now) } }
            }
            noscript { p.hint { (texts.no_script) } }
        }
    }
}

fn protection(contents: Option<&Contents>, texts: &Texts) -> Markup {
    let newest = contents.and_then(|contents| contents.newest.as_ref());
    let error = contents.and_then(|contents| contents.repository_error.as_deref());
    let none = newest.is_none() && error.is_none() && contents.is_some();
    let unprotected = contents.and_then(|contents| contents.unprotected.as_deref());
    html! {
        section.card aria-labelledby="newest-title" {
            h2 #newest-title { (texts.newest) }
            p #no-restore-point .bad hidden[!none] { (texts.no_restore_point) }
            p #unreadable .bad hidden[error.is_none()] { (texts.unreadable) " " span #repository-error { (error.unwrap_or_default()) } }
            p #unprotected .bad hidden[unprotected.is_none()] { (texts.unprotected) " " span #unprotected-reason { (unprotected.unwrap_or_default()) } }
            p #suspect .bad hidden[!newest.is_some_and(|newest| newest.is_suspect)] { (texts.suspect) }
            (facts(contents, newest, texts))
        }
    }
}

fn facts(contents: Option<&Contents>, newest: Option<&Newest>, texts: &Texts) -> Markup {
    let rehearsed = contents.and_then(|contents| contents.rehearsed_seconds).map(|seconds| duration(seconds as f64));
    html! {
        dl.facts {
            div { dt { (texts.age) } dd #age { (or_unknown(newest.and_then(|newest| newest.age_seconds).map(|age| duration(age as f64)))) } }
            div { dt { (texts.file) } dd #file { (or_unknown(newest.map(|newest| &newest.file))) } }
            div { dt { (texts.rehearsed) } dd #rehearsed { (or_unknown(rehearsed)) } }
            div { dt { (texts.count) } dd #count { (or_unknown(contents.map(|contents| contents.count))) } }
        }
    }
}

fn add(texts: &Texts, writers: Writers, notice: Option<&Notice>) -> Markup {
    html! {
        section.card aria-labelledby="add-title" {
            h2 #add-title { (texts.add) }
            @match writers {
                Writers::All => (form(texts, notice)),
                // A form cannot send a header, and a token does not belong into a page.
                Writers::Authorized => p.hint { (texts.authorized) " " code { (WITH_TOKEN) } },
                Writers::None => p.hint { (texts.read_only) },
            }
        }
    }
}

fn form(texts: &Texts, notice: Option<&Notice>) -> Markup {
    let text = match notice {
        Some(Notice::NotAdded { text, .. }) => text,
        _ => "",
    };
    html! {
            form method="post" action="/messages" {
                label for="message" { (texts.message) }
                div.field {
                    input #message name="message" value=(text) maxlength="4096" required autocomplete="off";
                    button { (texts.send) }
                }
                @match notice {
                    Some(Notice::Added(id)) => p #notice .good role="status" { (texts.added) " " (id) },
                    Some(Notice::NotAdded { reason, .. }) => p #notice .bad role="alert" { (texts.not_added) " " (reason) },
                    None => {}
                }
            }
    }
}

fn messages(contents: Option<&Contents>, texts: &Texts) -> Markup {
    let messages = contents.map(|contents| contents.messages.as_slice()).unwrap_or_default();
    html! {
        section.card.messages aria-labelledby="messages-title" {
            h2 #messages-title { (texts.messages) }
            table aria-labelledby="messages-title" {
                thead { tr { th scope="col" { (texts.number) } th scope="col" { (texts.message) } th scope="col" { (texts.time) } } }
                tbody #messages { @for message in messages { (row(message)) } }
            }
            p #none-yet hidden[!messages.is_empty()] { (texts.none_yet) }
        }
    }
}

fn row(Message { id, timestamp, message }: &Message) -> Markup {
    let (day, time) = day_and_time(timestamp);
    html! { tr { td { (id) } td { (message) } td { time datetime=(timestamp) { span.day { (day) } " " (time) } } } }
}

fn links(texts: &Texts) -> Markup {
    html! {
        nav aria-label=(texts.routes) {
            span { (texts.routes) }
            a href="/consultation" { "/consultation" }
            a href="/count" { "/count" }
            a href="/status" { "/status" }
            a href="/health" { "/health" }
            a href="/metrics" { "/metrics" }
            a href="/openapi.json" { "/openapi.json" }
        }
    }
}

fn or_unknown(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

/// As the script writes it: the two greatest units.
fn duration(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The two parts of a timestamp as we store it, to the second; anything else is all time.
fn day_and_time(timestamp: &str) -> (&str, &str) {
    let (day, time) = timestamp.split_once('T').unwrap_or(("", timestamp));
    (day, time.split('.').next().unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_its_two_greatest_units() {
        for (seconds, expected) in [
            (-1.0, "0 s"),
            (59.9, "59 s"),
            (60.0, "1 min 0 s"),
            (3599.0, "59 min 59 s"),
            (7261.0, "2 h 1 min"),
            (90_000.0, "25 h 0 min"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
    #[test]
    fn a_timestamp_that_is_not_ours_is_shown_as_it_is() {
        assert_eq!(day_and_time("2026-11-22T18:09:35.449812Z"), ("2026-11-22", "18:09:35"));
        assert_eq!(day_and_time("yesterday"), ("", "yesterday"));
        assert_eq!(day_and_time(""), ("", ""));
    }
}

//! What the figures rest on: every event, and the method.

use maud::{Markup, html};

use crate::report::Report;

/// Every event in order of time.
pub(super) fn events(report: &Report) -> Markup {
    html! {
        section.card {
            h2 { "Events" }
            div.scroll {
                table.events {
                    thead {
                        tr {
                            th.number scope="col" { "seconds" }
                            th scope="col" {}
                            th scope="col" { "event" }
                            th scope="col" { "note" }
                        }
                    }
                    tbody {
                        @for entry in &report.events {
                            tr {
                                td.number title=(format!("{:.3}", entry.at)) { (format!("{:.3}", entry.seconds)) }
                                td { b { (entry.event.code()) } }
                                td { (entry.meaning) }
                                td { (entry.note) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How it was measured, and by what.
pub(super) fn method(report: &Report) -> Markup {
    let method = &report.method;
    let fact = |what: &str, said: Markup| html! { div { dt { (what) } dd { (said) } } };
    html! {
        section.card {
            h2 { "How it was measured" }
            dl.facts {
                (fact("resolution", html! {
                    "no moment is known better than " (method.resolution_seconds) " s: a writer and a reader at "
                    (method.rate_per_second) " operations a second each, half an interval apart"
                }))
                (fact("recovered", html! {
                    (method.run_length) " correct reads and as many acknowledged writes without a failure between them"
                }))
                (fact("outage", html! { (method.detection_failures) " failed operations in a row" }))
                (fact("backups", html! {
                    "every " (method.backup_every_seconds) " s; " (method.restore_points) " restore points seen, "
                    (method.failed_backups) " backups failed"
                }))
                @if let Some(moment) = method.inject_at {
                    (fact("moment of the fault", html! {
                        (moment) @if let Some(seed) = method.seed { ", seed " (seed) }
                    }))
                }
                @if let Some((least, most)) = method.clock_ahead_seconds {
                    (fact("clocks", html! {
                        "the service's was " (format!("{least:.3} to {most:.3} s")) " ahead of the drill's"
                    }))
                }
                @if let Some(copy) = &method.safety_copy { (fact("safety copy", html! { (copy) })) }
                @if let Some(access) = &method.access { (fact("way to the service", html! { (access) })) }
                (fact("versions", html! {
                    "drill " (method.drill_version)
                    @if let Some(version) = &method.service_version { ", service " (version) }
                }))
                @if let Some(commit) = &method.commit { (fact("commit", html! { code { (commit) } })) }
            }
            p.note {
                "Every figure comes from writes that the service acknowledged, held against what it had after the \
                 recovery. An answer 200 proves nothing."
            }
        }
    }
}

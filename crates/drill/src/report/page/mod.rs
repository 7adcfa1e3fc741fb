//! `report.html`: one file that needs nothing else, for whoever has ten seconds.

mod gauge;
mod points;
mod proof;
mod theft;
mod time_line;
mod volumes;
mod waterfall;
mod writes;

use std::slice;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use gauge::Gauge;

use super::Report;
use super::figures::{interval, seconds};
use super::picture::{self, Picture};
use crate::judge::Verdict;

/// How pages look, light, dark and on paper.
const STYLE: &str = include_str!("page.css");

/// Lays out a report. The time line comes drawn twice, for wide and for narrow screens; `files` are those beside this.
pub(super) fn render(report: &Report, wide: &Picture, narrow: &Picture, files: &[String]) -> String {
    let began = report.started_at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
    let title = format!("{}: {} on {}, {began}", report.essence().shown_verdict(), report.scenario, report.platform);
    let content = html! {
        (header(report, &began))
        main {
            (said("fail", "Why it is not a pass", &report.reasons))
            @if let Some(limit) = &report.expected.limit {
                (said("inconclusive", "A limit that this scenario is there to show", slice::from_ref(limit)))
            }
            (said("inconclusive", "Worth attention", &report.warnings))
            section.gauges aria-label="Objectives and what was measured" {
                (Gauge::time(report)) (Gauge::loss(report))
            }
            (writes::tiles(report))
            (time_line::section(wide, narrow))
            (waterfall::section(report))
            (writes::section(report))
            (points::section(report))
            (theft::section(report))
            (volumes::section(report))
            (proof::events(report))
            (proof::method(report))
            section.card {
                h2 { "Files of this run" }
                ul.files { @for file in files { li { a href=(file) { (file) } } } }
            }
        }
    };
    document(&title, content)
}

/// A page that fetches nothing.
pub(crate) fn document(title: &str, content: Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(picture::STYLE)) }
            }
            body { (content) }
        }
    };
    page.into_string() + "\n"
}

fn header(report: &Report, began: &str) -> Markup {
    let (essence, limit) = (report.essence(), report.expected.limit.is_some() && report.expected.met);
    let glyph = match report.verdict {
        _ if limit => "!",
        Verdict::Pass => "✓",
        Verdict::Fail => "✕",
        Verdict::Inconclusive => "?",
    };
    html! {
        header.(essence.tone()) {
            p.badge { span aria-hidden="true" { (glyph) } " " (essence.shown_verdict()) }
            div {
                h1 { (report.scenario) small { " on " (report.platform) } }
                p.headline { (headline(report)) }
                p.meta { (began) " · run " (report.run) " · recovery: " (report.method.recovery) }
            }
        }
    }
}

fn said(class: &str, heading: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section.said.(class) { h2 { (heading) } ul { @for line in lines { li { (line) } } } }
        }
    }
}

/// The result in one or two sentences.
fn headline(report: &Report) -> String {
    let actual = &report.actual;
    let back = match actual.rta_seconds {
        Some(_) => format!("The service was correct again after {}.", seconds(actual.rta_seconds)),
        None if report.verdict == Verdict::Inconclusive => return "This drill proves nothing.".to_owned(),
        None => "The service did not come back with the right data.".to_owned(),
    };
    let loss = match &report.ledger {
        None => "What it holds could not be read.".to_owned(),
        Some(ledger) if ledger.lost == 0 => {
            format!("Of {} acknowledged writes, none was lost.", ledger.acknowledged)
        }
        Some(ledger) => {
            let rpa = interval(actual.rpa_seconds_min, actual.rpa_seconds_max);
            let which = match ledger.lost == ledger.lost_before_fault {
                true => format!(": those of the last {rpa} before the fault"),
                false => format!(", {} of them acknowledged before the fault", ledger.lost_before_fault),
            };
            format!("Of {} acknowledged writes, {} were lost{which}.", ledger.acknowledged, ledger.lost)
        }
    };
    format!("{back} {loss}")
}

//! `report.html`: one file that needs nothing else, for whoever has ten seconds.

mod gauge;
mod section;
mod tiles;
mod time_line;
mod waterfall;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use section::table;

use super::picture::{self, Picture};
use super::view::{Notice, Place, Section, View};

/// How pages look, light, dark and on paper.
const STYLE: &str = include_str!("page.css");

/// Lays out a report. The time line comes drawn twice, for wide and for narrow screens; `files` are those beside this.
pub(super) fn render(view: &View, wide: &Picture, narrow: &Picture, files: &[String]) -> String {
    let began = view.report.started_at.strftime("%-d %B %Y, %H:%M:%S UTC").to_string();
    let content = html! {
        (header(view, &began))
        main {
            @for notice in &view.notices { (said(notice)) }
            section.gauges aria-label="Objectives and what was measured" {
                @for objective in &view.objectives { (gauge::gauge(objective, view.resolution)) }
            }
            (tiles::tiles(view))
            (time_line::section(wide, narrow))
            (waterfall::section(view))
            (sections(&view.sections))
            details.card {
                summary { h2 { "Files of this run" } }
                ul.files { @for file in files { li { a href=(file) { (file) } } } }
            }
            p.note {
                "Every figure comes from writes that the service acknowledged, held against what it had after the recovery. \
                 An answer 200 proves nothing."
            }
        }
    };
    document(&format!("{}: {}, {began}", view.verdict, view.title), content)
}

/// Sections that are tables, one below the other.
pub(crate) fn sections(sections: &[Section]) -> Markup {
    html! { @for part in sections.iter().filter(|part| part.place != Place::DrawnOnPage) { (section::section(part)) } }
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

fn header(view: &View, began: &str) -> Markup {
    let glyph = match (view.verdict.as_str(), view.tone) {
        (_, "pass") => "✓",
        (_, "fail") => "✕",
        ("inconclusive", _) => "?",
        _ => "!",
    };
    html! {
        header.(view.tone) {
            p.badge { span aria-hidden="true" { (glyph) } " " (view.verdict) }
            div {
                h1 { (view.report.scenario) small { " on " (view.report.platform) } }
                p.headline { (view.headline) }
                p.meta { (began) " · run " (view.report.run) " · recovery: " (view.report.method.recovery) }
            }
        }
    }
}

fn said(Notice { tone, heading, lines }: &Notice) -> Markup {
    html! { section.said.(tone) { h2 { (heading) } ul { @for line in lines { li { (line) } } } } }
}

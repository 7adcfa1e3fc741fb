//! The page of trends: one file that needs nothing else.

use maud::{Markup, html};

use super::chart::Chart;
use super::{History, Score};
use crate::report::{Essence, FIGURES, document, html_table};
use crate::resolution::Resolution;

/// The newest runs that are listed and drawn.
const SHOWN: usize = 60;

pub(super) fn render(history: &History) -> String {
    let scores = history.scores();
    let content = html! {
        header.neutral {
            div {
                h1 { "Recovery drills" small { " over time" } }
                p.headline { (headline(history, &scores)) }
            }
        }
        main {
            @if !history.unreadable.is_empty() {
                section.said.inconclusive {
                    h2 { "Worth attention" }
                    ul { @for line in &history.unreadable { li { (line) } } }
                }
            }
            @for score in &scores { (series(score, &history.of(&score.tally.series).collect::<Vec<_>>())) }
        }
    };
    document("Recovery drills over time", content)
}

fn headline(history: &History, scores: &[Score]) -> String {
    let as_expected: usize = scores.iter().map(|score| score.tally.as_expected).sum();
    format!("{as_expected} of {} runs came out as expected.", history.runs.len())
}

fn series(score: &Score, runs: &[&Essence]) -> Markup {
    let (runs, tally) = (&runs[runs.len().saturating_sub(SHOWN)..], &score.tally);
    html! {
        section.card.(runs.last().map_or("", |run| run.tone())) {
            h2 { (tally.series) " " span.tag { (score.last_verdict) } }
            p.question { (tally.passes()) "; the last one: " (score.last_run) }
            div.charts {
                @for figure in &FIGURES[..2] {
                    @let objective = |run: &Essence| match figure.key {
                        "rta_seconds" => run.objectives.rto_seconds,
                        _ => run.objectives.rpo_seconds,
                    };
                    (Chart::of(figure, objective, runs, tally.resolution))
                }
            }
            (html_table(&tally.table()))
            details {
                summary { "The newest " (runs.len()) " runs" }
                div.scroll tabindex="0" { table { tbody { @for run in runs.iter().rev() { (row(run, tally.resolution)) } } } }
            }
        }
    }
}

fn row(run: &Essence, resolution: Resolution) -> Markup {
    let actual = &run.actual;
    html! {
        tr {
            td { code { (run.run) } }
            td { b.(run.tone()).tone { (run.shown_verdict()) } }
            td.number { (resolution.seconds(actual.rta_seconds)) }
            td.number { (resolution.interval(actual.rpa_seconds_min, actual.rpa_seconds_max)) }
            td { @for reason in &run.reasons { (reason) " " } }
        }
    }
}

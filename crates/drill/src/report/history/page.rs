//! The page of trends: one file that needs nothing else.

use maud::{Markup, html};

use super::chart::Chart;
use super::{History, Score};
use crate::report::{Essence, FIGURES, document, interval, seconds};

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
            @for score in &scores { (series(score, &history.of(&score.series).collect::<Vec<_>>())) }
        }
    };
    document("Recovery drills over time", content)
}

fn headline(history: &History, scores: &[Score]) -> String {
    let as_expected: usize = scores.iter().map(|score| score.as_expected).sum();
    format!("{as_expected} of {} runs came out as expected.", history.runs.len())
}

fn series(score: &Score, runs: &[&Essence]) -> Markup {
    let runs = &runs[runs.len().saturating_sub(SHOWN)..];
    html! {
        section.card.(runs.last().map_or("", |run| run.tone())) {
            h2 { (score.series) " " span.tag { (score.last_verdict) } }
            p.question { (score.passes()) "; the last one: " (score.last_run) }
            div.charts {
                @for figure in &FIGURES[..2] {
                    @let objective = |run: &Essence| match figure.key {
                        "rta_seconds" => run.objectives.rto_seconds,
                        _ => run.objectives.rpo_seconds,
                    };
                    (Chart::of(figure, objective, runs))
                }
            }
            table {
                thead {
                    tr { th scope="col" {} @for head in ["min", "median", "max"] { th.number scope="col" { (head) } } }
                }
                tbody { @for row in score.rows() { tr { @for (column, cell) in row.iter().enumerate() {
                    @if column == 0 { th scope="row" { (cell) } } @else { td.number { (cell) } }
                } } } }
            }
            details {
                summary { "The newest " (runs.len()) " runs" }
                div.scroll { table { tbody { @for run in runs.iter().rev() { (row(run)) } } } }
            }
        }
    }
}

fn row(run: &Essence) -> Markup {
    let actual = &run.actual;
    html! {
        tr {
            td { code { (run.run) } }
            td { b.(run.tone()).tone { (run.shown_verdict()) } }
            td.number { (seconds(actual.rta_seconds)) }
            td.number { (interval(actual.rpa_seconds_min, actual.rpa_seconds_max)) }
            td { @for reason in &run.reasons { (reason) " " } }
        }
    }
}

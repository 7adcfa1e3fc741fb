//! Where the recovery time went, phase after phase.

use maud::{Markup, html};

use crate::report::view::View;

/// The section; nothing where no recovery was measured.
pub(super) fn section(view: &View) -> Markup {
    let (actual, resolution) = (&view.report.actual, view.resolution);
    let Some(total) = actual.rta_seconds.filter(|total| *total > 0.0 && !view.phases.is_empty()) else {
        return html! {};
    };
    let percent = |value: f64| format!("{:.2}%", value / total * 100.0);
    let begins = view.phases.iter().scan(0.0, |sum, phase| {
        let begin = *sum;
        *sum += phase.seconds;
        Some(begin)
    });
    html! {
        section.card.half {
            h2 { "Where the recovery time went" }
            table.waterfall {
                tbody {
                    @for (phase, begin) in view.phases.iter().zip(begins) {
                        tr {
                            th scope="row" { (phase.name) small { (phase.meaning) } }
                            td.track {
                                i style={ "margin-left:" (percent(begin)) ";width:" (percent(phase.seconds)) } {}
                            }
                            td.number { (resolution.seconds(Some(phase.seconds))) }
                        }
                    }
                    tr.total {
                        th scope="row" { "recovery time (RTA)" }
                        td.track {}
                        td.number { (resolution.seconds(Some(total))) }
                    }
                }
            }
            p.note {
                "After that the drill read every message and compared it with the ledger: "
                (resolution.seconds(view.report.phases.verification)) "."
            }
        }
    }
}

//! Where the recovery time went, phase after phase.

use maud::{Markup, html};

use crate::report::view::{Phase, View};

/// The section; nothing where no recovery was measured.
pub(super) fn section(view: &View) -> Markup {
    let (actual, resolution) = (&view.report.actual, view.resolution);
    let measured: Vec<(&Phase, f64)> = view.phases.iter().filter_map(|phase| Some((phase, phase.seconds?))).collect();
    let Some(total) = actual.rta_seconds.filter(|total| *total > 0.0 && !measured.is_empty()) else {
        return html! {};
    };
    let percent = |value: f64| format!("{:.2}%", value / total * 100.0);
    let begins = measured.iter().scan(0.0, |sum, (_, seconds)| {
        let begin = *sum;
        *sum += seconds;
        Some(begin)
    });
    html! {
        section.card.half {
            h2 { "Where the recovery time went" }
            table.waterfall {
                tbody {
                    @for ((phase, seconds), begin) in measured.iter().zip(begins) {
                        tr {
                            th scope="row" { (phase.name) small { (phase.meaning) } }
                            td.track {
                                i style={ "margin-left:" (percent(begin)) ";width:" (percent(*seconds)) } {}
                            }
                            td.number { (resolution.seconds(Some(*seconds))) }
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

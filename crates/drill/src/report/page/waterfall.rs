//! Where the recovery time went, phase after phase.

use maud::{Markup, html};

use crate::report::Report;
use crate::report::figures::seconds;

/// A phase as a bar; places are in percent of the recovery time.
struct Step {
    name: &'static str,
    meaning: &'static str,
    time: String,
    left: String,
    width: String,
}

/// The section; nothing where no recovery was measured.
pub(super) fn section(report: &Report) -> Markup {
    let steps = steps(report);
    html! {
        @if !steps.is_empty() {
            section.card {
                h2 { "Where the recovery time went" }
                table.waterfall {
                    tbody {
                        @for step in &steps {
                            tr {
                                th scope="row" { (step.name) small { (step.meaning) } }
                                td.track { i style={ "margin-left:" (step.left) "%;width:" (step.width) "%" } {} }
                                td.number { (step.time) }
                            }
                        }
                        tr.total {
                            th scope="row" { "recovery time (RTA)" }
                            td.track {}
                            td.number { (seconds(report.actual.rta_seconds)) }
                        }
                    }
                }
                p.note {
                    "After that the drill read every message and compared it with the ledger: "
                    (seconds(report.phases.verification)) "."
                }
            }
        }
    }
}

/// The phases that were measured, in order. Each begins where the one before it ended.
fn steps(report: &Report) -> Vec<Step> {
    let phases = &report.phases;
    let Some(total) = report.actual.rta_seconds.filter(|total| *total > 0.0) else { return Vec::new() };
    let all = [
        ("detection", "from the first effect to the alarm", phases.detection),
        ("decision", "from the alarm to the decision", phases.decision),
        ("preparation", "stop everything, a new volume", phases.preparation),
        ("restore", "verify and copy the restore point", phases.restore),
        ("restart", "start, until reads and writes are right", phases.restart),
    ];
    let mut from = 0.0;
    let mut steps = Vec::new();
    for (name, meaning, time) in all {
        let Some(time) = time else { continue };
        let percent = |value: f64| format!("{:.2}", value / total * 100.0);
        steps.push(Step { name, meaning, time: seconds(Some(time)), left: percent(from), width: percent(time) });
        from += time;
    }
    steps
}

//! `junit.xml`: the verdict for continuous integration.

use maud::{PreEscaped, html};

use super::Report;
use super::figures::FIGURES;
use crate::judge::Verdict;

/// Renders one drill as a suite of one test.
pub(super) fn render(report: &Report) -> String {
    // From the first to the last moment of the drill.
    let took = report.events.last().map_or(0.0, |entry| entry.seconds);
    let inconclusive = report.verdict == Verdict::Inconclusive;
    // As the exit code has it: a limit that is shown as expected is no failure.
    let failed = !inconclusive && !report.expected.met;
    let measured = FIGURES.iter().filter_map(|figure| Some((figure.key, (figure.of)(&report.actual)?)));
    let reasons = text(&report.reasons.join("\n"));
    let suites = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites {
            testsuite name={ (report.scenario) " on " (report.platform) } tests="1" failures=(u8::from(failed))
                errors=(u8::from(inconclusive)) time=(took) timestamp=(report.started_at) {
                properties {
                    property name="run" value=(report.run) {}
                    property name="verdict" value=(report.verdict) {}
                    property name="rto_seconds" value=(report.objectives.rto_seconds) {}
                    property name="rpo_seconds" value=(report.objectives.rpo_seconds) {}
                    @for (name, value) in measured { property name=(name) value=(value) {} }
                    @if let Some(ledger) = &report.ledger {
                        property name="acknowledged" value=(ledger.acknowledged) {}
                        property name="lost" value=(ledger.lost) {}
                    }
                }
                testcase classname={ "drill." (report.platform) } name=(report.scenario) time=(took) {
                    @if failed { failure message={ "expected: " (report.expected.verdict) } { (reasons) } }
                    @if report.expected.limit.is_some() { system-out { (text(&report.expected.to_string())) } }
                    @if inconclusive { error message="inconclusive" { (reasons) } }
                }
            }
        }
    };
    suites.into_string() + "\n"
}

/// XML 1.0 cannot hold most control characters, not even escaped.
fn text(said: &str) -> String {
    let allowed = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    said.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(text("no\u{1b}[31m\n<b>"), "no\u{fffd}[31m\n<b>");
    }
}

//! What a report says to people. Terminal, Markdown and page lay this out, each in its way, so that they say the same.

mod objective;
mod phases;
mod section;
mod sections;

pub(crate) use objective::Objective;
pub(crate) use phases::Phase;
pub(crate) use section::{Column, Kind, Mark, Place, Row, Section, Table};

use super::schema::{Counts, Report};
use crate::judge::Verdict;
use crate::resolution::Resolution;

/// A report in words.
pub(crate) struct View<'a> {
    pub report: &'a Report,
    /// How exactly it was measured.
    pub resolution: Resolution,
    /// Scenario and platform.
    pub title: String,
    /// The verdict for people, see [`Essence::shown_verdict`](super::Essence::shown_verdict).
    pub verdict: String,
    pub tone: &'static str,
    /// The result in one or two sentences.
    pub headline: String,
    /// What is to be said before any figure.
    pub notices: Vec<Notice>,
    /// Recovery time and data loss.
    pub objectives: [Objective; 2],
    pub phases: [Phase; 5],
    pub sections: Vec<Section>,
}

/// Something that deserves attention.
pub(crate) struct Notice {
    pub tone: &'static str,
    pub heading: &'static str,
    pub lines: Vec<String>,
}

impl<'a> View<'a> {
    pub(crate) fn of(report: &'a Report) -> Self {
        let (essence, resolution) = (report.essence(), Resolution::of(report.method.resolution_seconds));
        Self {
            report,
            resolution,
            title: format!("{} on {}", report.scenario, report.platform),
            verdict: essence.shown_verdict(),
            tone: essence.tone(),
            headline: headline(report, resolution),
            notices: notices(report),
            objectives: [Objective::time(report, resolution), Objective::loss(report, resolution)],
            phases: Phase::all(report),
            sections: sections::all(report, resolution),
        }
    }
}

impl View<'_> {
    /// The objectives as a table.
    pub(crate) fn objectives_table(&self) -> Table {
        let columns = [
            Column::text(""),
            Column::number("objective"),
            Column::number("actual"),
            Column::number("margin"),
            Column::text(""),
        ];
        let rows = self.objectives.iter().map(|objective| {
            let what = format!("{} ({})", objective.name.to_lowercase(), objective.abbreviations.join(", "));
            let standing = objective.standing.words().to_owned();
            Row::from([what, objective.target.clone(), objective.actual.clone(), objective.margin.clone(), standing])
        });
        Table::new(columns, rows)
    }
}

fn notices(report: &Report) -> Vec<Notice> {
    let (limit, expected) = match &report.expected.limit {
        Some(limit) if report.expected.met => (vec![limit.clone()], Vec::new()),
        _ if report.expected.met => (Vec::new(), Vec::new()),
        _ => (Vec::new(), vec![report.expected.verdict.to_string()]),
    };
    let all = [
        ("fail", "Why it is not a pass", report.reasons.clone()),
        ("inconclusive", "A limit that this scenario is there to show", limit),
        ("inconclusive", "Expected", expected),
        ("inconclusive", "Worth attention", report.warnings.clone()),
    ];
    let notices = all.into_iter().map(|(tone, heading, lines)| Notice { tone, heading, lines });
    notices.filter(|notice| !notice.lines.is_empty()).collect()
}

fn headline(report: &Report, resolution: Resolution) -> String {
    let actual = &report.actual;
    let back = match actual.rta_seconds {
        Some(_) => format!("The service was correct again after {}.", resolution.seconds(actual.rta_seconds)),
        None if report.verdict == Verdict::Inconclusive => return "This drill proves nothing.".to_owned(),
        None => "The service did not come back with the right data.".to_owned(),
    };
    if let Some(lost) = report.everything_lost {
        return format!("The service did not come back. Everything is lost: all {lost} acknowledged writes.");
    }
    let loss = match &report.ledger {
        None => "What it holds could not be read.".to_owned(),
        Some(Counts { acknowledged, lost: 0, .. }) => format!("Of {acknowledged} acknowledged writes, none was lost."),
        Some(Counts { acknowledged, lost, .. }) if acknowledged == lost => {
            format!("Everything is lost: all {lost} acknowledged writes.")
        }
        Some(Counts { acknowledged, lost, lost_before_fault, .. }) => {
            let rpa = resolution.interval(actual.rpa_seconds_min, actual.rpa_seconds_max);
            let which = match lost == lost_before_fault {
                true => format!(": those of the last {rpa} before the fault"),
                false => format!(", {lost_before_fault} of them acknowledged before the fault"),
            };
            format!("Of {acknowledged} acknowledged writes, {lost} were lost{which}.")
        }
    };
    format!("{back} {loss}")
}

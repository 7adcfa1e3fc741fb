//! The report for the terminal: fits 80 columns.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::figures::{interval, margin, met, seconds};
use super::schema::{Counts, Report};
use super::{Series, lines};
use crate::platform::Theft;
use crate::report::history::Comparison;

/// The whole report as text.
pub(crate) fn tables(report: &Report) -> String {
    let verdict = report.verdict.to_string().to_uppercase();
    let mut parts = vec![format!("{} on {}: {verdict}", report.scenario, report.platform)];
    parts.extend(report.reasons.iter().map(|reason| format!("  because {reason}")));
    let surprise = report.expected.limit.is_some() || !report.expected.met;
    parts.extend(surprise.then(|| format!("  {}", report.expected)));
    parts.extend(report.warnings.iter().map(|warning| format!("  note: {warning}")));
    parts.push(objectives(report).to_string());
    parts.extend(report.ledger.as_ref().map(|ledger| counts(ledger).to_string()));
    parts.push(phases(report).to_string());
    if let Some(stolen) = &report.theft {
        parts.push(format!("what a thief could do; restored is the state as of {}", stolen.as_of));
        parts.push(theft(stolen).to_string());
    }
    if let Some(point) = &report.restore_point {
        let passed_over =
            point.rejected.iter().map(|rejected| format!("passed over {}: {}", rejected.name, rejected.reason));
        parts.extend(passed_over);
        parts.push(format!("restored {}, {} bytes", point.name, point.size_bytes));
    }
    lines(parts)
}

fn objectives(report: &Report) -> Table {
    let (targets, actual) = (&report.objectives, &report.actual);
    let mut table = table(["", "objective", "actual", "margin", ""]);
    table.add_row([
        "recovery time (RTO, RTA)".to_owned(),
        seconds(Some(targets.rto_seconds)),
        seconds(actual.rta_seconds),
        margin(targets.rto_seconds, actual.rta_seconds),
        met(targets.rto_seconds, actual.rta_seconds).to_owned(),
    ]);
    table.add_row([
        "data loss (RPO, RPA)".to_owned(),
        seconds(Some(targets.rpo_seconds)),
        interval(actual.rpa_seconds_min, actual.rpa_seconds_max),
        margin(targets.rpo_seconds, actual.rpa_seconds_max),
        met(targets.rpo_seconds, actual.rpa_seconds_max).to_owned(),
    ]);
    align_right(&mut table, 1..4);
    table
}

fn counts(ledger: &Counts) -> Table {
    let mut table = table(["acknowledged", "lost", "recovered", "duplicates", "unexpected", "refused", "unsure"]);
    let counts = [
        ledger.acknowledged,
        ledger.lost,
        ledger.recovered,
        ledger.duplicates,
        ledger.unexpected,
        ledger.refused,
        ledger.indeterminate,
    ];
    table.add_row(counts.map(|count| count.to_string()));
    align_right(&mut table, 0..7);
    table
}

fn phases(report: &Report) -> Table {
    let (phases, actual) = (&report.phases, &report.actual);
    let rows = [
        ("detection", phases.detection, "false up", actual.false_up_seconds),
        ("decision", phases.decision, "verification", phases.verification),
        ("preparation", phases.preparation, "protected again after", actual.reprotection_seconds),
        ("restore", phases.restore, "worst-case data loss", actual.worst_case_rpo_seconds),
        ("restart", phases.restart, "", None),
    ];
    let mut table = table(["phase", "time", "beside it", "time"]);
    for (phase, time, beside, other) in rows {
        let other = if beside.is_empty() { String::new() } else { seconds(other) };
        table.add_row([phase.to_owned(), seconds(time), beside.to_owned(), other]);
    }
    align_right(&mut table, [1, 3]);
    table
}

fn theft(theft: &Theft) -> Table {
    let mut table = table(["with the service's own credentials", "tried", "allowed", "refused"]);
    for deed in &theft.deeds {
        let counts = [deed.tried(), deed.allowed, deed.refused].map(|count| count.to_string());
        let [tried, allowed, refused] = counts;
        table.add_row([deed.kind.meaning().to_owned(), tried, allowed, refused]);
    }
    align_right(&mut table, 1..4);
    table
}

/// Two runs of a series beside each other.
pub(crate) fn comparison(series: &Series, compared: &Comparison) -> String {
    let mut table = table(["", "before", "after", "change", ""]);
    for change in &compared.changes {
        let difference = change.before.zip(change.after).map(|(before, after)| after - before);
        table.add_row([
            change.label.to_owned(),
            seconds(change.before),
            seconds(change.after),
            difference.map_or("–".to_owned(), |difference| format!("{difference:+.3} s")),
            if change.regression { "WORSE" } else { "ok" }.to_owned(),
        ]);
    }
    align_right(&mut table, 1..4);
    let [before, after] = &compared.verdicts;
    let (percent, resolution) = (compared.tolerance_percent, seconds(Some(compared.resolution_seconds)));
    lines([
        format!("{series}: {}", if compared.regression { "REGRESSION" } else { "no regression" }),
        format!("  before {}: {before}", compared.before),
        format!("  after  {}: {after}", compared.after),
        table.to_string(),
        format!("tolerance: {percent}% of the figure before, and {resolution} that nobody can tell apart"),
    ])
}

pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(header);
    table
}

/// Aligns columns of figures.
pub(super) fn align_right(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

//! `report.md`: the report for reading.

use super::figures::{interval, margin, met, seconds};
use super::lines;
use super::schema::{Counts, Report};
use crate::platform::Placement;

pub(super) fn render(report: &Report) -> String {
    let parts = [
        head(report),
        objectives(report),
        report.ledger.as_ref().map_or("No final read: the ledger was not reconciled.\n".to_owned(), ledger),
        restore_point(report),
        theft(report),
        volumes(report),
        phases(report),
        events(report),
        method(report),
    ];
    lines(parts.iter().filter(|part| !part.is_empty()))
}

fn head(report: &Report) -> String {
    let mut text = vec![
        format!("# {} on {}: {}\n", report.scenario, report.platform, report.verdict),
        format!("Run {}, begun {:.3}.\n", report.run, report.started_at),
    ];
    text.extend(report.reasons.iter().map(|reason| format!("- **{reason}**")));
    text.push(format!("- {}", report.expected));
    text.extend(report.warnings.iter().map(|warning| format!("- {warning}")));
    lines(text)
}

fn objectives(report: &Report) -> String {
    let (targets, actual) = (&report.objectives, &report.actual);
    let row = |what, target, shown, value| {
        format!("| {what} | {} | {shown} | {} | {} |", seconds(Some(target)), margin(target, value), met(target, value))
    };
    let rpa = interval(actual.rpa_seconds_min, actual.rpa_seconds_max);
    lines([
        "| | objective | actual | margin | |".to_owned(),
        "| --- | ---: | ---: | ---: | --- |".to_owned(),
        row("Recovery time (RTO, RTA)", targets.rto_seconds, seconds(actual.rta_seconds), actual.rta_seconds),
        row("Data loss (RPO, RPA)", targets.rpo_seconds, rpa, actual.rpa_seconds_max),
    ])
}

fn ledger(ledger: &Counts) -> String {
    let head = ["## Writes\n".to_owned(), "| | writes |".to_owned(), "| --- | ---: |".to_owned()];
    lines(head.into_iter().chain(ledger.rows().map(|(what, count)| format!("| {what} | {count} |"))))
}

fn restore_point(report: &Report) -> String {
    let Some(point) = &report.restore_point else { return String::new() };
    let used = format!(
        "## Restore point\n\n`{}`, snapshot of {:.3}, {} bytes.\n",
        point.name, point.created_at, point.size_bytes
    );
    let rejected =
        point.rejected.iter().map(|rejected| format!("- passed over `{}`: {}", rejected.name, rejected.reason));
    lines([used].into_iter().chain(rejected))
}

fn theft(report: &Report) -> String {
    let Some(theft) = &report.theft else { return String::new() };
    let head = [
        "## What a thief could do\n".to_owned(),
        format!("With the service's own credentials. Restored is the state as of {}.\n", theft.as_of),
        "| | tried | allowed | refused | |".to_owned(),
        "| --- | ---: | ---: | ---: | --- |".to_owned(),
    ];
    let rows = theft.deeds.iter().map(|deed| {
        let said = deed.refusal.as_deref().unwrap_or("");
        format!("| {} | {} | {} | {} | {said} |", deed.kind.meaning(), deed.tried(), deed.allowed, deed.refused)
    });
    lines(head.into_iter().chain(rows))
}

fn volumes(report: &Report) -> String {
    if report.placement.is_empty() {
        return String::new();
    }
    let head = ["## Volumes\n", "| | claim | volume | node |", "| --- | --- | --- | --- |"].map(str::to_owned);
    let rows = report.placement.iter().map(|Placement { at, placed }| {
        format!("| {} | {} | `{}` | {} |", at.name(), placed.claim, placed.volume, placed.node.as_deref().unwrap_or(""))
    });
    lines(head.into_iter().chain(rows))
}

fn phases(report: &Report) -> String {
    let (phases, actual) = (&report.phases, &report.actual);
    let rows = [
        ("Detection", phases.detection),
        ("Decision", phases.decision),
        ("Preparation", phases.preparation),
        ("Restore", phases.restore),
        ("Restart", phases.restart),
        ("*Recovery time (RTA)*", actual.rta_seconds),
        ("Verification, after that", phases.verification),
        ("Answering 200 with wrong data (false up)", actual.false_up_seconds),
        ("From the fault to a new verified restore point", actual.reprotection_seconds),
        ("Worst-case data loss over the backup cycles seen", actual.worst_case_rpo_seconds),
    ];
    let head = ["## Times\n".to_owned(), "| | |".to_owned(), "| --- | ---: |".to_owned()];
    lines(head.into_iter().chain(rows.map(|(what, time)| format!("| {what} | {} |", seconds(time)))))
}

fn events(report: &Report) -> String {
    let head = ["## Events\n".to_owned(), "| s | | | |".to_owned(), "| ---: | --- | --- | --- |".to_owned()];
    let rows = report
        .events
        .iter()
        .map(|entry| format!("| {:.3} | {} | {} | {} |", entry.seconds, entry.event.code(), entry.meaning, entry.note));
    lines(head.into_iter().chain(rows))
}

fn method(report: &Report) -> String {
    let method = &report.method;
    format!(
        "## Method\n\n\
         A writer and a reader at {} operations a second each, half an interval apart: no moment is known better than \
         {} s. Recovered means {} correct reads and as many acknowledged writes without a failure between them; an \
         outage is {} failed operations in a row. The moment of the fault: {}. The service's clock was ahead of the \
         drill's by {}. Backups every {} s: {} restore points seen, {} backups failed. \
         drill {}, service {}.\n\n\
         Every write with its outcome is in `ledger.jsonl`.",
        method.rate_per_second,
        method.resolution_seconds,
        method.run_length,
        method.detection_failures,
        method.inject_at.map_or_else(|| "none".to_owned(), |moment| moment.to_string()),
        interval(method.clock_ahead_seconds.map(|(least, _)| least), method.clock_ahead_seconds.map(|(_, most)| most)),
        method.backup_every_seconds,
        method.restore_points,
        method.failed_backups,
        method.drill_version,
        method.service_version.as_deref().unwrap_or("unknown"),
    )
}

//! The parts of a report.

use super::phases::Phase;
use super::section::{Column, Kind, Mark, Place, Row, Section, Table};
use crate::platform::Placement;
use crate::report::Report;
use crate::report::ranges::ranges;
use crate::report::schema::{Method, RestorePoint, SeenPoint};
use crate::resolution::Resolution;

pub(super) fn all(report: &Report, resolution: Resolution) -> Vec<Section> {
    [
        Some(writes(report)),
        Some(times(report, resolution)),
        Some(restore_points(report, resolution)),
        theft(report),
        volumes(report),
        Some(provenance(report)),
        Some(events(report, resolution)),
        Some(method(&report.method, resolution)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn writes(report: &Report) -> Section {
    let heading = "Writes".to_owned();
    let Some(ledger) = &report.ledger else {
        let lead = vec!["There was no final read: the ledger was not reconciled.".to_owned()];
        return Section { heading, lead, ..Section::default() };
    };
    let mut table = Table::facts(Kind::Number, ledger.rows().map(|(what, count)| (what, count.to_string())));
    for (row, (_, count)) in table.rows.iter_mut().zip(ledger.rows()).skip(2) {
        row.mark = if count == 0 { Mark::Idle } else { Mark::None };
    }
    let which = || format!("Numbers of the lost writes, as in ledger.jsonl: {}", ranges(&ledger.lost_writes));
    let notes = (ledger.lost > 0).then(which).into_iter().collect();
    Section { heading, table: Some(table), notes, ..Section::default() }
}

fn times(report: &Report, resolution: Resolution) -> Section {
    let (phases, actual) = (Phase::all(report).map(|phase| (phase.name, phase.seconds)), &report.actual);
    let others = [
        ("recovery time (RTA)", actual.rta_seconds),
        ("verification, after that", report.phases.verification),
        ("answering 200 with wrong data (false up)", actual.false_up_seconds),
        ("from the fault to a new verified restore point", actual.reprotection_seconds),
        ("worst-case data loss over the backup cycles seen", actual.worst_case_rpo_seconds),
    ];
    let rows = || phases.into_iter().chain(others);
    let mut table = Table::facts(Kind::Number, rows().map(|(what, time)| (what, resolution.seconds(time))));
    for (row, (_, time)) in table.rows.iter_mut().zip(rows()) {
        row.mark = if time.is_none() { Mark::Idle } else { Mark::None };
    }
    Section { heading: "Times".to_owned(), table: Some(table), place: Place::DrawnOnPage, ..Section::default() }
}

fn restore_points(report: &Report, resolution: Resolution) -> Section {
    let used = report.restore_point.as_ref();
    let restored = used.map(|used| {
        let RestorePoint { name, created_at, size_bytes, .. } = used;
        format!("restored {name}: the database as of {created_at:.3}, {size_bytes} bytes")
    });
    let rejected = used.into_iter().flat_map(|used| &used.rejected);
    let rejected = rejected.map(|rejected| format!("passed over {}: {}", rejected.name, rejected.reason));
    let columns = [
        Column::code("name"),
        Column::number("snapshot"),
        Column::number("published"),
        Column::number("bytes"),
        Column::text(""),
    ];
    let rows = report.restore_points.iter().map(|seen| seen_point(seen, used, resolution));
    let is_empty = report.restore_points.is_empty();
    Section {
        heading: "Restore points".to_owned(),
        lead: is_empty.then(|| "None appeared during the drill.".to_owned()).into_iter().collect(),
        table: (!is_empty).then(|| Table::new(columns, rows)),
        notes: restored.into_iter().chain(rejected).collect(),
        place: Place::OnPaper,
    }
}

fn seen_point(seen: &SeenPoint, used: Option<&RestorePoint>, resolution: Resolution) -> Row {
    let is_restored = used.is_some_and(|used| used.name == seen.name);
    let is_rejected = used.is_some_and(|used| used.rejected.iter().any(|rejected| rejected.name == seen.name));
    let [restored, rejected] =
        [(is_restored, "restored"), (is_rejected, "passed over")].map(|(is, what)| is.then_some(what));
    let suspect = seen.suspicions.iter().map(|suspicion| format!("suspect, {suspicion}"));
    let what: Vec<String> = restored.into_iter().chain(rejected).map(str::to_owned).chain(suspect).collect();
    let [began, published] = [seen.began_seconds, seen.published_seconds].map(|at| resolution.seconds(Some(at)));
    Row {
        mark: match (is_restored, is_rejected) {
            (true, _) => Mark::Chosen,
            (_, true) => Mark::Rejected,
            _ => Mark::None,
        },
        ..Row::from([seen.name.clone(), began, published, seen.size_bytes.to_string(), what.join("; ")])
    }
}

fn theft(report: &Report) -> Option<Section> {
    let theft = report.theft.as_ref()?;
    let columns = [
        Column::text("with the service's own credentials"),
        Column::number("tried"),
        Column::number("allowed"),
        Column::number("refused"),
        Column::text("the store said"),
    ];
    let rows = theft.deeds.iter().map(|deed| {
        let said = deed.refusal.clone().unwrap_or_default();
        let [tried, allowed, refused] = [deed.tried(), deed.allowed, deed.refused].map(|count| count.to_string());
        Row::from([deed.kind.meaning().to_owned(), tried, allowed, refused, said])
    });
    Some(Section {
        heading: "What a thief could do".to_owned(),
        table: Some(Table::new(columns, rows)),
        notes: vec![format!("Restored is the state as of {}, before all that.", theft.as_of)],
        ..Section::default()
    })
}

fn volumes(report: &Report) -> Option<Section> {
    let columns = [Column::text(""), Column::text("claim"), Column::code("volume"), Column::text("node")];
    let rows = report.placement.iter().map(|Placement { at, placed }| {
        let node = placed.node.clone().unwrap_or_default();
        Row::from([at.name().to_owned(), placed.claim.clone(), placed.volume.clone(), node])
    });
    (!report.placement.is_empty()).then(|| Section {
        heading: "Where the volumes were".to_owned(),
        table: Some(Table::new(columns, rows)),
        place: Place::OnPaper,
        ..Section::default()
    })
}

/// Who ran what where, for whoever has to rely on it.
fn provenance(report: &Report) -> Section {
    let Method { operator, host, commit, signed_by, drill_version, service_version, sqlite_version, .. } =
        &report.method;
    let or_unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let size = report.method.database_bytes.map(|bytes| format!("{bytes} bytes"));
    let signature = match signed_by {
        Some(key) => format!("{key}; drill verify-evidence --key KEY.pub FOLDER checks this whole folder"),
        None => "none: --sign-key signs reports".to_owned(),
    };
    let facts = [
        ("run by", format!("{} on {}", or_unknown(operator), or_unknown(host))),
        ("begun", format!("{:.3}", report.started_at)),
        ("run", report.run.clone()),
        ("commit", or_unknown(commit)),
        (
            "versions",
            format!(
                "drill {drill_version}, service {}, SQLite {}",
                or_unknown(service_version),
                or_unknown(sqlite_version)
            ),
        ),
        ("database", or_unknown(&size)),
        ("signed with", signature),
    ];
    Section {
        heading: "Who and what".to_owned(),
        table: Some(Table::facts(Kind::Text, facts)),
        place: Place::OnPaper,
        ..Section::default()
    }
}

fn events(report: &Report, resolution: Resolution) -> Section {
    let columns = [Column::number("seconds"), Column::text(""), Column::text("event"), Column::text("note")];
    let rows = report.events.iter().map(|entry| {
        let at = resolution.number(entry.seconds);
        Row::from([at, entry.event.code(), entry.meaning.clone(), entry.note.clone()])
    });
    Section {
        heading: "Events".to_owned(),
        table: Some(Table::new(columns, rows)),
        place: Place::Folded,
        ..Section::default()
    }
}

fn method(method: &Method, resolution: Resolution) -> Section {
    let seed = method.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    let (rate, run_length) = (method.rate_per_second, method.run_length);
    let facts = [
        Some((
            "resolution",
            format!(
                "no moment is known better than {} s: a writer and a reader at {rate} operations a second each, half an \
                 interval apart",
                method.resolution_seconds
            ),
        )),
        Some((
            "recovered",
            format!("{run_length} correct reads and as many acknowledged writes without a failure between them"),
        )),
        Some(("outage", format!("{} failed operations in a row", method.detection_failures))),
        Some((
            "backups",
            format!(
                "every {} s; {} restore points seen, {} backups failed",
                method.backup_every_seconds, method.restore_points, method.failed_backups
            ),
        )),
        method.inject_at.map(|moment| ("moment of the fault", format!("{moment}{seed}"))),
        method.clock_ahead_seconds.map(|(least, most)| {
            let ahead = resolution.interval(Some(least), Some(most));
            ("clocks", format!("the service's was {ahead} ahead of the drill's"))
        }),
        method.safety_copy.clone().map(|copy| ("safety copy", copy)),
        method.access.clone().map(|access| ("way to the service", access)),
        method.protector.clone().map(|protector| ("protected by", protector)),
        Some(("every write", "with its outcome in ledger.jsonl, every read in reads.jsonl".to_owned())),
    ];
    Section {
        heading: "How it was measured".to_owned(),
        table: Some(Table::facts(Kind::Text, facts.into_iter().flatten())),
        place: Place::Folded,
        ..Section::default()
    }
}

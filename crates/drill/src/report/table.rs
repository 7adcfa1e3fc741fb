//! The terminal: a report, a summary, a comparison. Fits 80 columns.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table as Drawn};

use super::view::{Column, Kind, Mark, Notice, Place, Section, Table, View};
use super::{Report, Series, lines};
use crate::report::history::Comparison;
use crate::resolution::Resolution;

/// The whole report as text.
pub(crate) fn tables(report: &Report) -> String {
    let view = View::of(report);
    let head = [format!("{}: {}", view.title, view.verdict.to_uppercase()), format!("  {}", view.headline)];
    let notices = view.notices.iter().flat_map(notice);
    let sections = view.sections.iter().filter(|section| section.place != Place::Folded).map(section);
    let objectives = draw(&view.objectives_table());
    lines(head.into_iter().chain(notices).chain([objectives]).chain(sections.filter(|text| !text.is_empty())))
}

fn notice(Notice { heading, lines, .. }: &Notice) -> impl Iterator<Item = String> {
    lines.iter().map(move |line| format!("  {}: {line}", heading.to_lowercase()))
}

/// A section, as far as a terminal has room for it.
pub(super) fn section(section: &Section) -> String {
    let table = section.table.as_ref().filter(|_| section.place != Place::OnPaper);
    let heading = table.map(|_| section.heading.clone());
    let said = section.lead.iter().cloned().chain(heading).chain(table.map(draw)).chain(section.notes.iter().cloned());
    said.collect::<Vec<String>>().join("\n")
}

pub(super) fn draw(table: &Table) -> String {
    let mut drawn = Drawn::new();
    drawn.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if table.has_head() {
        drawn.set_header(table.columns.iter().map(|Column(heading, _)| *heading));
    }
    drawn.add_rows(table.rows.iter().filter(|row| row.mark != Mark::Idle).map(|row| &row.cells));
    for (index, Column(_, kind)) in table.columns.iter().enumerate() {
        if let Some(column) = drawn.column_mut(index).filter(|_| *kind == Kind::Number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    drawn.to_string()
}

/// Two runs of a series beside each other.
pub(crate) fn comparison(series: &Series, compared: &Comparison) -> String {
    let resolution = Resolution::of(compared.resolution_seconds / 2.0);
    let columns = [
        Column::text(""),
        Column::number("before"),
        Column::number("after"),
        Column::number("change"),
        Column::text(""),
    ];
    let rows = compared.changes.iter().map(|change| {
        let difference = change.before.zip(change.after).map(|(before, after)| after - before);
        let sign = if difference.is_some_and(|difference| difference >= 0.0) { "+" } else { "" };
        [
            change.label.to_owned(),
            resolution.seconds(change.before),
            resolution.seconds(change.after),
            format!("{sign}{}", resolution.seconds(difference)),
            if change.regression { "WORSE" } else { "ok" }.to_owned(),
        ]
        .into()
    });
    let [before, after] = &compared.verdicts;
    let (percent, seconds) = (compared.tolerance_percent, compared.resolution_seconds);
    lines([
        format!("{series}: {}", if compared.regression { "REGRESSION" } else { "no regression" }),
        format!("  before {}: {before}", compared.before),
        format!("  after  {}: {after}", compared.after),
        draw(&Table::new(columns, rows)),
        format!("tolerance: {percent}% of the figure before, and {seconds} s that nobody can tell apart"),
    ])
}

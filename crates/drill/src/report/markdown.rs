//! Markdown, for reading: `report.md` and the sections of `summary.md`.

use super::lines;
use super::view::{Column, Kind, Notice, Row, Section, Table, View};

pub(super) fn render(view: &View) -> String {
    let head = [
        format!("# {}: {}\n", view.title, view.verdict),
        format!("{}\n", view.headline),
        lines(view.notices.iter().map(notice)),
        table(&view.objectives_table()),
    ];
    lines(head.into_iter().chain(view.sections.iter().map(section)))
}

fn notice(Notice { heading, lines: said, .. }: &Notice) -> String {
    lines([format!("**{heading}**\n")].into_iter().chain(said.iter().map(|line| format!("- {line}"))))
}

/// A section with its heading.
pub(super) fn section(section: &Section) -> String {
    let paragraphs = |said: &[String]| said.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>();
    let heading = (!section.heading.is_empty()).then(|| format!("## {}\n", section.heading));
    let notes = section.notes.iter().map(|note| format!("- {note}"));
    let parts =
        heading.into_iter().chain(paragraphs(&section.lead)).chain(section.table.iter().map(table)).chain(notes);
    lines(parts)
}

fn table(table: &Table) -> String {
    let rule = |Column(_, kind): &Column| if *kind == Kind::Number { "---:" } else { "---" };
    let headings: Vec<&str> = table.columns.iter().map(|Column(heading, _)| *heading).collect();
    let head = [headings, table.columns.iter().map(rule).collect()].map(|cells| format!("| {} |", cells.join(" | ")));
    lines(head.into_iter().chain(table.rows.iter().map(|row| cells(&table.columns, row))))
}

fn cells(columns: &[Column], row: &Row) -> String {
    let cell = |(index, (Column(_, kind), text)): (usize, (&Column, &String))| {
        let text = text.replace('|', r"\|").replace('\n', " ");
        match &row.folder {
            Some(folder) if index == 0 => format!("[{text}](../{folder}/report.md)"),
            _ if *kind == Kind::Code => format!("`{text}`"),
            _ => text,
        }
    };
    let cells: Vec<String> = columns.iter().zip(&row.cells).enumerate().map(cell).collect();
    format!("| {} |", cells.join(" | "))
}

//! Tables.

use maud::{Markup, html};

use crate::report::view::{Column, Kind, Mark, Place, Row, Section, Table};

/// A section as a card. What is raw is folded.
pub(super) fn section(section: &Section) -> Markup {
    let content = html! {
        @for line in &section.lead { p { (line) } }
        @if let Some(drawn) = &section.table { (table(drawn)) }
        @for note in &section.notes { p.note { (note) } }
    };
    match section.place {
        Place::Folded => html! { details.card { summary { h2 { (section.heading) } } (content) } },
        _ => html! { section.card.half { h2 { (section.heading) } (content) } },
    }
}

/// A table, which scrolls by itself where it is too wide.
pub(crate) fn table(table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" {
            table.facts[!table.has_head()] {
                @if table.has_head() {
                    thead {
                        tr {
                            @for Column(heading, kind) in &table.columns {
                                @if heading.is_empty() { td {} }
                                @else { th.number[*kind == Kind::Number] scope="col" { (heading) } }
                            }
                        }
                    }
                }
                tbody { @for row in &table.rows { (cells(&table.columns, row)) } }
            }
        }
    }
}

fn cells(columns: &[Column], row: &Row) -> Markup {
    html! {
        tr.restored[row.mark == Mark::Chosen].rejected[row.mark == Mark::Rejected]
            .idle[row.mark == Mark::Idle] {
            @for (Column(_, kind), cell) in columns.iter().zip(&row.cells).take(1) {
                th scope="row" {
                    @if let Some(folder) = &row.folder { a href={ "../" (folder) "/report.html" } { (cell) } }
                    @else if *kind == Kind::Code { code { (cell) } }
                    @else { (cell) }
                }
            }
            @for (Column(_, kind), cell) in columns.iter().zip(&row.cells).skip(1) {
                td.number[*kind == Kind::Number] { @if *kind == Kind::Code { code { (cell) } } @else { (cell) } }
            }
        }
    }
}

//! The ledger, in short and in full.

use maud::{Markup, html};

use crate::report::Report;
use crate::report::figures::seconds;
use crate::report::ranges::ranges;

/// The numbers that one asks for first.
pub(super) fn tiles(report: &Report) -> Markup {
    let tile = |what: &str, value: &str, odd: bool| html! { div.odd[odd] { dt { (what) } dd { (value) } } };
    let count = |what: &str, count: usize, odd: bool| tile(what, &count.to_string(), odd);
    html! {
        dl.tiles {
            @if let Some(ledger) = &report.ledger {
                (count("acknowledged writes", ledger.acknowledged, false))
                (count("of them lost", ledger.lost, ledger.lost > 0))
                @let wrong = ledger.duplicates + ledger.unexpected;
                (count("doubled or invented", wrong, wrong > 0))
            }
            (tile("answered with wrong data (false up)", &seconds(report.actual.false_up_seconds), false))
            (tile("protected again after", &seconds(report.actual.reprotection_seconds), false))
        }
    }
}

/// Every count, and the numbers of the lost writes.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section.card {
            h2 { "Writes" }
            @if let Some(ledger) = &report.ledger {
                table {
                    tbody {
                        @for (what, count) in ledger.rows() {
                            tr { th scope="row" { (what) } td.number { (count) } }
                        }
                    }
                }
                @if ledger.lost > 0 {
                    p.note {
                        "Numbers of the lost writes, as in " code { "ledger.jsonl" } ": " (ranges(&ledger.lost_writes))
                    }
                }
            } @else {
                p { "There was no final read: the ledger was not reconciled." }
            }
        }
    }
}

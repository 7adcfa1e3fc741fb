//! The numbers that one asks for first.

use maud::{Markup, html};

use crate::report::view::View;

pub(super) fn tiles(view: &View) -> Markup {
    let (actual, resolution) = (&view.report.actual, view.resolution);
    let tile = |what: &str, value: &str, odd: bool| html! { div.odd[odd] { dt { (what) } dd { (value) } } };
    let count = |what: &str, count: usize, odd: bool| tile(what, &count.to_string(), odd);
    html! {
        dl.tiles {
            @if let Some(ledger) = &view.report.ledger {
                (count("acknowledged writes", ledger.acknowledged, false))
                (count("of them lost", ledger.lost, ledger.lost > 0))
                @let wrong = ledger.duplicates + ledger.unexpected;
                (count("doubled or invented", wrong, wrong > 0))
            }
            (tile("answered with wrong data (false up)", &resolution.seconds(actual.false_up_seconds), false))
            (tile("protected again after", &resolution.seconds(actual.reprotection_seconds), false))
        }
    }
}

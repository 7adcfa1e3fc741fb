//! The time line, and how to read it.

use maud::{Markup, html};

use crate::report::picture::Picture;

/// What the colours and shapes mean: the class of the sample, and the words.
const LEGEND: [(&str, &str); 10] = [
    ("up", "up: reads are right"),
    ("false-up", "false up: answers 200 with wrong data"),
    ("down", "down: no answer"),
    ("unseen", "nobody looked"),
    ("stroke", "write acknowledged"),
    ("stroke lost", "acknowledged, then lost"),
    ("stroke failed", "refused or unsure"),
    ("diamond", "restore point"),
    ("diamond restored", "the one restored"),
    ("diamond rejected", "passed over"),
];

/// The section. Of the two pictures, a screen or a sheet of paper shows the one that fits.
pub(super) fn section(wide: &Picture, narrow: &Picture) -> Markup {
    html! {
        section.card.picture {
            h2 { "Time line" }
            ul.legend { @for (class, words) in LEGEND { li { span.key.(class) {} (words) } } }
            @for (picture, size) in [(wide, "wide"), (narrow, "narrow")] {
                div class=(size) {
                    h3 { (picture.overview.title) }
                    (picture.overview)
                    @if let Some(outage) = &picture.outage { h3 { (outage.title) } (outage) }
                }
            }
        }
    }
}

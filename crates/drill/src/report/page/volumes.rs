//! Where the volumes were.

use maud::{Markup, html};

use crate::report::Report;

/// The section; nothing where it is not known.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        @if !report.placement.is_empty() {
            section.card {
                h2 { "Where the volumes were" }
                div.scroll {
                    table {
                        thead {
                            tr { @for head in ["", "claim", "volume", "node"] { th scope="col" { (head) } } }
                        }
                        tbody {
                            @for placement in &report.placement {
                                tr {
                                    td { (placement.at.name()) }
                                    td { (placement.placed.claim) }
                                    td { code { (placement.placed.volume) } }
                                    td { (placement.placed.node.as_deref().unwrap_or("")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

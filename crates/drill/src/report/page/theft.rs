//! What a thief of the service's credentials could do.

use maud::{Markup, html};

use crate::report::Report;

/// The section; nothing without a thief.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        @if let Some(theft) = &report.theft {
            section.card {
                h2 { "What a thief could do" }
                div.scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "with the service's own credentials" }
                                @for head in ["tried", "allowed", "refused"] { th.number scope="col" { (head) } }
                                th scope="col" { "the store said" }
                            }
                        }
                        tbody {
                            @for deed in &theft.deeds {
                                tr {
                                    td { (deed.kind.meaning()) }
                                    @for count in [deed.tried(), deed.allowed, deed.refused] { td.number { (count) } }
                                    td { (deed.refusal.as_deref().unwrap_or("")) }
                                }
                            }
                        }
                    }
                }
                p.note { "Restored is the state as of " (theft.as_of) ", before all that." }
            }
        }
    }
}

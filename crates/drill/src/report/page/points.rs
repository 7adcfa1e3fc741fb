//! The restore points that appeared, and what each was to the drill.

use maud::{Markup, html};

use crate::report::Report;
use crate::report::figures::seconds;
use crate::report::schema::{RestorePoint, SeenPoint};

pub(super) fn section(report: &Report) -> Markup {
    let used = report.restore_point.as_ref();
    html! {
        section.card {
            h2 { "Restore points" }
            @if report.restore_points.is_empty() {
                p { "None appeared during the drill." }
            } @else {
                div.scroll {
                    table {
                        thead {
                            tr {
                                th scope="col" { "name" }
                                @for head in ["snapshot", "published", "bytes"] { th.number scope="col" { (head) } }
                                th scope="col" {}
                            }
                        }
                        tbody { @for seen in &report.restore_points { (row(seen, used)) } }
                    }
                }
            }
            @if let Some(used) = used {
                p.note { "Restored: " code { (used.name) } ", a snapshot of " (format!("{:.3}", used.created_at)) "." }
                @for rejected in &used.rejected {
                    p.note { "Passed over: " code { (rejected.name) } ": " (rejected.reason) }
                }
            }
        }
    }
}

fn row(seen: &SeenPoint, used: Option<&RestorePoint>) -> Markup {
    let restored = used.is_some_and(|used| used.name == seen.name);
    let rejected = used.is_some_and(|used| used.rejected.iter().any(|rejected| rejected.name == seen.name));
    html! {
        tr.restored[restored].rejected[rejected] {
            td { code { (seen.name) } }
            td.number { (seconds(Some(seen.began_seconds))) }
            td.number { (seconds(Some(seen.published_seconds))) }
            td.number { (seen.size_bytes) }
            td {
                @if restored { "restored" }
                @if rejected { "passed over" }
                @for suspicion in &seen.suspicions { " suspect, " (suspicion) }
            }
        }
    }
}

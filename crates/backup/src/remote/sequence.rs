//! Where in the order of a remote repository a restore point belongs.

use crate::Manifest;

/// The sequence number for `local` beside those `there`.
///
/// It is its own, unless its repository began to count anew (its volume was lost while the database lived): a restore
/// point that is younger than one of its lineage must not come before it, or a pull would fetch the older one and a
/// prune remove the younger.
pub(super) fn of(local: &Manifest, there: &[Manifest]) -> u64 {
    let is_overtaken = there.iter().any(|other| {
        other.lineage == local.lineage && other.created_at < local.created_at && other.sequence >= local.sequence
    });
    let last = there.iter().map(|other| other.sequence).max();
    if is_overtaken { last.map_or(local.sequence, |last| last.saturating_add(1)) } else { local.sequence }
}

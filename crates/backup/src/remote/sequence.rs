//! The position of a restore point in the order of a remote repository.

use jiff::Timestamp;

use super::outline;
use crate::{Identity, Manifest, clock};

/// The sequence number for `local` beside those `there`.
///
/// It is its own, unless its repository began to count anew (its volume was lost while the database lived): a restore
/// point that is younger than one of its lineage must not come before it, or a pull would fetch the older one and a
/// prune remove the younger. Of a clock that was ahead, nothing is concluded.
pub(super) fn of(local: &Manifest, there: &[Manifest], now: Timestamp) -> u64 {
    let is_younger_for_sure = !clock::is_ahead(local.created_at, now);
    // What is encrypted there is known by its outline.
    let (identity, outlined) = (local.identity(), outline::of(local).identity());
    let is_same = |other: &Identity| *other == identity || *other == outlined;
    let is_overtaken = is_younger_for_sure
        && there.iter().any(|other| {
            is_same(&other.identity()) && other.created_at < local.created_at && other.sequence >= local.sequence
        });
    let last = there.iter().map(|other| other.sequence).max();
    if is_overtaken { last.map_or(local.sequence, |last| last.saturating_add(1)) } else { local.sequence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(sequence: u64, minute: u32, lineage: Option<char>) -> Manifest {
        let lineage = lineage.map(|digit| digit.to_string().repeat(32));
        let instant = format!("2026-11-22T18:{minute:02}:00Z");
        serde_json::from_value(serde_json::json!({
            "schema_version": 1, "sequence": sequence, "name": "app-20261122T180935.449Z",
            "created_at": instant, "verified_at": instant, "size_bytes": 0, "page_size": 4096, "page_count": 0,
            "blake3": "", "lineage": lineage, "high_water": {}, "sqlite_version": "", "tool_version": "",
            "durations": {"copy_seconds": 0.0, "verify_seconds": 0.0}
        }))
        .unwrap()
    }

    #[test]
    fn only_a_younger_one_that_would_come_before_an_older_gets_a_number_of_its_own() {
        let now = manifest(1, 59, None).created_at;
        let there = [manifest(3, 10, Some('a')), manifest(9, 11, Some('b'))];
        for (local, expected) in [
            (manifest(4, 12, Some('a')), 4),
            (manifest(2, 9, Some('a')), 2),
            (manifest(1, 12, Some('a')), 10),
            (manifest(3, 12, Some('a')), 10),
            (manifest(1, 12, Some('c')), 1),
            (manifest(1, 12, None), 1),
        ] {
            assert_eq!(of(&local, &there, now), expected, "{local:?}");
        }
        assert_eq!(of(&manifest(1, 1, None), &[], now), 1);
        assert_eq!(of(&manifest(1, 12, Some('a')), &there, manifest(1, 9, None).created_at), 1, "the clock was ahead");
    }
}

//! What of a manifest is to be read without a key, where manifests are encrypted: what listing and pruning need. Names of
//! tables, paths, keys and findings are data, as rows are.

use std::collections::BTreeMap;

use crate::manifest::Compressed;
use crate::{Durations, Identity, Manifest, Suspicion};

/// The manifest without what it tells of the database, in the same form. Its lineage is another one, which tells only that
/// two are of the same database, and its digest tells only that two are of the same content.
pub(super) fn of(manifest: &Manifest) -> Manifest {
    let Manifest { schema_version, sequence, ref name, created_at, verified_at, confirmed_at, .. } = *manifest;
    let Manifest { confirmed_after, confirmed_ahead_at, not_before, size_bytes, page_size, page_count, .. } = *manifest;
    let identity = manifest.identity();
    let own = identity.as_str();
    let words = || "what it is, is encrypted".to_owned();
    let suspicion = |suspicion: &Suspicion| Suspicion { kind: suspicion.kind, reason: words() };
    Manifest {
        schema_version,
        sequence,
        name: name.clone(),
        created_at,
        verified_at,
        confirmed_at,
        confirmed_after,
        confirmed_ahead_at,
        not_before,
        size_bytes,
        page_size,
        page_count,
        // The lineage is random, so that nobody can try whether it is that of a content that they have.
        blake3: opaque("restore point outline 1, content", &format!("{own} {}", manifest.blake3)),
        content_blake3: None,
        compressed: manifest
            .compressed
            .as_ref()
            .map(|Compressed { bytes, .. }| Compressed { bytes: *bytes, blake3: String::new() }),
        lineage: (identity != Identity::Unknown)
            .then(|| opaque("restore point outline 1, identity", own)[..32].parse().ok())
            .flatten(),
        source: None,
        change_counter: None,
        tables: None,
        high_water: BTreeMap::new(),
        has_rows: None,
        checked: None,
        suspicions: manifest.suspicions.iter().map(suspicion).collect(),
        follows_suspect: manifest.follows_suspect.clone(),
        restored_from: None,
        trusted_at: manifest.trusted_at,
        sqlite_version: String::new(),
        tool_version: String::new(),
        durations: Durations { copy_seconds: 0.0, held_seconds: None, verify_seconds: 0.0 },
    }
}

/// Always the same for the same text, which it does not tell.
fn opaque(context: &str, text: &str) -> String {
    blake3::Hasher::new_derive_key(context).update(text.as_bytes()).finalize().to_hex().to_string()
}

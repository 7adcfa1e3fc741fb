//! The part of an encrypted manifest that stays readable without a key: what listing and pruning need. Names of tables,
//! paths, keys and findings are data, just like rows.

use crate::manifest::Compressed;
use crate::{Identity, Manifest, Suspicion};

/// The manifest without what it tells of the database, in the same form. Its lineage is another one, which tells only that
/// two are of the same database, and its digest tells only that two are of the same content.
pub(super) fn of(manifest: &Manifest) -> Manifest {
    let &Manifest { sequence, ref name, created_at, size_bytes, page_size, page_count, .. } = manifest;
    let identity = manifest.identity();
    let own = identity.as_str();
    let words = || "its content is encrypted".to_owned();
    let suspicion = |suspicion: &Suspicion| Suspicion { kind: suspicion.kind, reason: words() };
    // The lineage is random, so that nobody can try whether it is that of a content that they have.
    let blake3 = opaque("restore point outline 1, content", &format!("{own} {}", manifest.blake3));
    let lineage = || opaque("restore point outline 1, identity", own)[..32].parse().ok();
    Manifest {
        schema_version: manifest.schema_version,
        verified_at: manifest.verified_at,
        confirmed_at: manifest.confirmed_at,
        confirmed_after: manifest.confirmed_after,
        confirmed_ahead_at: manifest.confirmed_ahead_at,
        not_before: manifest.not_before,
        compressed: manifest
            .compressed
            .as_ref()
            .map(|stored| Compressed { bytes: stored.bytes, blake3: String::new() }),
        lineage: (identity != Identity::Unknown).then(lineage).flatten(),
        suspicions: manifest.suspicions.iter().map(suspicion).collect(),
        follows_suspect: manifest.follows_suspect.clone(),
        trusted_at: manifest.trusted_at,
        ..Manifest::of((sequence, name.clone(), created_at), (size_bytes, page_size, page_count), blake3)
    }
}

/// Always the same for the same text, which it does not tell.
fn opaque(context: &str, text: &str) -> String {
    blake3::Hasher::new_derive_key(context).update(text.as_bytes()).finalize().to_hex().to_string()
}

//! Knows a database again that has not changed since its newest restore point, which is then confirmed, not copied.
//!
//! Nothing cheaper than reading all of it is right: the change counter, file sizes and times, WAL salts and, on a
//! connection that was just opened, `data_version` each miss some change.

use std::ops::ControlFlow;
use std::path::Path;

use crate::digest::OfContent;
use crate::pages::Limits;
use crate::source::Snapshot;
use crate::verify::{self, Check};
use crate::{Error, Manifest, Writer};

/// Confirms the newest restore point of the repository, if the snapshot holds what it holds and it is good.
///
/// # Errors
/// Those of reading the source and the repository. A damaged restore point is none: it is passed over, and logged.
pub(crate) fn newest(
    writer: &Writer,
    snapshot: &Snapshot,
    path: &Path,
    check: Check,
    limits: Limits<'_>,
) -> Result<Option<Manifest>, Error> {
    let Some(newest) = writer.repository().newest(None)? else { return Ok(None) };
    if newest.content_blake3.is_none()
        || !may_hold(&newest, snapshot)
        || newest.content_blake3 != content(snapshot, path, limits)?
    {
        return Ok(None);
    }
    // The quick check, which it passed when it was taken, would find nothing in the same bytes.
    let check = if check == Check::Full { check } else { Check::None };
    match verify::restore_point(writer.repository(), &newest, check) {
        Ok(()) => {}
        Err(Error::Damaged { reason, .. }) => {
            tracing::warn!(name = %newest.name, "not confirmed but taken anew, since it is damaged: {reason}");
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    // The clock may have gone back.
    let confirmed_at = Some(snapshot.created_at.max(newest.current_at()));
    let confirmed = Manifest { confirmed_at, ..newest };
    writer.describe(&confirmed)?;
    Ok(Some(confirmed))
}

/// What is known without reading all of the snapshot.
fn may_hold(manifest: &Manifest, Snapshot { content, .. }: &Snapshot) -> bool {
    (manifest.page_size, manifest.page_count) == (content.page_size, content.page_count)
        && manifest.lineage == content.lineage
        && manifest.high_water == content.high_water
}

/// The digest of all pages of the snapshot; `None` if somebody committed while they were read.
fn content(snapshot: &Snapshot, path: &Path, limits: Limits<'_>) -> Result<Option<String>, Error> {
    let mut digest = OfContent::default();
    let one_state = snapshot.each_chunk(path, limits, |chunk, _| {
        digest.update(chunk);
        ControlFlow::Continue(())
    })?;
    Ok(one_state.then(|| digest.finish()))
}

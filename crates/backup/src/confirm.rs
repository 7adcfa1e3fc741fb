//! Recognises a database that has not changed since its newest restore point, which is then confirmed instead of
//! copied.
//!
//! Nothing cheaper than reading all of it is right: the change counter, file sizes and times, WAL salts and, on a
//! connection that was just opened, `data_version` each miss some change.

use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;

use crate::digest::OfContent;
use crate::limits::Limits;
use crate::source::Snapshot;
use crate::verify::{self, Check};
use crate::{Error, Manifest, Source, Writer};

/// Confirms the newest restore point of the database, if the snapshot holds what it holds and it is good.
///
/// # Errors
/// Those of reading the source and the repository. A damaged restore point is none: it is passed over, and logged.
pub(crate) fn newest(
    writer: &Writer,
    newest: &Manifest,
    (snapshot, source): (&Snapshot, &Source),
    (database, check): (&Path, Check),
    limits: Limits<'_>,
) -> Result<Option<Manifest>, Error> {
    // One that this user may not read may be newer.
    if let Err(error) = writer.repository().expect_readable(&writer.repository().entries()?) {
        tracing::warn!("cannot confirm the newest restore point, taking a new one: {:#}", anyhow::Error::from(error));
        return Ok(None);
    }
    if newest.content_blake3.is_none()
        || !may_hold(newest, snapshot)
        || newest.content_blake3 != content(snapshot, database, limits)?
    {
        return Ok(None);
    }
    // What a quicker check found when it was taken, it would find again in the same bytes.
    let check = if check == Check::Full { Check::Full } else { Check::None };
    let checked = match verify::restore_point(writer.repository(), newest, Some(check)) {
        Ok(checked) => checked,
        Err(Error::Damaged { reason, .. }) => {
            tracing::warn!(name = %newest.name, "cannot confirm it because it is damaged, taking a new one: {reason}");
            return Ok(None);
        }
        // Left by another user: no reason to have no newer one.
        Err(error) if error.is_denied() => {
            tracing::warn!(name = %newest.name, "cannot confirm it, taking a new one: \
            {:#}", anyhow::Error::from(error));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    // It may have been moved, or given a name.
    let mut confirmed = Manifest { source: Some(source.clone()), ..confirmed(newest, snapshot.created_at) };
    if check == Check::Full {
        confirmed.checked = Some(checked);
    }
    writer.describe(&confirmed)?;
    Ok(Some(confirmed))
}

/// Confirmed at an instant. Where the clock was ahead before, or is behind now, nobody knows which; both are kept.
fn confirmed(newest: &Manifest, at: Timestamp) -> Manifest {
    let ahead = newest.confirmed_at.max(newest.confirmed_ahead_at).filter(|before| *before > at);
    let after = newest.confirmed_at.unwrap_or(newest.created_at);
    Manifest { confirmed_at: Some(at), confirmed_after: Some(after), confirmed_ahead_at: ahead, ..newest.clone() }
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

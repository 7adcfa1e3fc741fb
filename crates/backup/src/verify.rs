//! Whether a restore point is what its manifest says.

use std::io::Write;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};

pub use crate::checked::{Check, Checked, Verdict};
use crate::checked::{Outcome, look};
use crate::content::Content;
use crate::space::Room;
use crate::stored::expect;
use crate::{Error, Manifest, Repository, State, stored, untrusted};

/// Compares the bytes of a restore point with the digest in its manifest.
pub fn digest(repository: &Repository, manifest: &Manifest) -> Result<(), Error> {
    stored::read(&repository.stored_file(manifest), manifest, |_| Ok(()))
}

/// Compares the files of a restore point with its manifest: size, digest, structure, recovery point. SQLite looks at it as
/// it did when it was taken, unless something else is asked for.
///
/// # Errors
/// [`Error::Damaged`] with what was expected and found; [`Error::Io`] if the file cannot be read.
pub fn restore_point(repository: &Repository, manifest: &Manifest, check: Option<Check>) -> Result<Checked, Error> {
    let (path, check) = (repository.stored_file(manifest), manifest.check(check));
    if manifest.compressed.is_none() {
        stored::read(&path, manifest, |_| Ok(()))?;
        return structure(&path, manifest, check);
    }
    // Every bit of the database is compared with its digest; only SQLite needs it as a file.
    if check == Check::None {
        return digest(repository, manifest).map(|()| Checked::not());
    }
    let directory = std::env::temp_dir();
    let fails = |error| Error::io("unpack a restore point in", &directory)(error);
    let mut unpacked = tempfile::NamedTempFile::new_in(&directory).map_err(fails)?;
    let mut room = Room::new(&directory, manifest.size_bytes)?;
    stored::read(&path, manifest, |chunk| {
        room.written(chunk.len())?;
        unpacked.write_all(chunk).map_err(fails)
    })?;
    structure(unpacked.path(), manifest, check).map_err(|error| blame(&path, error))
}

/// The same bytes, but the file people can look at is the restore point.
pub(crate) fn blame(restore_point: &Path, error: Error) -> Error {
    match error {
        Error::Damaged { reason, .. } => Error::damaged(restore_point, reason),
        other => other,
    }
}

/// What to verify for an entry that is no restore point: there is nothing good about it.
pub fn entry(repository: &Repository, entry: &crate::Entry, check: Option<Check>) -> Result<Checked, Error> {
    match &entry.state {
        State::Complete { manifest } => restore_point(repository, manifest, check),
        State::Incomplete { reason } => repository
            .expect_readable(std::slice::from_ref(entry))
            .and(Err(Error::damaged(&repository.database(&entry.name), reason))),
    }
}

/// Opens a file that nobody writes, compares its content with the manifest, and lets SQLite check it.
pub(crate) fn structure(path: &Path, manifest: &Manifest, check: Check) -> Result<Checked, Error> {
    let connection = untrusted::open_immutable(path).map_err(|error| damage(path, error))?;
    let checked = content_of(&connection, path, manifest, check)?;
    // What was found in these bytes when they were taken is still in them.
    let known = manifest.checked.as_ref().filter(|known| known.check != Check::None && known.verdict != Verdict::Sound);
    Ok(match known {
        Some(known) if checked.verdict == Verdict::Sound => known.clone(),
        _ => checked,
    })
}

/// The same of a copy that nobody else knows of yet, and more: SQLite knows the CHECKs of a database that it could write, and
/// of no other. Its header must say that it is not in WAL mode, or files would appear beside it.
pub(crate) fn own_copy(path: &Path, manifest: &Manifest, check: Check) -> Result<Checked, Error> {
    let connection = untrusted::open_alone(path).map_err(|error| damage(path, error))?;
    content_of(&connection, path, manifest, check)
}

fn content_of(connection: &Connection, path: &Path, manifest: &Manifest, check: Check) -> Result<Checked, Error> {
    let damage = |error| damage(path, error);
    let found = Content::read(connection).map_err(damage)?;
    expect(path, "page size", &manifest.page_size, &found.page_size)?;
    expect(path, "page count", &manifest.page_count, &found.page_count)?;
    expect(path, "lineage", &manifest.lineage, &found.lineage)?;
    expect(path, "high-water marks", &manifest.high_water, &found.high_water)?;
    unless_damaged(path, look(connection, check).map_err(damage)?)
}

/// What SQLite said, unless it is that the file is damaged.
pub(crate) fn unless_damaged(path: &Path, outcome: Outcome) -> Result<Checked, Error> {
    match outcome {
        Outcome::Checked(checked) => Ok(checked),
        Outcome::Damaged(fault) => Err(Error::damaged(path, format!("SQLite's check expected ok, found {fault:?}"))),
    }
}

/// What SQLite says of a file that nobody writes.
pub(crate) fn damage(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::damaged(path, error.to_string()),
        _ => Error::sqlite("read", path)(error),
    }
}

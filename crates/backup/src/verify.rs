//! Whether a restore point is what its manifest says.

use std::io::Write;
use std::path::Path;

use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::content::{self, Content};
use crate::{Error, Manifest, Repository, State, stored};

/// How thoroughly SQLite looks at a copy, beyond the digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Not at all.
    None,
    /// `quick_check`: every page, without comparing indexes with their tables.
    #[default]
    Quick,
    /// `integrity_check`: all of it.
    Full,
}

/// Compares the files of a restore point with its manifest: size, digest, structure, recovery point.
///
/// # Errors
/// [`Error::Damaged`] with what was expected and found; [`Error::Io`] if the file cannot be read.
pub fn restore_point(repository: &Repository, manifest: &Manifest, check: Check) -> Result<(), Error> {
    let path = repository.stored_file(manifest);
    if manifest.compressed.is_none() {
        stored::read(&path, manifest, |_| Ok(()))?;
        return structure(&path, manifest, check);
    }
    // Every bit of the database is compared with its digest; only SQLite needs it as a file.
    if check == Check::None {
        return stored::read(&path, manifest, |_| Ok(()));
    }
    let directory = std::env::temp_dir();
    let fails = |error| Error::io("unpack a restore point in", &directory)(error);
    let mut unpacked = tempfile::NamedTempFile::new_in(&directory).map_err(fails)?;
    stored::read(&path, manifest, |chunk| unpacked.write_all(chunk).map_err(fails))?;
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
///
/// # Errors
/// [`Error::Damaged`] with the reason of the state.
pub fn entry(repository: &Repository, entry: &crate::Entry, check: Check) -> Result<(), Error> {
    match &entry.state {
        State::Complete { manifest } => restore_point(repository, manifest, check),
        State::Incomplete { reason } => Err(Error::damaged(&repository.database(&entry.name), reason)),
    }
}

pub(crate) fn file_size(path: &Path, manifest: &Manifest, found: u64) -> Result<(), Error> {
    expect(path, "size in bytes", &manifest.stored_bytes(), &found)
}

pub(crate) fn file_digest(path: &Path, manifest: &Manifest, found: &str) -> Result<(), Error> {
    expect(path, "BLAKE3", &manifest.stored_blake3(), &found)
}

/// Opens a file that nobody writes and compares its content with the manifest.
pub(crate) fn structure(path: &Path, manifest: &Manifest, check: Check) -> Result<(), Error> {
    let damage = |error| damage(path, error);
    let connection = content::open_immutable(path).map_err(damage)?;
    let found = Content::read(&connection).map_err(damage)?;
    expect(path, "page size", &manifest.page_size, &found.page_size)?;
    expect(path, "page count", &manifest.page_count, &found.page_count)?;
    expect(path, "lineage", &manifest.lineage, &found.lineage)?;
    expect(path, "high-water marks", &manifest.high_water, &found.high_water)?;
    match integrity(&connection, check).map_err(damage)? {
        None => Ok(()),
        Some(fault) => Err(Error::damaged(path, format!("SQLite's check expected ok, found {fault:?}"))),
    }
}

/// What SQLite says of a file that nobody writes.
pub(crate) fn damage(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::damaged(path, error.to_string()),
        _ => Error::sqlite("read", path)(error),
    }
}

/// The first fault that SQLite finds.
pub(crate) fn integrity(connection: &Connection, check: Check) -> rusqlite::Result<Option<String>> {
    let pragma = match check {
        Check::None => return Ok(None),
        Check::Quick => "PRAGMA quick_check(1)",
        Check::Full => "PRAGMA integrity_check(1)",
    };
    let answer: String = connection.query_row(pragma, [], |row| row.get(0))?;
    Ok((answer != "ok").then_some(answer))
}

pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(
    path: &Path,
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::damaged(path, format!("{what} expected {expected:?}, found {found:?}")))
}

//! SQLite on a database that others made: what is in it must neither run for ever nor take all memory. The expressions of
//! CHECKs, generated columns and indexes are its owner's code.
//!
//! SQLite opens files by their paths. Here these are real paths, at which it follows no link, and it follows none at those of
//! its side files either. Between the look at a path and its opening, who may write the directory can put another file there.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use crate::paths::directory_of;
use crate::{Error, bounds, durable, openat, paths};

/// What SQLite leaves as it is in the path of a URI.
const URI_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// What a rollback journal ends with that names another file, see "super-journal" in SQLite's `pager.c`.
const NAMES_ANOTHER: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Opens the database at a real path, to write it too if that is permitted: a hot journal or a WAL left by a crash has to be
/// recovered first. Never creates the file.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    limited(Connection::open_with_flags(path, flags() | OpenFlags::SQLITE_OPEN_READ_WRITE)?, path)
}

/// Opens a database file that nobody writes. It may carry a WAL header and lie on a read-only volume, so neither
/// locks nor side files may be used. Its check ends in time.
pub(crate) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let real = openat::resolve_named(path).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
    let encoded = percent_encoding::percent_encode(real.as_os_str().as_encoded_bytes(), URI_PATH);
    let flags = flags() | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let mut connection = limited(Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags)?, &real)?;
    end_after(&mut connection, Some(patience(&real)))?;
    Ok(connection)
}

/// Opens for writing a copy that nobody else knows of. Its check ends in time.
pub(crate) fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let real = openat::resolve_named(path).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
    // SQLite would take for its own what somebody left there.
    let removed =
        ["-wal", "-journal"].iter().try_for_each(|suffix| durable::remove(&paths::with_suffix(&real, suffix)));
    removed.map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
    let mut connection = open(&real)?;
    end_after(&mut connection, Some(patience(&real)))?;
    Ok(connection)
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW
}

fn limited(connection: Connection, path: &Path) -> rusqlite::Result<Connection> {
    // What is stored in a file is shorter than it; what is made of it need not be much longer.
    let length = bytes(path).saturating_mul(2).max(bounds::COMPUTED_BYTES);
    let is_less = |most: i32| i32::try_from(length).unwrap_or(most).min(most);
    let most = connection.limit(Limit::SQLITE_LIMIT_LENGTH)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, is_less(most))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(connection)
}

/// The name of a table or column for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Ends what a connection does after a time, with [`rusqlite::ErrorCode::OperationInterrupted`]; with `None`, nothing does.
pub(crate) fn end_after(connection: &mut Connection, limit: Option<Duration>) -> rusqlite::Result<()> {
    let handler = limit.map(|limit| {
        let began = Instant::now();
        move || began.elapsed() > limit
    });
    connection.progress_handler(bounds::STEPS_UNSEEN, handler)
}

/// How long the check of a database may take.
pub(crate) fn patience(path: &Path) -> Duration {
    bounds::CHECK_TIME + Duration::from_secs(bytes(path) / bounds::CHECK_BYTES_A_SECOND)
}

/// Zero where it cannot be told: opening it will say why.
fn bytes(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
}

/// Fails if root would roll back a journal of somebody else that names a file to be removed when that is done: SQLite removes
/// any file that it names.
pub(crate) fn check_journal(database: &Path) -> Result<(), Error> {
    let looks = || Error::io("look at", database);
    let directory = fs::symlink_metadata(directory_of(database)).map_err(looks())?;
    let is_roots = directory.uid() == 0 && directory.mode() & 0o022 == 0;
    if !geteuid().is_root() || is_roots {
        return Ok(());
    }
    let journal = paths::with_suffix(database, "-journal");
    let end = openat::read(&journal).and_then(|mut file| {
        let mut end = [0; NAMES_ANOTHER.len()];
        let length = file.metadata()?.len();
        if length >= end.len() as u64 {
            file.seek(SeekFrom::End(-(end.len() as i64)))?;
            file.read_exact(&mut end)?;
        }
        Ok(end)
    });
    match end {
        Ok(end) if end == NAMES_ANOTHER => Err(Error::Source {
            path: database.to_owned(),
            reason:
                "its -journal file names another file, which SQLite would delete as root; open the database once as \
                 its owner, which rolls the journal back"
                    .into(),
        }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("look at", &journal)(error)),
        _ => Ok(()),
    }
}

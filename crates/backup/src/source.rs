//! The live database: opened so that copying leaves it as it is, and read in one held transaction.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{Timestamp, TimestampRound, Unit};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

use crate::at_rest::{self, AtRest};
use crate::content::{self, Content, Holdings};
use crate::limits::{BUSY_MAX, Limits, Progress};
use crate::rollback::Turns;
use crate::{Error, openat, pages, untrusted};

/// A state of the source, held by a read transaction that ends when this is dropped. In rollback-journal mode it ended
/// already, see `turns`.
pub(crate) struct Snapshot {
    pub connection: Connection,
    /// Taken before the first read, to the microsecond: what was committed before is in the snapshot.
    pub created_at: Timestamp,
    pub content: Content,
    pub holdings: Holdings,
    /// See [`crate::Manifest::change_counter`].
    pub change_counter: Option<u32>,
    pub kept: Kept,
    /// How to read it without keeping writers waiting; `None` in WAL mode, where nobody waits.
    pub turns: Option<Turns>,
}

impl Snapshot {
    /// Calls `each` with all its pages, as [`pages::each_chunk`] does. Gives whether they are those of this state: without
    /// WAL, somebody may have committed meanwhile.
    pub(crate) fn each_chunk(
        &self,
        path: &Path,
        limits: Limits<'_>,
        each: impl FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let source = (&self.connection, path);
        match &self.turns {
            None => pages::each_chunk(source, limits, each).map(|()| true),
            Some(turns) => turns.each_chunk(source, &self.content, limits, each),
        }
    }
}

/// What has to stay for as long as a snapshot is read, besides the transaction.
#[derive(Default)]
pub(crate) struct Kept {
    pub at_rest: Option<AtRest>,
    _copy: Option<TempDir>,
}

/// Begins the snapshot of the database at a real path, waiting at most `patience` for a writer that locks readers out.
///
/// # Errors
/// [`Error::SourceBusy`] if that takes longer.
pub(crate) fn begin(database: &Path, patience: Duration) -> Result<Snapshot, Error> {
    untrusted::check_journal(database)?;
    let connection = open(database, patience).map_err(failed("open", database, patience))?;
    let mut snapshot = hold(connection, database, patience)?;
    snapshot.turns = Turns::begin(&snapshot.connection, database)?;
    Ok(snapshot)
}

pub(crate) fn hold(connection: Connection, database: &Path, patience: Duration) -> Result<Snapshot, Error> {
    snapshot((connection, now()), database, patience, Kept::default())
}

/// Begins it as [`begin`] does, without leaving anything beside the database. One that has to be recovered first, where this user may not, is
/// copied to `scratch`.
pub(crate) fn begin_without_a_trace(database: &Path, patience: Duration, scratch: &Path) -> Result<Snapshot, Error> {
    let created_at = now();
    if let Some(at_rest) = AtRest::hold(database)? {
        let connection = untrusted::open_immutable(database).map_err(Error::sqlite("open", database))?;
        return snapshot((connection, created_at), database, patience, Kept { at_rest: Some(at_rest), _copy: None });
    }
    if !at_rest::would_leave_traces(database)? {
        match begin(database, patience) {
            Err(error) if at_rest::must_be_copied(database, &error)? => {
                tracing::debug!("copying the database for recovery: {error}");
            }
            begun => return begun.map_err(|error| explain_denial(database, error)),
        }
    }
    let (directory, copy) = at_rest::copy(database, scratch)?;
    let connection = open(&copy, patience).map_err(Error::sqlite("open", database))?;
    snapshot((connection, created_at), database, patience, Kept { at_rest: None, _copy: Some(directory) })
}

fn snapshot(
    (mut connection, created_at): (Connection, Timestamp),
    database: &Path,
    patience: Duration,
    kept: Kept,
) -> Result<Snapshot, Error> {
    let refuse = |reason: String| Error::Source { path: database.to_owned(), reason };
    // What its tables compute is not to be waited for; how long the pages take is bounded elsewhere.
    untrusted::end_after(&mut connection, Some(patience)).map_err(Error::sqlite("read", database))?;
    let content = connection.execute_batch("BEGIN").and_then(|()| Content::read(&connection)).map_err(|error| {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => refuse("it is not a SQLite database (or it is encrypted)".into()),
            Some(ErrorCode::DatabaseCorrupt) => {
                refuse(format!("it is corrupt ({error}); restore an older restore point"))
            }
            _ => failed("read", database, patience)(error),
        }
    })?;
    if content.page_count == 0 {
        return Err(refuse("it is empty (no pages, so no tables); check the path, or wait until it is created".into()));
    }
    let holdings = content::holdings(&connection).map_err(Error::sqlite("read", database))?;
    let first = pages::first(&connection).map_err(Error::sqlite("read", database))?;
    let change_counter = first.as_deref().map(pages::change_counter);
    untrusted::end_after(&mut connection, None).map_err(Error::sqlite("read", database))?;
    Ok(Snapshot { connection, created_at, content, holdings, change_counter, kept, turns: None })
}

/// SQLite says of all that it may not do that it cannot open a file.
fn explain_denial(database: &Path, error: Error) -> Error {
    match error {
        Error::Sqlite { source, .. }
            if matches!(source.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) =>
        {
            let reason = format!(
                "{source}; check that this user can read it and its -wal and -shm files, and whether its volume is \
                 read-only or its directory belongs to another user"
            );
            Error::Source { path: database.to_owned(), reason }
        }
        other => other,
    }
}

/// Why SQLite cannot read it, for people.
fn failed(action: &'static str, database: &Path, patience: Duration) -> impl FnOnce(rusqlite::Error) -> Error {
    let path = database.to_owned();
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::SourceBusy { path, waited: patience },
        _ => Error::sqlite(action, &path)(error),
    }
}

/// The real path of a database: SQLite keeps its files beside the one that a symbolic link leads to. Tells apart what SQLite
/// would all call "unable to open database file".
pub(crate) fn resolve(database: &Path) -> Result<PathBuf, Error> {
    let refuse = |reason: &str| Error::Source { path: database.to_owned(), reason: reason.into() };
    let found = openat::resolve(database).and_then(|real| Ok((fs::symlink_metadata(&real)?, real)));
    match found {
        Ok((metadata, real)) if metadata.is_file() => Ok(real),
        Ok(_) => Err(refuse("it is not a file; give the path of the database file with --database")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refuse("it does not exist; check --database (DB_PATH) and whether its volume is mounted"))
        }
        Err(error) => Err(Error::io("look at", database)(error)),
    }
}

pub(crate) fn open(database: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let connection = untrusted::open(database)?;
    connection.busy_timeout(patience.min(BUSY_MAX))?;
    // The last connection to close would otherwise checkpoint: a backup does not write to its source.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// The time in microseconds, rounded down.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    let down = TimestampRound::new().smallest(Unit::Microsecond).mode(jiff::RoundMode::Trunc);
    // Rounding fails only where it would leave the range of years.
    now.round(down).unwrap_or(now)
}

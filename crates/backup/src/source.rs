//! The live database: opened so that copying leaves it as it is, and read in one held transaction.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use jiff::{Timestamp, TimestampRound, Unit};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Error;
use crate::content::{self, Content};
use crate::pages::{self, Limits, Progress};
use crate::rollback::Turns;

/// The longest wait SQLite can be asked for: some 24 days, in milliseconds.
pub(crate) const BUSY_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// A state of the source, held by a read transaction that ends when this is dropped. In rollback-journal mode it ended
/// already, see `turns`.
pub(crate) struct Snapshot {
    pub connection: Connection,
    /// Taken before the first read, to the microsecond: what was committed before is in the snapshot.
    pub created_at: Timestamp,
    pub content: Content,
    /// See [`crate::Manifest::has_rows`].
    pub has_rows: bool,
    /// How to read it without keeping writers waiting; `None` in WAL mode, where nobody waits.
    pub turns: Option<Turns>,
}

impl Snapshot {
    /// Calls `each` with all its pages, as [`pages::each_chunk`] does. Gives whether they are those of this state: without
    /// WAL, somebody may have committed meanwhile.
    pub fn each_chunk(
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

/// Begins the snapshot of `database`, waiting at most `patience` for a writer that locks readers out.
pub(crate) fn begin(database: &Path, patience: Duration) -> Result<Snapshot, Error> {
    check_file(database)?;
    let connection = open(database, patience).map_err(Error::sqlite("open", database))?;
    let mut snapshot = hold(connection, database)?;
    snapshot.turns = Turns::begin(&snapshot.connection, database)?;
    Ok(snapshot)
}

/// Begins a read transaction.
pub(crate) fn hold(connection: Connection, database: &Path) -> Result<Snapshot, Error> {
    let refuse = |reason: String| Error::Source { path: database.to_owned(), reason };
    let created_at = now();
    let content = connection.execute_batch("BEGIN").and_then(|()| Content::read(&connection)).map_err(|error| {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => refuse("it is no SQLite database (or an encrypted one)".into()),
            Some(ErrorCode::DatabaseCorrupt) => refuse(format!("it is corrupt ({error}); restore an older point")),
            _ => Error::sqlite("read", database)(error),
        }
    })?;
    if content.page_count == 0 {
        return Err(refuse("it is empty (no page, so no table); check the path, or wait until it is created".into()));
    }
    let has_rows = content::has_rows(&connection).map_err(Error::sqlite("read", database))?;
    Ok(Snapshot { connection, created_at, content, has_rows, turns: None })
}

/// Tells apart what SQLite would all call "unable to open database file".
fn check_file(database: &Path) -> Result<(), Error> {
    let refuse = |reason: &str| Error::Source { path: database.to_owned(), reason: reason.into() };
    match fs::metadata(database) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(refuse("it is not a file; name the database file itself with --database")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refuse("it does not exist; check --database (DB_PATH) and whether its volume is mounted"))
        }
        Err(error) => Err(Error::io("look at", database)(error)),
    }
}

pub(crate) fn open(database: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    // For writing if permitted, because a hot journal or a WAL left by a crash has to be recovered first; but
    // never to create the file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
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

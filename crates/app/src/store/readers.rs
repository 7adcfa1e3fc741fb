//! A few read-only connections, and what is read through them. Nothing here costs more as messages grow.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use tokio::time::sleep;

use super::{Failure, Identity, Newer, Summary, connect, schema};

/// How often a read that met a lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// The most bytes of one value that SQLite reads into memory: another program may have stored any.
pub(super) const VALUE_BYTES_MAX: i32 = 1024 * 1024;

pub(super) struct Readers {
    path: PathBuf,
    identity: Arc<Identity>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// No connection yet: each is opened when the others are in use.
    pub(super) fn new(path: PathBuf, identity: Arc<Identity>) -> Self {
        Self { path, identity, idle: Mutex::default() }
    }

    /// Runs a query, and again while another process holds an exclusive lock, for up to [`schema::BUSY_WAIT`].
    ///
    /// It runs on the calling thread: a read takes microseconds, several times less than handing it to another thread
    /// and back. That is why SQLite itself must not wait for a lock here.
    pub(super) async fn read<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let give_up = Instant::now() + schema::BUSY_WAIT;
        loop {
            match self.attempt(&query) {
                Err(Failure::Locked(_)) if Instant::now() < give_up => sleep(LOCK_POLL).await,
                result => return result.inspect_err(|failure| tracing::warn!(%failure, "cannot read")),
            }
        }
    }

    fn attempt<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let result = self.take().and_then(|connection| {
            let result = query(&connection);
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        // Afterwards: what was read is what is at the path now. And a lost database explains its errors best.
        self.identity.check()?;
        result.map_err(|error| Failure::from_sqlite("read", &self.path, &error))
    }

    fn take(&self) -> rusqlite::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "query_only", true)?;
        bound(&connection)?;
        Ok(connection)
    }
}

pub(super) fn bound(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX).map(drop)
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT count FROM message_count")?.query_row([], |row| row.get(0))
}

/// The messages newer than an id: two look-ups in the key, however many there are.
pub(super) fn newer(connection: &Connection, id: i64) -> rusqlite::Result<Option<Newer>> {
    // What is longer is no time.
    let sql = "SELECT (SELECT max(id) FROM message) - id + 1,
                   CASE WHEN octet_length(timestamp) <= 64 THEN CAST(timestamp AS TEXT) ELSE '' END
               FROM message WHERE id > ?1 ORDER BY id LIMIT 1";
    let newer = |row: &Row<'_>| {
        let since = String::from_utf8_lossy(row.get_ref(1)?.as_bytes()?).into_owned();
        Ok(Newer { messages: row.get(0)?, since })
    };
    connection.prepare_cached(sql)?.query_row([id], newer).optional()
}

/// The database as a whole, at one instant.
pub(super) fn summary(connection: &Connection) -> rusqlite::Result<Summary> {
    let snapshot = connection.unchecked_transaction()?;
    let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let summary = Summary {
        count: count(&snapshot)?,
        lineage: backup::lineage::read(&snapshot)?,
        size_bytes: snapshot.query_row(size, [], |row| row.get(0))?,
    };
    snapshot.commit()?;
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_keeps_what_is_temporary_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        schema::prepare(&path).unwrap();
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let memory: i64 = connection.pragma_query_value(None, "temp_store", |row| row.get(0)).unwrap();
        assert_eq!(memory, 2);
    }
}

//! A few read-only connections, and what is read through them. Nothing here costs more as messages grow.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params_from_iter};
use tokio::time::sleep;

use super::{Failure, Identity, Message, Newer, Page, Position, Summary, connect, schema};

/// How often a read that met a lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Connections that are not in use.
pub struct Readers {
    path: PathBuf,
    identity: Arc<Identity>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// No connection yet: each is opened when the others are in use.
    pub fn new(path: PathBuf, identity: Arc<Identity>) -> Self {
        Self { path, identity, idle: Mutex::default() }
    }

    /// Runs a query, and again while another process holds an exclusive lock, for up to [`schema::BUSY_WAIT`].
    ///
    /// It runs on the calling thread: a read takes microseconds, several times less than handing it to another thread
    /// and back. That is why SQLite itself must not wait for a lock here.
    pub async fn read<T>(&self, query: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
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
        Ok(connection)
    }
}

/// The number of messages.
pub fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT count FROM message_count")?.query_row([], |row| row.get(0))
}

/// A page of messages, newest first.
pub fn page(connection: &Connection, page: Page) -> rusqlite::Result<Vec<Message>> {
    let mut messages = Vec::new();
    for_each(connection, page, |Message { id, timestamp, message }| {
        messages.push(Message { id, timestamp: timestamp.into_owned(), message: message.into_owned() });
    })?;
    Ok(messages)
}

/// The same as JSON, written straight from SQLite's memory: two strings for each message were an eighth of a request.
pub fn page_json(connection: &Connection, page: Page) -> rusqlite::Result<Vec<u8>> {
    let mut json = vec![b'['];
    for_each(connection, page, |message| {
        if json.len() > 1 {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &message).expect("memory takes what is written, and text is always JSON");
    })?;
    json.push(b']');
    Ok(json)
}

/// Each goes along the key and sorts nothing. What is sorted would not fit into memory if messages are long, and there may be
/// no place for a temporary file.
const NEWEST: &str = "SELECT id, timestamp, message FROM message ORDER BY id DESC LIMIT ?1";
const BEFORE: &str = "SELECT id, timestamp, message FROM message WHERE id < ?2 ORDER BY id DESC LIMIT ?1";
const AFTER: &str = "SELECT id, timestamp, message FROM message WHERE id > ?2 AND id <= \
     (SELECT max(id) FROM (SELECT id FROM message WHERE id > ?2 ORDER BY id LIMIT ?1)) ORDER BY id DESC";

fn for_each(connection: &Connection, page: Page, mut visit: impl FnMut(Message<Cow<'_, str>>)) -> rusqlite::Result<()> {
    let (sql, parameters): (_, &[i64]) = match page.position {
        Position::Newest => (NEWEST, &[page.limit]),
        Position::Before(id) => (BEFORE, &[page.limit, id]),
        Position::After(id) => (AFTER, &[page.limit, id]),
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    while let Some(row) = rows.next()? {
        visit(Message { id: row.get(0)?, timestamp: text(row, 1)?, message: text(row, 2)? });
    }
    Ok(())
}

/// The messages newer than an id: two look-ups in the key, however many there are.
pub fn newer(connection: &Connection, id: i64) -> rusqlite::Result<Option<Newer>> {
    let sql = "SELECT (SELECT max(id) FROM message) - id + 1, timestamp FROM message WHERE id > ?1 ORDER BY id LIMIT 1";
    let newer = |row: &Row<'_>| Ok(Newer { messages: row.get(0)?, since: text(row, 1)?.into_owned() });
    connection.prepare_cached(sql)?.query_row([id], newer).optional()
}

/// The database as a whole, at one instant.
pub fn summary(connection: &Connection) -> rusqlite::Result<Summary> {
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

/// Text as it is, and anything else that another program may have put there as well as it goes: one odd row must not
/// make a whole page unreadable.
fn text<'row>(row: &'row Row<'_>, column: usize) -> rusqlite::Result<Cow<'row, str>> {
    let bytes = row.get_ref(column)?.as_bytes()?;
    Ok(String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_needs_a_place_to_sort() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        schema::prepare(&path).unwrap();
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        for sql in [NEWEST, BEFORE, AFTER] {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = vec![1; plan.parameter_count()];
            let steps = plan.query_map(params_from_iter(parameters), |row| row.get("detail")).unwrap();
            let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
            assert!(!steps.is_empty() && !steps.iter().any(|step| step.contains("TEMP")), "{sql}: {steps:?}");
        }
    }

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

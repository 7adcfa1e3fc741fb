//! How far the database is in its journal, stored in the database itself and with each group.
//!
//! `journal_position` has the number of the last group that is in it. `journal_mark` is a table without rows, whose
//! AUTOINCREMENT mark is that number too: restore points carry such marks in their manifests, and a restore into a live
//! database takes every table back but leaves the marks where they were. Position and mark that differ tell of one.

use rusqlite::{Connection, OptionalExtension};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS journal_position (
        one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, time INTEGER NOT NULL,
        message_mark INTEGER NOT NULL, instance TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS journal_mark (number INTEGER PRIMARY KEY AUTOINCREMENT);
    INSERT INTO sqlite_sequence (name, seq) SELECT 'journal_mark', 0
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'journal_mark');";

/// The table whose mark is in the manifests of restore points.
pub(crate) const MARK_TABLE: &str = "journal_mark";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// The last group that is in it; `None` if it never was journaled.
    pub position: Option<Position>,
    /// The greatest number of a group that was ever in it or in what it replaced.
    pub mark: i64,
    /// The greatest id that a message ever had.
    pub message_mark: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub number: i64,
    /// Its time, see [`super::record::Group`].
    pub time: i64,
    /// [`Marks::message_mark`] once the group was stored. If there are greater ids, somebody stored messages past the
    /// journal.
    pub message_mark: i64,
    /// The database file that it was written to, see [`super::instance`].
    pub instance: String,
}

/// Reads it. Inside a write transaction it cannot change meanwhile.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Marks> {
    let message_mark = mark(connection, "message")?;
    if !connection.table_exists(None, "journal_position")? {
        return Ok(Marks { position: None, mark: mark(connection, MARK_TABLE)?, message_mark });
    }
    let mut position =
        connection.prepare_cached("SELECT number, time, message_mark, instance FROM journal_position")?;
    let position = position.query_row([], |row| {
        Ok(Position { number: row.get(0)?, time: row.get(1)?, message_mark: row.get(2)?, instance: row.get(3)? })
    });
    Ok(Marks { position: position.optional()?, mark: mark(connection, MARK_TABLE)?, message_mark })
}

/// Stores that a group is in the database. Part of the transaction that puts it there.
pub(super) fn store(connection: &Connection, number: i64, time: i64, instance: &str) -> rusqlite::Result<()> {
    let mut store = connection.prepare_cached(
        "INSERT OR REPLACE INTO journal_position
         SELECT 1, ?1, ?2, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0), ?3",
    )?;
    store.execute((number, time, instance))?;
    connection.prepare_cached("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'journal_mark'")?.execute([number])?;
    Ok(())
}

/// Makes room for it in a database that never was journaled.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}

/// Whether a table is one of these.
pub(crate) fn is_table(name: &str) -> bool {
    name == "journal_position" || name == MARK_TABLE
}

fn mark(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let mut mark = connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = ?1")?;
    Ok(mark.query_row([table], |row| row.get(0)).optional()?.unwrap_or(0))
}

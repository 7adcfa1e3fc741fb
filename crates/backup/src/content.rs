//! What a database says about its content: the part of a manifest that a copy can be compared with.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use crate::lineage::{self, Lineage};
use crate::untrusted;

/// More tables than this are not listed in a manifest.
const TABLES_MAX: usize = 10_000;

/// Nor are they if their names take more bytes: a manifest has a bound.
const NAMES_BYTES_MAX: usize = 512 * 1024;

/// Shape and recovery point of a database.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub page_size: u32,
    pub page_count: u32,
    pub lineage: Option<Lineage>,
    pub high_water: BTreeMap<String, i64>,
}

impl Content {
    /// Reads it. Inside a transaction, the first of these reads fixes the snapshot.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            page_count: connection.pragma_query_value(None, "page_count", |row| row.get(0))?,
            page_size: connection.pragma_query_value(None, "page_size", |row| row.get(0))?,
            lineage: lineage::read(connection)?,
            high_water: high_water(connection)?,
        })
    }
}

fn high_water(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    if !connection.table_exists(None, "sqlite_sequence")? {
        return Ok(BTreeMap::new());
    }
    // The table is writable by anybody: whatever is in it, the same text gives the same marks for source and copy.
    let mut statement = connection.prepare(
        "SELECT CAST(name AS TEXT), CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name NOT NULL AND seq NOT NULL",
    )?;
    let marks = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    marks.collect()
}

/// How far the rows of a table go: enough to notice that a database was exchanged for a newer, emptier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Whether it has any. What cannot be read counts as such.
    pub rows: bool,
    /// The greatest rowid; `None` without rows, and in a table WITHOUT ROWID.
    pub last: Option<i64>,
}

/// What the tables of the user hold.
#[derive(Debug)]
pub(crate) struct Holdings {
    /// By name; `None` where there are more than anybody would want in a manifest.
    pub tables: Option<BTreeMap<String, Table>>,
    /// See [`crate::Manifest::has_rows`].
    pub has_rows: bool,
}

/// Looks at each table without reading it. Databases are often born with rows, such as a version or a counter, so where
/// tables with AUTOINCREMENT tell them from the rest, only they count as rows.
pub(crate) fn holdings(connection: &Connection) -> rusqlite::Result<Holdings> {
    // Virtual tables have no root page; what they hold is in others.
    let mut names = connection.prepare(
        "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema
         WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'pra_lineage'",
    )?;
    let names: Vec<(String, bool)> =
        names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let any_collects = names.iter().any(|(_, collects)| *collects);
    let (mut tables, mut has_rows) = (BTreeMap::new(), false);
    for (name, collects) in names {
        let table = table(connection, &name)?;
        has_rows |= table.rows && (collects || !any_collects);
        tables.insert(name, table);
    }
    let names_bytes: usize = tables.keys().map(String::len).sum();
    let is_listed = tables.len() <= TABLES_MAX && names_bytes <= NAMES_BYTES_MAX;
    Ok(Holdings { has_rows, tables: is_listed.then_some(tables) })
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
    let quoted = untrusted::quoted(name);
    let ask =
        |what: &str| connection.query_row(&format!("SELECT {what} FROM {quoted} NOT INDEXED LIMIT 1"), [], integer);
    if let Ok(Some(last)) = ask("max(_rowid_)") {
        return Ok(Table { rows: true, last: Some(last) });
    }
    // No rows, or a table WITHOUT ROWID, which has no such column.
    match ask("1").optional() {
        Ok(found) => Ok(Table { rows: found.is_some(), last: None }),
        Err(error) => unreadable(error),
    }
}

/// Damaged, or in need of its owner's extension: not known to be empty. Checking the copy is not done here.
fn unreadable(error: rusqlite::Error) -> rusqlite::Result<Table> {
    match error.sqlite_error_code() {
        Some(ErrorCode::Unknown | ErrorCode::DatabaseCorrupt) => Ok(Table { rows: true, last: None }),
        _ => Err(error),
    }
}

/// An integer; what somebody else's column of that name holds is none.
fn integer(row: &Row<'_>) -> rusqlite::Result<Option<i64>> {
    match row.get_ref(0)? {
        ValueRef::Integer(number) => Ok(Some(number)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::*;
    use crate::untrusted::open_immutable;

    #[test]
    fn a_path_is_opened_whatever_is_in_its_name() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["plain.db", "a b.db", "a?mode=memory.db", "a%20b.db", "a#b.db", "é&=+.db"] {
            let path = directory.path().join(name);
            let plain = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let written = Connection::open_with_flags(&path, plain).unwrap();
            written
                .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)")
                .unwrap();
            written.execute_batch("INSERT INTO t VALUES (41); DELETE FROM t").unwrap();
            let expected = Content::read(&written).unwrap();
            drop(written);
            assert_eq!(expected.high_water, BTreeMap::from([("t".to_owned(), 41)]));
            assert_eq!(Content::read(&open_immutable(&path).unwrap()).unwrap(), expected, "{name}");
        }
    }
}

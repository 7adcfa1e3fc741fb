//! What a database says of itself: the part of a manifest that a copy can be compared with.

use std::collections::BTreeMap;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::lineage::{self, Lineage};

/// What SQLite leaves as it is in the path of a URI.
const URI_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

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
    pub fn read(connection: &Connection) -> rusqlite::Result<Self> {
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

/// Whether there is a row in any table that collects data, see [`crate::Manifest::has_rows`]. Databases are often born
/// with rows, such as a version or a counter, so where tables with AUTOINCREMENT tell them from the rest, only they count.
pub(crate) fn has_rows(connection: &Connection) -> rusqlite::Result<bool> {
    // Virtual tables have no root page; what they hold is in others.
    let mut tables = connection.prepare(
        "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema
         WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'pra_lineage'",
    )?;
    let tables: Vec<(String, bool)> =
        tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let any_collects = tables.iter().any(|(_, collects)| *collects);
    for (table, _) in tables.iter().filter(|(_, collects)| *collects || !any_collects) {
        let quoted = table.replace('"', "\"\"");
        match connection
            .query_row(&format!("SELECT EXISTS (SELECT 1 FROM \"{quoted}\" NOT INDEXED)"), [], |row| row.get(0))
        {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            // Damaged, or in need of its owner's extension: not known to be empty. Checking the copy is not done here.
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown | ErrorCode::DatabaseCorrupt)) =>
            {
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Opens a database file that nobody writes. It may carry a WAL header and lie on a read-only volume, so neither
/// locks nor side files may be used.
pub(crate) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let absolute = std::path::absolute(path).map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))?;
    let encoded = percent_encoding::percent_encode(absolute.as_os_str().as_encoded_bytes(), URI_PATH);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags)
}

#[cfg(test)]
mod tests {
    use super::*;

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

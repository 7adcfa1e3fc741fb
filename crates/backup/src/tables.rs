//! The content of a database as an application sees it: every row of every table, read once.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::checked;
use crate::untrusted::quoted;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// How many.
    pub count: u64,
    /// The BLAKE3 of all their values in the order of the table, in hexadecimal.
    pub blake3: String,
}

/// Reads every row of every table, and of the schema. A virtual table is read in the tables that hold its content: the
/// program that reads it may not be this one. `None` for a table that only the program of its owner can read.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Option<Rows>>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
         UNION ALL SELECT 'sqlite_schema'",
    )?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let read = |name: String| match rows(connection, &name) {
        Err(error) if checked::is_owners(&error) => Ok((name, None)),
        rows => rows.map(|rows| (name, Some(rows))),
    };
    names.into_iter().map(read).collect()
}

/// The tables that people made, without those of SQLite, of virtual tables and of this project.
pub(crate) fn of_people(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'pra_lineage'",
    )?;
    names.query_map([], |row| row.get(0))?.collect()
}

/// By table, the greatest key that was given out, of those tables whose INTEGER PRIMARY KEY goes on after its greatest row
/// because it has no AUTOINCREMENT. Zero where a table is empty.
pub(crate) fn greatest_keys(connection: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    // A primary key that needs no index of its own is the rowid.
    let mut statement = connection.prepare(
        "SELECT list.name, key.name FROM pragma_table_list AS list
         JOIN sqlite_schema AS schema ON schema.type = 'table' AND schema.name = list.name
         JOIN pragma_table_info(list.name) AS key ON key.pk = 1
         WHERE list.schema = 'main' AND list.type = 'table' AND list.wr = 0 AND list.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND schema.sql NOT LIKE '%AUTOINCREMENT%'
           AND NOT EXISTS (SELECT 1 FROM pragma_index_list(list.name) WHERE origin = 'pk')",
    )?;
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let greatest = |(table, key): (String, String)| {
        let query = format!("SELECT max({}) FROM main.{} NOT INDEXED", quoted(&key), quoted(&table));
        let greatest = connection.query_row(&query, [], |row| row.get::<_, Option<i64>>(0))?;
        Ok((table, greatest.unwrap_or(0).max(0)))
    };
    tables.map(|table| table.and_then(greatest)).collect()
}

fn rows(connection: &Connection, table: &str) -> rusqlite::Result<Rows> {
    let columns = stored_columns(connection, table)?;
    // An index that covers all columns would be read in the place of the table.
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM main.{} NOT INDEXED", quoted(table)))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            hash(&mut hasher, row.get_ref(column)?);
        }
        count += 1;
    }
    Ok(Rows { count, blake3: hasher.finalize().to_hex().to_string() })
}

/// The columns that are in the table. What is computed from them may take a function that only the owner's program has.
fn stored_columns(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    let mut names = connection.prepare("SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden IN (0, 1)")?;
    let names = names.query_map([table], |row| row.get::<_, String>(0))?;
    let names: Vec<String> = names.map(|name| name.map(|name| quoted(&name))).collect::<Result<_, _>>()?;
    Ok(names.join(", "))
}

/// Hashes the type and the length with the value, so that no two lists of values look the same.
fn hash(hasher: &mut blake3::Hasher, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => (1, &number.to_le_bytes()),
        ValueRef::Real(number) => (2, &number.to_bits().to_le_bytes()),
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(blob) => (4, blob),
    };
    hasher.update(&[kind]).update(&bytes.len().to_le_bytes()).update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "
        CREATE TABLE plain (a, b); CREATE INDEX covering ON plain (b, a); INSERT INTO plain VALUES (1, 'x'), (NULL, 2.5);
        CREATE TABLE \"a \"\"b\" (k TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO \"a \"\"b\" VALUES ('k'), ('l'), ('m');
        CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO counted DEFAULT VALUES;
        CREATE VIRTUAL TABLE words USING fts5(word); INSERT INTO words VALUES ('found');";

    #[test]
    fn only_keys_that_would_be_given_out_again_are_looked_at() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE \"of \"\"others\" (\"the key\" INTEGER PRIMARY KEY, a UNIQUE); INSERT INTO \"of \"\"others\" VALUES (7, 1), (9, 2);
                 CREATE TABLE late (a, id INTEGER, PRIMARY KEY (id)); INSERT INTO late VALUES ('a', 3);
                 CREATE TABLE empty (id INTEGER PRIMARY KEY) STRICT;
                 CREATE TABLE not_a_rowid (id INTEGER PRIMARY KEY DESC); INSERT INTO not_a_rowid VALUES (5);
                 CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (a, b)); INSERT INTO pair VALUES (5, 5);
                 CREATE TABLE number (id INT PRIMARY KEY) WITHOUT ROWID; INSERT INTO number VALUES (5);",
            )
            .unwrap();
        let keys = greatest_keys(&connection).unwrap();
        let expected = [("empty", 0), ("late", 3), ("of \"others", 9)];
        assert_eq!(keys, expected.map(|(table, key)| (table.to_owned(), key)).into());
    }

    fn changed_by(statement: &str) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        let before = read(&connection).unwrap();
        connection.execute_batch(statement).unwrap();
        let after = read(&connection).unwrap();
        after.into_iter().filter(|(name, rows)| before.get(name) != Some(rows)).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_row_of_every_table_counts() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        let counts: BTreeMap<_, _> =
            read(&connection).unwrap().into_iter().map(|(name, rows)| (name, rows.unwrap().count)).collect();
        let expected = [("plain", 2), ("a \"b", 3), ("counted", 1), ("sqlite_sequence", 1), ("words_content", 1)];
        for (name, count) in expected {
            assert_eq!(counts[name], count, "{name}");
        }
        assert!(!counts.contains_key("words"));
    }

    #[test]
    fn whatever_changes_shows_in_its_table() {
        assert_eq!(changed_by(""), [""; 0]);
        assert_eq!(changed_by("UPDATE plain SET a = '1' WHERE a = 1"), ["plain"]);
        assert_eq!(changed_by("UPDATE plain SET a = 1.0 WHERE a = 1"), ["plain"]);
        assert_eq!(changed_by("UPDATE plain SET a = x'', b = NULL WHERE b = 2.5"), ["plain"]);
        assert_eq!(changed_by("UPDATE \"a \"\"b\" SET k = 'z' WHERE k = 'm'"), ["a \"b"]);
        assert_eq!(changed_by("UPDATE sqlite_sequence SET seq = 9"), ["sqlite_sequence"]);
        assert_eq!(changed_by("CREATE VIEW v AS SELECT 1"), ["sqlite_schema"]);
    }
}

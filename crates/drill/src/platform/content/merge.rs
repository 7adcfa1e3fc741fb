//! Adds to a database the rows that another one has, `other`, and that are not there.
//!
//! What is there stays as it is. The other one began as what is there now, and went its own way: rows have the same keys in
//! both, but for those whose numbers were given out again.

use anyhow::{Result, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::tables::{self, Key, Table, quoted};

/// Merges all tables, and says what was done.
pub(super) fn all(connection: &Connection) -> Result<String> {
    let tables = tables::all(connection)?;
    let (mut added, mut left, mut renumbered) = (0, 0, Vec::new());
    for table in tables.iter().filter(|table| is_in_both(connection, &table.name).unwrap_or(false)) {
        let again = are_keys_given_again(connection, table)?;
        added += with_or_without_triggers(connection, &tables, table)?;
        if again {
            let rows = renumber(connection, table)?;
            added += rows;
            renumbered.extend((rows > 0).then_some(table));
        }
        left += missing(connection, table, again)?;
    }
    for table in renumbered {
        let refers = "SELECT list.name FROM pragma_table_list AS list, pragma_foreign_key_list(list.name) AS key
                      WHERE list.schema = 'main' AND lower(key.\"table\") = lower(?1)";
        let refers: Option<String> = connection.query_row(refers, [&table.name], |row| row.get(0)).optional()?;
        ensure!(
            refers.is_none(),
            "rows of {} have keys that were given out again, and {} refers to them; add the rows by hand",
            table.name,
            refers.unwrap_or_default()
        );
    }
    let (indexed, stale) = search_tables(connection)?;
    let mut said = format!("{} rows put back", added + indexed);
    if left > 0 {
        said += &format!(" ({left} others, which differ from rows of the same key that are there, are left out)");
    }
    if !stale.is_empty() {
        said += &format!(" (not into {}, which this program cannot write)", stale.join(", "));
    }
    Ok(said)
}

fn is_in_both(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.table_exists(Some("other"), name)
}

/// Whether numbers of rows that are there were given out again: some of them are missing among those of the other.
fn are_keys_given_again(connection: &Connection, table: &Table) -> rusqlite::Result<bool> {
    let name = table.quoted();
    let (key, among) = match &table.key {
        // Greater ones were given out after the restore. If only these are missing, rows of the same key were changed.
        Key::Reused(key) => (key, format!("{key} < (SELECT max({key}) FROM other.{name})")),
        Key::Hidden(key) => (key, "TRUE".to_owned()),
        Key::Autoincrement(_) | Key::Declared => return Ok(false),
    };
    let query = format!(
        "SELECT EXISTS (SELECT 1 FROM main.{name} WHERE {among} AND {key} NOT IN (SELECT {key} FROM other.{name}))"
    );
    connection.query_row(&query, [], |row| row.get(0))
}

/// Triggers fire if they keep what is told apart from the rows, such as a count or an index for searching. Rows of other
/// tables that they wrote are rows of the other database too, and must not be written twice.
fn with_or_without_triggers(connection: &Connection, tables: &[Table], table: &Table) -> Result<usize> {
    let fires =
        "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?1))";
    if !connection.query_row(fires, [&table.name], |row| row.get(0))? {
        return Ok(add(connection, table)?);
    }
    let others = || -> rusqlite::Result<Vec<i64>> {
        let others = tables.iter().filter(|other| other.name != table.name);
        others.map(|other| count(connection, &format!("main.{}", other.quoted()))).collect()
    };
    let before = others()?;
    connection.execute_batch("SAVEPOINT with_triggers")?;
    let added = add(connection, table)?;
    if others()? == before {
        connection.execute_batch("RELEASE with_triggers")?;
        return Ok(added);
    }
    connection.execute_batch("ROLLBACK TO with_triggers; RELEASE with_triggers")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let added = add(connection, table)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    Ok(added)
}

/// Adds the rows whose keys are not there.
fn add(connection: &Connection, table: &Table) -> rusqlite::Result<usize> {
    let (name, columns) = (table.quoted(), table.columns.join(", "));
    let statement = match &table.key {
        Key::Autoincrement(key) | Key::Reused(key) | Key::Hidden(key) => {
            let columns = with_key(key, table);
            format!(
                "INSERT OR IGNORE INTO main.{name} ({columns}) SELECT {columns} FROM other.{name}
                 WHERE {key} NOT IN (SELECT {key} FROM main.{name}) ORDER BY {key}"
            )
        }
        Key::Declared => format!(
            "INSERT OR IGNORE INTO main.{name} ({columns})
             SELECT {columns} FROM other.{name} EXCEPT SELECT {columns} FROM main.{name}"
        ),
    };
    connection.execute(&statement, [])
}

/// Adds the rows whose numbers other rows have by now, under new ones.
fn renumber(connection: &Connection, table: &Table) -> rusqlite::Result<usize> {
    let (Key::Reused(key) | Key::Hidden(key), false) = (&table.key, table.columns.is_empty()) else { return Ok(0) };
    let (name, columns) = (table.quoted(), table.columns.join(", "));
    let same: Vec<String> = table.columns.iter().map(|column| format!("here.{column} IS there.{column}")).collect();
    let theirs: Vec<String> = table.columns.iter().map(|column| format!("there.{column}")).collect();
    let (same, theirs) = (same.join(" AND "), theirs.join(", "));
    let statement = format!(
        "INSERT OR IGNORE INTO main.{name} ({columns})
         SELECT {theirs} FROM other.{name} AS there JOIN main.{name} AS here ON here.{key} = there.{key}
         WHERE NOT ({same}) ORDER BY there.{key}"
    );
    connection.execute(&statement, [])
}

/// How many rows of the other database are still not there.
fn missing(connection: &Connection, table: &Table, renumbered: bool) -> rusqlite::Result<i64> {
    let columns = match &table.key {
        Key::Autoincrement(key) | Key::Reused(key) | Key::Hidden(key) if !renumbered => with_key(key, table),
        _ => table.columns.join(", "),
    };
    if columns.is_empty() {
        return Ok(0);
    }
    let name = table.quoted();
    count(connection, &format!("(SELECT {columns} FROM other.{name} EXCEPT SELECT {columns} FROM main.{name})"))
}

/// Brings the virtual tables for searching up to date. Gives the rows that were added and the tables that only their owner
/// can write.
fn search_tables(connection: &Connection) -> Result<(usize, Vec<String>)> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'")?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut added, mut stale) = (0, Vec::new());
    for table in found {
        let (table, sql): (String, String) = table?;
        let (name, sql) = (quoted(&table), sql.to_lowercase().replace(char::is_whitespace, ""));
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1, 'main')")?;
        let columns =
            columns.query_map([&table], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        let columns = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>();
        let written = if sql.contains("content=") {
            // Of one without content nothing can be read; triggers keep it.
            let rebuild = format!("INSERT INTO main.{name} ({name}) VALUES ('rebuild')");
            let empty = sql.contains("content=''") || sql.contains("content=\"\"");
            if empty { Ok(0) } else { connection.execute(&rebuild, []).map(|_| 0) }
        } else {
            let columns = columns.join(", ");
            let key = if sql.contains("usingfts") { "rowid, " } else { "" };
            connection.execute(
                &format!(
                    "INSERT INTO main.{name} ({key}{columns}) SELECT {key}{columns} FROM other.{name}
                     WHERE rowid NOT IN (SELECT rowid FROM main.{name})"
                ),
                [],
            )
        };
        match written {
            Ok(rows) => added += rows,
            Err(_) => stale.push(table),
        }
    }
    Ok((added, stale))
}

fn with_key(key: &str, table: &Table) -> String {
    [&[key.to_owned()], &table.columns[..]].concat().join(", ")
}

fn count(connection: &Connection, rows: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0))
}

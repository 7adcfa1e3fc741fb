//! The tables of a schema of which nothing is known.

use rusqlite::Connection;

/// A table that is no virtual one, nor part of one.
#[derive(Debug)]
pub(super) struct Table {
    pub name: String,
    pub key: Key,
    /// The other columns, without those that are computed, for SQL.
    pub columns: Vec<String>,
}

/// What tells one row from another.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A number that is never given out again; the column, for SQL.
    Autoincrement(String),
    /// A number that SQLite gives out again once greater ones are gone; the column, for SQL.
    Reused(String),
    /// The same, which the schema does not mention; its alias.
    Hidden(String),
    /// Columns of the table, which are among the others, or nothing.
    Declared,
}

impl Table {
    pub(super) fn quoted(&self) -> String {
        quoted(&self.name)
    }
}

/// All such tables, but the one with the lineage.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    // Of a virtual table that only its owner can read, the parts look like tables.
    let mut statement = connection.prepare(
        "SELECT list.name, schema.sql LIKE '%AUTOINCREMENT%', list.wr = 0 AND NOT EXISTS (
             SELECT 1 FROM pragma_index_list(list.name, 'main') WHERE origin = 'pk')
         FROM pragma_table_list AS list
         JOIN main.sqlite_schema AS schema ON schema.type = 'table' AND schema.name = list.name
         WHERE list.schema = 'main' AND list.type = 'table' AND list.name <> 'pra_lineage'
           AND list.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND NOT EXISTS (
             SELECT 1 FROM main.sqlite_schema AS virtual
             WHERE virtual.type = 'table' AND virtual.sql LIKE 'CREATE VIRTUAL%'
               AND substr(list.name, 1, length(virtual.name) + 1) = virtual.name || '_'
               AND NOT EXISTS (SELECT 1 FROM pragma_table_info(virtual.name, 'main')))",
    )?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    found.map(|found| found.and_then(|(name, counts, rowid)| table(connection, name, counts, rowid))).collect()
}

fn table(connection: &Connection, name: String, counts: bool, rowid: bool) -> rusqlite::Result<Table> {
    // `hidden` is 2 or 3 for columns that are computed.
    let mut statement =
        connection.prepare("SELECT name, pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0 ORDER BY cid")?;
    let columns = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut columns: Vec<(String, bool)> = columns.collect::<rusqlite::Result<_>>()?;
    let key = if !rowid {
        Key::Declared
    } else if let Some(at) = columns.iter().position(|(_, is_key)| *is_key) {
        let column = quoted(&columns.remove(at).0);
        if counts { Key::Autoincrement(column) } else { Key::Reused(column) }
    } else {
        let taken = |alias: &str| columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(alias));
        let alias = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !taken(alias));
        alias.map_or(Key::Declared, |alias| Key::Hidden(alias.to_owned()))
    };
    Ok(Table { name, key, columns: columns.into_iter().map(|(name, _)| quoted(&name)).collect() })
}

/// A name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

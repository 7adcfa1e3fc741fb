//! The random id born with a database, which every restore point of it carries.
//!
//! This module owns the format: a table `pra_lineage` with one row. The service writes it when it creates
//! its database; everything else only reads it.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// The identity of a database: 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lineage(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid lineage {0:?}: expected 32 lowercase hex digits")]
pub struct NotALineage(String);

impl Lineage {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, enough for people to tell lineages apart.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Lineage {
    type Err = NotALineage;

    fn from_str(text: &str) -> Result<Self, NotALineage> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for Lineage {
    type Error = NotALineage;

    /// Lineages reach terminals and logs from files that anybody may have written: nothing but digits passes.
    fn try_from(text: String) -> Result<Self, NotALineage> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(is_digit) { Ok(Self(text)) } else { Err(NotALineage(text)) }
    }
}

impl From<Lineage> for String {
    fn from(lineage: Lineage) -> Self {
        lineage.0
    }
}

impl FromSql for Lineage {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|error: NotALineage| FromSqlError::other(error))
    }
}

/// Whose a restore point is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The database says so itself.
    Lineage(Lineage),
    /// The repository gave it this id.
    Source(Lineage),
    /// A database without a lineage, taken before sources were told apart.
    Unknown,
}

impl Identity {
    /// Its id; `none` where it has none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Lineage(id) | Self::Source(id) => id.as_str(),
            Self::Unknown => "none",
        }
    }

    /// The first eight digits of its id, enough for people to tell identities apart.
    pub fn short(&self) -> &str {
        match self {
            Self::Lineage(id) | Self::Source(id) => id.short(),
            Self::Unknown => "none",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lineage of an open database, or `None` where it has none (any SQLite database that this project did not
/// create; what is no lineage in a table of that name does not keep it from being taken).
pub fn read(connection: &Connection) -> rusqlite::Result<Option<Lineage>> {
    if !connection.table_exists(None, "pra_lineage")? {
        return Ok(None);
    }
    let id = connection.query_row("SELECT id FROM pra_lineage WHERE one = 1", [], |row| Ok(row.get(0).ok()));
    Ok(id.optional()?.flatten())
}

pub(crate) fn random(connection: &Connection) -> rusqlite::Result<Lineage> {
    connection.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))
}

/// The lineage of an open database, given one if it has none. Call it inside the transaction that creates the
/// database, so that no two processes can give it two.
pub fn ensure(connection: &Connection) -> rusqlite::Result<Lineage> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS pra_lineage (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL);
         INSERT OR IGNORE INTO pra_lineage VALUES (1, lower(hex(randomblob(16))));",
    )?;
    connection.query_row("SELECT id FROM pra_lineage WHERE one = 1", [], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_keeps_the_lineage_it_was_given() {
        let connection = Connection::open_in_memory().unwrap();
        assert_eq!(read(&connection).unwrap(), None);
        let born = ensure(&connection).unwrap();
        assert_eq!(born.as_str().len(), 32);
        assert_eq!(ensure(&connection).unwrap(), born);
        assert_eq!(read(&connection).unwrap(), Some(born));
    }

    #[test]
    fn two_databases_have_two_lineages() {
        let (one, two) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        assert_ne!(ensure(&one).unwrap(), ensure(&two).unwrap());
    }
}

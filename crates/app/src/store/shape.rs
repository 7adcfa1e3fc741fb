//! Checks that our tables are as they were created, and that storing something in them has no unexpected effects.
//!
//! A trigger, a view in the place of a table, a constraint that ignores or replaces: with any of them an INSERT succeeds and
//! what was sent is not there. So the statements that made the tables have to be ours, word for word, and nobody else's
//! trigger may be on them. Tables, indexes and views of others beside ours are theirs.

use anyhow::{Context, bail, ensure};
use rusqlite::Connection;

use super::journal;

/// Triggers keep the count, so that it is right whoever writes. SQLite fires no DELETE trigger for the row that an
/// INSERT OR REPLACE or a changed id overwrites: both are refused.
pub(super) const TABLES: &str = "
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL);
    CREATE TABLE message_count (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL);
    CREATE TABLE durability_probe (one INTEGER PRIMARY KEY CHECK (one = 1), ok INTEGER NOT NULL);
    INSERT INTO message_count VALUES (1, 0);
    INSERT INTO durability_probe VALUES (1, 1);
    CREATE TRIGGER message_inserted AFTER INSERT ON message BEGIN
        UPDATE message_count SET count = count + 1;
    END;
    CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
        UPDATE message_count SET count = count - 1;
    END;
    CREATE TRIGGER message_kept BEFORE INSERT ON message WHEN EXISTS (SELECT 1 FROM message WHERE id = NEW.id) BEGIN
        SELECT RAISE(ABORT, 'a message is never overwritten, and this id is taken');
    END;
    CREATE TRIGGER message_id_kept BEFORE UPDATE OF id ON message BEGIN
        SELECT RAISE(ABORT, 'the id of a message never changes');
    END;";

struct Entry {
    kind: String,
    name: String,
    /// The table that it is or belongs to.
    table: String,
    sql: String,
}

/// Fails, and says why, if what is stored might not be there afterwards.
pub(super) fn check(connection: &Connection) -> anyhow::Result<()> {
    let (expected, found) = (expected().context("cannot determine the expected tables")?, entries(connection)?);
    for entry in &found {
        let Some(ours) = expected.iter().find(|ours| ours.name == entry.name) else {
            let is_on_ours = expected.iter().any(|ours| ours.kind == "table" && ours.name == entry.table);
            ensure!(
                !is_on_ours || entry.is_harmless(),
                "the {} {} on the table {}",
                entry.kind,
                entry.name,
                entry.table
            );
            continue;
        };
        ensure!(
            ours.is_made_by(&tokens(&entry.sql)),
            "the {} {} created by {:?} instead of {:?}",
            entry.kind,
            entry.name,
            one_line(&entry.sql),
            one_line(&ours.sql)
        );
    }
    // A database that never was journaled has no tables for that.
    let missing =
        expected.iter().find(|ours| !journal::is_table(&ours.name) && !found.iter().any(|it| it.name == ours.name));
    if let Some(missing) = missing {
        bail!("no {} {}", missing.kind, missing.name);
    }
    Ok(())
}

impl Entry {
    /// Whether a statement makes the same. A later version may have added columns to a table that need no value of ours.
    fn is_made_by(&self, found: &[String]) -> bool {
        let ours = tokens(&self.sql);
        let Some((end, columns)) = ours.split_last().filter(|_| self.kind == "table") else { return ours == found };
        let more = found.strip_prefix(columns).and_then(|more| more.strip_suffix(std::slice::from_ref(end)));
        more.is_some_and(|more| {
            more.is_empty() || (more[0] == "," && more[1..].split(|token| token == ",").all(is_optional))
        })
    }

    /// An index that is not unique makes nothing fail, and changes nothing that is stored.
    fn is_harmless(&self) -> bool {
        self.kind == "index" && !tokens(&self.sql).iter().any(|token| token == "unique")
    }
}

/// Whether a column takes part in nothing but being there.
fn is_optional(column: &[String]) -> bool {
    let has = |word: &str| column.iter().any(|token| token == word);
    let is_bound =
        ["primary", "unique", "check", "conflict", "references", "foreign", "constraint", "as"].into_iter().any(has);
    !is_bound && (!has("not") || has("default"))
}

/// What we would create today, which is what every version of this service created.
fn expected() -> rusqlite::Result<Vec<Entry>> {
    let reference = Connection::open_in_memory()?;
    reference.execute_batch(TABLES)?;
    journal::create_tables(&reference)?;
    entries(&reference)
}

fn entries(connection: &Connection) -> rusqlite::Result<Vec<Entry>> {
    // What has no statement was made by SQLite for a table that has one.
    let sql = "SELECT type, lower(name), lower(tbl_name), sql FROM sqlite_schema
               WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' ORDER BY type = 'trigger', rowid";
    let mut statement = connection.prepare(sql)?;
    let entries = statement.query_map([], |row| {
        Ok(Entry { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    entries.collect()
}

/// The words and signs of a statement in lower case, whatever stands between them and however names are quoted.
fn tokens(sql: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(first) = rest.next() {
        let is_word = |character: &char| character.is_alphanumeric() || *character == '_';
        let token = match first {
            space if space.is_whitespace() => continue,
            '"' | '`' => rest.by_ref().take_while(|next| *next != first).collect(),
            '[' => rest.by_ref().take_while(|next| *next != ']').collect(),
            first if is_word(&first) => {
                let mut word = String::from(first);
                word.extend(std::iter::from_fn(|| rest.next_if(is_word)));
                word
            }
            // A text is no word.
            '\'' => first.to_string() + &rest.by_ref().take_while(|next| *next != '\'').collect::<String>(),
            sign => sign.to_string(),
        };
        tokens.push(token.to_lowercase());
    }
    tokens
}

/// So much of a statement as fits into a message.
fn one_line(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        connection.execute_batch(change).unwrap();
        connection
    }

    /// The table of messages made anew by another statement, with our triggers on it.
    fn remade(columns: &str) -> Connection {
        let triggers = TABLES.find("CREATE TRIGGER").unwrap();
        with(&format!("DROP TABLE message; CREATE TABLE message {columns}; {}", &TABLES[triggers..]))
    }

    #[test]
    fn what_stores_all_that_is_sent_is_accepted() {
        for change in [
            "",
            "CREATE TABLE customer (name TEXT); CREATE TRIGGER t AFTER INSERT ON customer BEGIN SELECT 1; END",
            "CREATE INDEX by_time ON message (timestamp); CREATE VIEW newest AS SELECT max(id) FROM message",
            "CREATE TABLE answer (id INTEGER PRIMARY KEY, message INTEGER REFERENCES message (id) ON DELETE CASCADE)",
            "ALTER TABLE message ADD COLUMN author TEXT NOT NULL DEFAULT 'unique'; ALTER TABLE message ADD COLUMN other TEXT",
            // As a table is that was renamed.
            "CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT,
                timestamp TEXT NOT NULL,message TEXT NOT NULL);
             PRAGMA legacy_alter_table = ON; DROP TRIGGER message_kept; ALTER TABLE message RENAME TO old;
             ALTER TABLE other RENAME TO message; DROP TABLE old; DROP TABLE message_count; DROP TABLE durability_probe",
        ] {
            let connection = with(change);
            if change.contains("RENAME") {
                let rest = TABLES.find("CREATE TABLE message_count").unwrap();
                connection.execute_batch(&TABLES[rest..]).unwrap();
            }
            check(&connection).unwrap();
        }
        let connection = with("");
        journal::create_tables(&connection).unwrap();
        check(&connection).unwrap();
    }

    #[test]
    fn what_may_store_something_else_or_nothing_is_refused() {
        for change in [
            "CREATE TRIGGER gone AFTER INSERT ON message BEGIN DELETE FROM message WHERE id = NEW.id; END",
            "CREATE TRIGGER ignored BEFORE INSERT ON Message BEGIN SELECT RAISE(IGNORE); END",
            "CREATE TRIGGER other AFTER INSERT ON \"message\" BEGIN UPDATE message SET message = ''; END",
            "CREATE TRIGGER indirect AFTER UPDATE ON message_count BEGIN DELETE FROM message; END",
            "CREATE TRIGGER probed BEFORE INSERT ON durability_probe BEGIN SELECT RAISE(IGNORE); END",
            "CREATE UNIQUE INDEX once ON message (message)",
            "DROP TRIGGER message_inserted",
            "DROP TRIGGER message_kept; CREATE TRIGGER message_kept AFTER INSERT ON message BEGIN DELETE FROM message; END",
            "DROP TABLE message_count; CREATE VIEW message_count AS SELECT 1 AS one, 7 AS count",
            "ALTER TABLE message RENAME TO hidden; CREATE VIEW message AS SELECT * FROM hidden",
            "ALTER TABLE message ADD COLUMN other TEXT GENERATED ALWAYS AS (upper(message))",
            "ALTER TABLE message ADD COLUMN other TEXT DEFAULT 1 CHECK (other > 0)",
        ] {
            let checked = check(&with(change));
            assert!(checked.is_err(), "{change}");
        }
        for columns in [
            "(id INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, message TEXT NOT NULL)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, message TEXT)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL, author TEXT NOT NULL)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL ON CONFLICT IGNORE)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL UNIQUE ON CONFLICT REPLACE)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL, CHECK (message <> ''))",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message INTEGER NOT NULL)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL COLLATE NOCASE)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message TEXT NOT NULL) STRICT",
            "(id INTEGER PRIMARY KEY, timestamp TEXT NOT NULL, message TEXT NOT NULL) WITHOUT ROWID",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL REFERENCES other (id), message TEXT NOT NULL)",
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, message \"TEXT NOT NULL\")",
        ] {
            assert!(check(&remade(columns)).is_err(), "{columns}");
        }
        check(&remade(
            "(ID INTEGER PRIMARY KEY AUTOINCREMENT, \"timestamp\" TEXT NOT NULL,\n\t[message] text not null)",
        ))
        .unwrap();
    }

    #[test]
    fn the_reason_names_what_is_in_the_way() {
        let told = |change| format!("{:#}", check(&with(change)).unwrap_err());
        let trigger = "CREATE TRIGGER gone AFTER INSERT ON message BEGIN DELETE FROM message; END";
        assert_eq!(told(trigger), "the trigger gone on the table message");
        assert_eq!(told("DROP TRIGGER message_kept"), "no trigger message_kept");
        let view = told("ALTER TABLE message RENAME TO hidden; CREATE VIEW message AS SELECT * FROM hidden");
        assert!(view.contains("the view message created by \"CREATE VIEW message AS SELECT * FROM hidden\""), "{view}");
    }
}

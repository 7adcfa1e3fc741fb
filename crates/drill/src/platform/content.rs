//! What is done to the content of a volume, wherever it is: damage, a mistake, and what is left to do once it is undone.
//!
//! Of the service's schema nothing is known here.

mod merge;
mod tables;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use tables::{Key, Table};

/// How long to wait for the service's own writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is written where something else was.
const GARBAGE: u8 = 0xa5;

/// Overwrites a file, as `dd` does when it is given the wrong one. Its length stays.
pub(crate) fn overwrite(file: &Path) -> Result<String> {
    let context = || format!("cannot overwrite {}", file.display());
    let open = File::options().read(true).write(true).open(file).with_context(context)?;
    let length = open.metadata().with_context(context)?.len();
    open.write_all_at(&vec![GARBAGE; usize::try_from(length)?], 0)
        .and_then(|()| open.sync_all())
        .with_context(context)?;
    let mut start = [0; 16];
    open.read_exact_at(&mut start, 0).with_context(context)?;
    ensure!(start == [GARBAGE; 16], "{} still begins with {start:?}", file.display());
    Ok(format!("{length} bytes of {} are overwritten", file.file_name().unwrap_or_default().display()))
}

/// Deletes the rows of the tables that collect data: those with AUTOINCREMENT, or, where none of them has rows, all. Triggers
/// fire and references cascade, as they do for whoever makes the mistake. Of a table that would give out its keys again,
/// the newest row stays: the mistake is a `DELETE` of what is older.
pub(crate) fn delete_rows(database: &Path) -> Result<String> {
    // Where a reference or a trigger of the service forbids it, the mistake is that of somebody who switched them off.
    let deleted = match try_delete(database, true) {
        Ok(0) | Err(_) => try_delete(database, false)?,
        Ok(deleted) => deleted,
    };
    ensure!(deleted > 0, "there was no row to delete in {}", database.display());
    Ok(format!("{deleted} rows are deleted"))
}

fn try_delete(database: &Path, guarded: bool) -> Result<usize> {
    let context = || format!("cannot delete rows of {}", database.display());
    let mut connection = open(database)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, guarded).with_context(context)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, guarded).with_context(context)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).with_context(context)?;
    let tables = tables::all(&transaction).with_context(context)?;
    let has_rows = |table: &Table| {
        transaction.query_row(&format!("SELECT EXISTS (SELECT 1 FROM main.{})", table.quoted()), [], |row| row.get(0))
    };
    let collects = |table: &Table| matches!(table.key, Key::Autoincrement(_));
    let any_collects = tables.iter().any(|table| collects(table) && has_rows(table) == Ok(true));
    let chosen: Vec<&Table> = tables.iter().filter(|table| !any_collects || collects(table)).collect();
    let mut deleted = 0;
    // A row may have to go before the one that it refers to, and triggers may write to what is empty already.
    for _ in 0..=chosen.len() {
        let mut this_time = 0;
        for table in &chosen {
            let name = table.quoted();
            let kept = match &table.key {
                Key::Reused(key) | Key::Hidden(key) => format!("WHERE {key} < (SELECT max({key}) FROM main.{name})"),
                Key::Autoincrement(_) | Key::Declared => String::new(),
            };
            // A row that something of the service protects stays, perhaps until the next time.
            this_time += transaction.execute(&format!("DELETE FROM main.{name} {kept}"), []).unwrap_or(0);
        }
        deleted += this_time;
        if this_time == 0 {
            break;
        }
    }
    transaction.commit().with_context(context)?;
    Ok(deleted)
}

/// Adds the rows of another database that are not there. What is there stays as it is.
///
/// # Errors
/// If it cannot be done rightly; then nothing is changed.
pub(crate) fn bring_back(database: &Path, from: &Path) -> Result<String> {
    let context =
        || format!("cannot put rows of {} back into {}; nothing was changed", from.display(), database.display());
    let mut connection = open(database)?;
    let path = from.to_str().with_context(|| format!("{} is not valid UTF-8", from.display()))?;
    connection.execute("ATTACH DATABASE ?1 AS other", [path]).with_context(context)?;
    // Rows come in any order, and as they were.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false).with_context(context)?;
    connection.execute_batch("PRAGMA ignore_check_constraints = ON").with_context(context)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).with_context(context)?;
    let said = merge::all(&transaction).with_context(context)?;
    transaction.commit().with_context(context)?;
    Ok(format!("{said} from {}", from.display()))
}

fn open(database: &Path) -> Result<Connection> {
    let context = || format!("cannot change {}", database.display());
    // Never created: then there would be nothing to change.
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).with_context(context)?;
    connection.busy_timeout(PATIENCE).with_context(context)?;
    Ok(connection)
}

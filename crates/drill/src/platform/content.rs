//! What is done to the content of a volume, wherever it is: damage, a mistake, and what is left to do once it is undone.
//!
//! Tables are taken from `sqlite_sequence`: of the service's schema nothing is known here.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// How long to wait for the service's own writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is written where something else was.
const GARBAGE: u8 = 0xa5;

/// Overwrites a file, as `dd` does when it is given the wrong one. Its length stays.
pub fn overwrite(file: &Path) -> Result<String> {
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

/// Deletes every row of the tables that collect data.
pub fn delete_rows(database: &Path) -> Result<String> {
    let deleted = in_transaction(database, None, |transaction, table| {
        transaction.execute(&format!("DELETE FROM main.\"{table}\""), [])
    })?;
    ensure!(deleted > 0, "there was no row to delete in {}", database.display());
    Ok(format!("{deleted} rows are deleted"))
}

/// Adds the rows of another database that are not there.
pub fn bring_back(database: &Path, from: &Path) -> Result<String> {
    let added = in_transaction(database, Some(from), |transaction, table| {
        transaction.execute(&format!("INSERT OR IGNORE INTO main.\"{table}\" SELECT * FROM other.\"{table}\""), [])
    })?;
    Ok(format!("{added} rows put back from {}", from.display()))
}

/// Changes each table that collects data, all in one transaction, and gives the sum of what the changes say.
fn in_transaction(
    database: &Path,
    other: Option<&Path>,
    change: impl Fn(&Transaction, &str) -> rusqlite::Result<usize>,
) -> Result<usize> {
    let context = || format!("cannot change {}", database.display());
    // Never created: then there would be nothing to change.
    let mut connection =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).with_context(context)?;
    connection.busy_timeout(PATIENCE).with_context(context)?;
    if let Some(other) = other {
        let path = other.to_str().with_context(|| format!("{} is no Unicode", other.display()))?;
        connection.execute("ATTACH DATABASE ?1 AS other", [path]).with_context(context)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).with_context(context)?;
    let changed = tables(&transaction)
        .and_then(|tables| tables.iter().map(|table| change(&transaction, table)).sum())
        .with_context(context)?;
    transaction.commit().with_context(context)?;
    Ok(changed)
}

fn tables(transaction: &Transaction) -> rusqlite::Result<Vec<String>> {
    transaction.prepare("SELECT name FROM main.sqlite_sequence")?.query_map([], |row| row.get(0))?.collect()
}

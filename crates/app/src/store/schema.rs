//! The tables, and who may use a database: one that is ours, or one that is empty.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use backup::openat;
use backup::paths::with_suffix;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::shape;

/// The version of the tables, in `PRAGMA user_version`.
const VERSION: i64 = 1;

/// How long a connection waits for the lock of another process, and how often it looks. SQLite by itself waits for longer
/// and longer between its tries: it would be outrun for seconds by another service that writes without a pause.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);
const BUSY_POLL: Duration = Duration::from_millis(1);

/// The size to which the `-wal` file shrinks when it starts anew. It grows while a backup reads, and would keep that size for
/// ever.
const WAL_BYTES_KEPT: i64 = 16 * 1024 * 1024;

/// A write that reaches the WAL and leaves every page as it was. An UPDATE with the same value would write nothing:
/// SQLite leaves out a change that changes no byte.
pub(super) const PROBE: &str = "INSERT OR REPLACE INTO durability_probe VALUES (1, 1)";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Ours,
}

/// Makes the database at a path ready to serve from, creating it if there is none.
///
/// Whatever is not ours is refused and left as it is, byte for byte.
pub(super) fn prepare(path: &Path) -> anyhow::Result<()> {
    check_path(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).with_context(|| format!("cannot open {}", path.display()))?;
    // Closing moves a WAL that was left here into the database: not into one that turns out to be somebody else's.
    let target = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
    let no_checkpoint = with_suffix(&target, "-wal").exists();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, no_checkpoint)?;
    connection.busy_handler(Some(wait_for_lock))?;
    let content = look(&connection).with_context(|| format!("cannot use {} as the database", path.display()))?;
    ensure!(
        !connection.is_readonly("main")?,
        "cannot use {} as the database: it is read-only; give this user write permission",
        path.display()
    );
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    create(&mut connection, content).with_context(|| format!("cannot prepare the database {}", path.display()))
}

/// Sets what a writing connection needs, and makes SQLite open the companions of the database.
///
/// What was left in the WAL is moved into the database: after a recovery, SQLite does not know of it whether it is there
/// already, and until then no overwriting of the database can be told (see [`super::contents`]).
pub(super) fn settle(connection: &mut Connection, wal_autocheckpoint: u32) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_for_lock))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.pragma_update(None, "wal_autocheckpoint", wal_autocheckpoint)?;
    connection.query_row("SELECT count FROM message_count", [], |_| Ok(()))?;
    // A full disk is no reason not to start; the next checkpoint does the same.
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "cannot checkpoint the -wal file yet");
    }
    Ok(())
}

fn check_path(path: &Path) -> anyhow::Result<()> {
    // Refuses to be led to what is another's.
    match openat::resolve(path).and_then(fs::symlink_metadata) {
        Ok(found) if found.is_dir() => {
            bail!("{} is a directory; expected a database file (--database)", path.display())
        }
        Ok(found) if !found.is_file() => bail!("{} is not a regular file; expected a database file", path.display()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_absent(path),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    }
}

fn check_absent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    ensure!(
        parent.is_dir(),
        "cannot create {}: {} is not a directory; create it, or choose another path with --database",
        path.display(),
        parent.display()
    );
    if let Some(temporary) = backup::restore::interrupted(path) {
        bail!(
            "refusing to create {}: an interrupted restore left {}; run the restore again",
            path.display(),
            temporary.display()
        );
    }
    Ok(())
}

/// Looks within one transaction: between two, another process may create the tables.
fn look(connection: &Connection) -> anyhow::Result<Content> {
    inspect(&*connection.unchecked_transaction()?)
}

fn inspect(connection: &Connection) -> anyhow::Result<Content> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = connection.table_exists(None, "pra_lineage")?;
    match (ours, version) {
        (true, VERSION) => shape::check(connection).map(|()| Content::Ours).map_err(|found| {
            anyhow!(
                "its tables differ from those this service creates, so it could lose data: found {found:#}; undo that \
                 change, restore a backup from before it, or choose another path with --database"
            )
        }),
        (true, newer) if newer > VERSION => bail!(
            "its tables have version {newer}, but this program knows versions up to {VERSION}; use a newer version"
        ),
        (false, 0) if tables == 0 => Ok(Content::Nothing),
        _ => bail!(
            "it belongs to another program: expected no tables or our own (version {VERSION}), found {tables} others \
             (version {version}); choose another path with --database"
        ),
    }
}

/// SQLite does not wait by itself for others that change the mode at the same time.
fn enter_wal_mode(connection: &Connection) -> rusqlite::Result<String> {
    let mut tries = 0;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && wait_for_lock(tries) => {}
            entered => return entered,
        }
        tries += 1;
    }
}

/// Waits a moment, and tells whether to try again.
fn wait_for_lock(tries: i32) -> bool {
    thread::sleep(BUSY_POLL);
    BUSY_POLL * u32::try_from(tries).unwrap_or(0) < BUSY_WAIT
}

fn create(connection: &mut Connection, content: Content) -> anyhow::Result<()> {
    let mode = enter_wal_mode(connection)?;
    ensure!(mode == "wal", "its journal mode is {mode:?} and cannot be changed to WAL");
    if content == Content::Ours {
        return Ok(());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if inspect(&transaction)? == Content::Nothing {
        transaction.execute_batch(shape::TABLES)?;
        backup::lineage::ensure(&transaction)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_writes_to_the_wal_and_leaves_the_database_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        prepare(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let checkpoint = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        connection.execute("INSERT INTO message (timestamp, message) VALUES ('', 'kept')", []).unwrap();
        checkpoint();
        let before = fs::read(&path).unwrap();
        let wal_bytes = || fs::metadata(with_suffix(&path, "-wal")).unwrap().len();
        assert_eq!(wal_bytes(), 0);

        connection.execute(PROBE, []).unwrap();
        assert!(wal_bytes() > 4096, "a probe must write at least one frame, found {} bytes", wal_bytes());
        checkpoint();
        assert!(fs::read(&path).unwrap() == before, "a probe must not change a byte of the database");
    }

    #[test]
    fn a_wal_that_has_grown_shrinks_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        prepare(&path).unwrap();
        let (mut writer, reader) = (Connection::open(&path).unwrap(), Connection::open(&path).unwrap());
        settle(&mut writer, 1000).unwrap();
        let wal_bytes = || i64::try_from(fs::metadata(with_suffix(&path, "-wal")).unwrap().len()).unwrap();
        reader.execute_batch("BEGIN; SELECT count FROM message_count").unwrap();
        let insert = "INSERT INTO message (timestamp, message) VALUES ('', zeroblob(?1))";
        writer.execute(insert, [WAL_BYTES_KEPT]).unwrap();
        assert!(wal_bytes() > WAL_BYTES_KEPT, "{} bytes", wal_bytes());
        reader.execute_batch("COMMIT").unwrap();
        // The first brings all into the database, the second starts the file anew.
        writer.execute(PROBE, []).unwrap();
        writer.execute(PROBE, []).unwrap();
        assert!(wal_bytes() <= WAL_BYTES_KEPT, "{} bytes", wal_bytes());
    }

    #[test]
    fn the_count_follows_whoever_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        prepare(&path).unwrap();
        let connection = Connection::open(&path).unwrap();
        let count = || connection.query_row("SELECT count FROM message_count", [], |row| row.get::<_, i64>(0)).unwrap();
        let insert = "INTO message (id, timestamp, message) VALUES (?1, '', '')";
        for id in 1..=3 {
            connection.execute(&format!("INSERT {insert}"), [id]).unwrap();
        }
        assert_eq!(count(), 3);
        assert!(connection.execute(&format!("INSERT OR REPLACE {insert}"), [3]).is_err());
        assert!(connection.execute("UPDATE OR REPLACE message SET id = 2 WHERE id = 3", []).is_err());
        assert_eq!(count(), 3);
        connection.execute("DELETE FROM message", []).unwrap();
        assert_eq!(count(), 0);
    }
}

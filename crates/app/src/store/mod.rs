//! Where messages are kept: one SQLite database in WAL mode, one thread that writes, a few connections that read.
//!
//! A write is acknowledged after its fsync, and only while the database is still the file that was opened: a WAL
//! connection goes on writing into a file that was deleted, and would acknowledge what nobody can ever read.

mod commits;
mod contents;
mod failure;
mod guard;
mod identity;
mod journal;
mod paging;
mod readers;
mod rescue;
mod schema;
mod shape;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use backup::lineage::Lineage;
use prometheus_client::registry::Registry;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use crate::bounds::{CACHE_KIBIBYTES, PIECE_BYTES};
pub(crate) use commits::SECONDS;
pub(crate) use failure::{Failure, Outcome, WriteFailure};
use guard::{Guard, Watch};
pub(crate) use guard::{OnError, Protect, Protection, Status};
use identity::Identity;
#[cfg(any(test, fuzzing))]
pub(crate) use journal::fuzzed as journal_fuzzed;
pub(crate) use paging::Rest;
use readers::Readers;
use writer::Writer;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message<Text = String> {
    /// Never used twice, and growing.
    pub id: i64,
    /// UTC with six fractional digits and `Z`.
    pub timestamp: Text,
    pub message: Text,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Which end to take them from.
    pub position: Position,
    pub limit: i64,
}

/// Where a page lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    Newest,
    Before(i64),
    After(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub count: i64,
    /// The lineage; `None` if a foreign copy without one was restored into the database.
    pub lineage: Option<Lineage>,
    /// The size without the `-wal` file.
    pub size_bytes: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    /// How many. Deleted ones between the first and the last count as well: to leave them out would take a scan.
    pub messages: i64,
    /// The timestamp of the first, as it is stored.
    pub since: String,
}

pub(crate) struct Store {
    path: PathBuf,
    identity: Arc<Identity>,
    readers: Readers,
    writer: Writer,
    protection: Option<Watch>,
}

impl Store {
    /// Opens the database at a path, creating it if there is none. Fails, and changes nothing, where the path or
    /// what is there is not ours to use, or where it lacks what its journal cannot give back.
    ///
    /// The `-wal` file is moved into the database after about `wal_autocheckpoint` pages; with 0, another program has to.
    pub(crate) fn open(
        path: &Path,
        wal_autocheckpoint: u32,
        queue_depth: usize,
        protection: Protection,
    ) -> anyhow::Result<Self> {
        let path = std::path::absolute(path).with_context(|| format!("cannot resolve {}", path.display()))?;
        schema::prepare(&path)?;
        let identity = Identity::before_opening(&path)?;
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|mut connection| schema::settle(&mut connection, wal_autocheckpoint).map(|()| connection))
            .with_context(|| format!("cannot open the database {}", path.display()))?;
        let identity = Arc::new(identity.once_open()?);
        let readers = Readers::new(path.clone(), identity.clone());
        let guard = match (protection.protect, &protection.repository) {
            (Protect::Sync, _) => Some(Guard::start(&protection, identity.clone(), &connection)?),
            (Protect::None, Some(repository)) => {
                journal::check_unprotected(&connection, &path, repository.path())?;
                None
            }
            (Protect::None, None) => None,
        };
        let watch = guard.as_ref().map(Guard::watch);
        let writer = Writer::start(path.clone(), connection, identity.clone(), guard, queue_depth)?;
        Ok(Self { path, identity, readers, writer, protection: watch })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Stores a message. `Ok` means that it is on disk, in the database that is at the path.
    pub(crate) async fn add(&self, message: String) -> Result<Message, WriteFailure> {
        self.writer.add(message).await
    }

    /// Proves that a write reaches the disk, by one that leaves the content as it was.
    pub(crate) async fn prove_durable(&self) -> Result<(), Failure> {
        self.writer.prove_durable().await
    }

    /// Fails if this store will never serve again, whatever happens to the disk. Waits for nothing and writes nothing.
    pub(crate) fn check_alive(&self) -> Result<(), Failure> {
        let checked = self.identity.check().and_then(|()| self.writer.check_running());
        checked.or_else(|failure| if failure.is_final() { Err(failure) } else { Ok(()) })
    }

    pub(crate) async fn count(&self) -> Result<i64, Failure> {
        self.readers.read(readers::count).await
    }

    /// A page of messages, newest first. Of each there is the beginning: [`crate::bounds::MESSAGE_BYTES_AT_ONCE`] bytes.
    pub(crate) async fn page(&self, page: Page) -> Result<Vec<Message>, Failure> {
        self.readers.read(|connection| paging::beginnings(connection, page)).await
    }

    /// The first piece of a page, as an array in JSON, and what is left of it.
    pub(crate) async fn page_json(&self, page: Page) -> Result<(Vec<u8>, Option<Rest>), Failure> {
        self.readers.read(|connection| paging::piece(connection, Rest::of(connection, page)?, PIECE_BYTES)).await
    }

    /// The next piece, of about so many bytes.
    pub(crate) async fn more_json(&self, rest: Rest, bytes: usize) -> Result<(Vec<u8>, Option<Rest>), Failure> {
        self.readers.read(|connection| paging::piece(connection, Some(rest.clone()), bytes)).await
    }

    pub(crate) async fn summary(&self) -> Result<Summary, Failure> {
        self.readers.read(readers::summary).await
    }

    /// The messages that are newer than an id; `None` if there are none.
    pub(crate) async fn newer(&self, id: i64) -> Result<Option<Newer>, Failure> {
        self.readers.read(|connection| readers::newer(connection, id)).await
    }

    /// How many writes wait for the disk, and how many may.
    pub(crate) fn queue(&self) -> (usize, usize) {
        self.writer.queue()
    }

    /// Size of the `-wal` file; `None` if it is gone.
    pub(crate) fn wal_bytes(&self) -> Option<u64> {
        self.identity.wal_bytes()
    }

    /// Puts what is counted of commits into a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.writer.commits().register(registry);
    }

    /// Whether what is acknowledged survives the loss of the volume; `None` if that was not asked for.
    pub(crate) fn protection(&self) -> Option<Status> {
        self.protection.as_ref().map(Watch::status)
    }

    /// Writes what is still queued, moves the WAL into the database and ends the writer. Fails if the database was lost
    /// meanwhile, and says whether what was acknowledged was saved.
    pub(crate) async fn close(&self) -> anyhow::Result<()> {
        self.writer.close().await
    }
}

/// Opens a connection to a database that exists.
///
/// No connection may check-point when it closes: SQLite would then delete the `-wal` file *by its path*, and if the
/// database was replaced meanwhile, that is the WAL of somebody else's database.
fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // The planner would otherwise look at the value of `LIMIT ?`, and compile the statement anew for each value bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // There may be no directory for temporary files. No statement here needs more than a few pages.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_is_alive_until_its_writer_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let store = {
            let (protect, on_error) = (Protect::None, OnError::Refuse);
            let protection = Protection { protect, repository: None, on_error, until: None };
            Store::open(&directory.path().join("app.db"), 1000, 1, protection).unwrap()
        };
        assert_eq!(store.check_alive(), Ok(()));
        store.close().await.unwrap();
        // The thread answers just before it ends.
        for _ in 0..1000 {
            if store.check_alive().is_err() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(store.check_alive(), Err(Failure::Stopped));
    }
}

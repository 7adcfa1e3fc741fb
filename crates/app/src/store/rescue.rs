//! Saves the acknowledged writes when only the `-wal` file was deleted: SQLite still has the whole file open.
//!
//! It is moved into the database by the checkpoint that SQLite would do on one of the next commits anyway: through the
//! open file, under the locks of the `-shm` file. Processes that use the same deleted file are therefore kept in step,
//! and one that opens the database afterwards finds in the `-shm` file that it needs no frame. One that opens it
//! *before* makes a `-wal` file of its own, whose frames would be taken for ours: then nothing is touched.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use thiserror::Error;

use super::contents::Contents;
use super::{Identity, schema};

/// How often a checkpoint that met another one is tried again.
const POLL: Duration = Duration::from_millis(10);

#[derive(Debug, Error)]
#[error("the database was lost while in use: {reason}; {}", consequence(*.saved))]
pub(super) struct Loss {
    pub reason: String,
    /// Whether what was acknowledged is in it all the same.
    pub saved: bool,
}

fn consequence(saved: bool) -> &'static str {
    if saved {
        "this process saved its acknowledged writes into it, but those of other processes may be missing"
    } else {
        "acknowledged writes may be missing from the database now"
    }
}

/// Tries to move a deleted `-wal` file into the database. True if everything that was acknowledged is there, on disk.
pub(super) fn save(connection: &Connection, identity: &Identity, contents: &mut Contents) -> bool {
    if !identity.lacks_only_its_wal() || contents.are_overwritten().unwrap_or(true) {
        return false;
    }
    // Whoever replaced a file meanwhile has another database than the one that was written.
    let result = checkpoint(connection).map(|complete| complete && identity.lacks_only_its_wal());
    match &result {
        Ok(true) => tracing::warn!("saved acknowledged writes: copied the deleted -wal file into the database"),
        Ok(false) => {
            tracing::error!(
                "not all acknowledged writes were saved, because other processes use the database or replaced it; it \
                 may be damaged: check it or restore it"
            );
        }
        Err(error) => {
            tracing::error!(%error, "acknowledged writes were not saved, and the database may be damaged: restore it");
        }
    }
    result.unwrap_or(false)
}

/// False if others were in the way for [`schema::BUSY_WAIT`]. SQLite waits for readers and writers by itself, but not
/// for another checkpoint.
fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    let give_up = Instant::now() + schema::BUSY_WAIT;
    loop {
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0))?;
        if !busy || Instant::now() >= give_up {
            return Ok(!busy);
        }
        sleep(POLL);
    }
}

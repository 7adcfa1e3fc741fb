//! Whether the bytes of the database are still those that SQLite put there.
//!
//! `cp backup.db app.db` writes into the file that is open: its identity stays, and so do locks and `-wal` file, but the
//! next checkpoint mixes two databases. In WAL mode only a checkpoint writes to the database, whoever does it, and it
//! leaves a trace in the `-shm` file before its first byte: a header that changes without one was changed by a stranger.
//!
//! What goes unnoticed: bytes of the same header (of a copy that was made since the last checkpoint, say), and an
//! overwriting with another database during a checkpoint, or between one that failed and the next. Only the writer looks:
//! at every write and health check, not at a read.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;

/// The bytes of the database that name its size, its change counter and the version of its schema.
/// See <https://www.sqlite.org/fileformat.html#the_database_header>.
const HEADER_BYTES: usize = 100;

/// What every database starts with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What the `-shm` file starts with, up to the end of the state of checkpoints.
/// See <https://www.sqlite.org/walformat.html#the_wal_index_file_format>.
const INDEX_BYTES: usize = 136;

/// A database and its `-shm` file, opened once more. Never closed: that would drop SQLite's POSIX locks on them.
#[derive(Debug)]
pub(super) struct Contents {
    database: ManuallyDrop<File>,
    index: ManuallyDrop<File>,
    seen: Option<Seen>,
}

/// The header, and the checkpoint that put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    header: [u8; HEADER_BYTES],
    checkpoint: Checkpoint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checkpoint {
    /// New each time that the WAL starts again.
    salts: [u8; 8],
    /// How many frames it set out to copy into the database.
    attempted: u32,
    complete: bool,
}

impl Contents {
    /// Takes files that are open already, and looks at them for the first time.
    pub(super) fn new(database: ManuallyDrop<File>, index: ManuallyDrop<File>) -> io::Result<Self> {
        let mut contents = Self { database, index, seen: None };
        contents.are_overwritten()?;
        Ok(contents)
    }

    /// Whether something else than a checkpoint changed the database since the last time. Once that is so, it stays so.
    pub(super) fn are_overwritten(&mut self) -> io::Result<bool> {
        let checkpoint = self.checkpoint()?;
        let header = read_start(&self.database)?;
        if !header.starts_with(MAGIC) {
            return Ok(true);
        }
        if !checkpoint.complete || self.checkpoint()? != checkpoint {
            // A checkpoint may be writing this very header.
            return Ok(false);
        }
        if self.seen.is_some_and(|seen| seen.checkpoint == checkpoint && seen.header != header) {
            return Ok(true);
        }
        self.seen = Some(Seen { header, checkpoint });
        Ok(false)
    }

    fn checkpoint(&self) -> io::Result<Checkpoint> {
        let index: [u8; INDEX_BYTES] = read_start(&self.index)?;
        let number = |at: usize| u32::from_ne_bytes([index[at], index[at + 1], index[at + 2], index[at + 3]]);
        let (frames, copied, attempted) = (number(16), number(96), number(128));
        let mut salts = [0; 8];
        salts.copy_from_slice(&index[32..40]);
        // More frames copied than there are: the WAL is just being started again.
        Ok(Checkpoint { salts, attempted, complete: copied == attempted && copied <= frames })
    }
}

/// The first bytes of a file; zeros where it is shorter.
fn read_start<const N: usize>(file: &File) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

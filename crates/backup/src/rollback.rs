//! A database in rollback-journal mode, where nobody can commit while somebody reads.
//!
//! It is read in many short transactions, so that a writer never waits for longer than one of them. If nobody committed
//! meanwhile, all that was read is one state. Otherwise the whole file is read once more, in one transaction, by all
//! processors and mostly from memory, and what changed is copied again: writers wait for that only.

use std::cell::Cell;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use rusqlite::{Connection, ErrorCode};

use crate::content::Content;
use crate::limits::{BUSY_MAX, Limits, Progress};
use crate::pages::{self, CHUNK_BYTES};
use crate::{Error, openat};

/// Where SQLite puts its locks. The page there holds nothing, whatever is in the file.
const LOCKS_AT: u64 = 1 << 30;

/// What is read in one transaction: milliseconds, if it is not from a slow disk.
const TURN_BYTES: usize = 16 * CHUNK_BYTES;

/// How often the lock is asked for while others write.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// More than most machines have processors for: where others are at work too, they get a larger share while everybody waits.
const THREADS: usize = 8;

const DATA_VERSION: &str = "PRAGMA data_version";

/// The file of such a database, which SQLite has open too.
pub(crate) struct Turns {
    file: &'static File,
    /// `data_version` when its content was read; it moves with every commit of others.
    version: i64,
    held_max: Cell<Duration>,
    /// Its seed is random, so that nobody can write what has the hash of something else.
    state: RandomState,
}

impl Turns {
    /// Ends the read transaction of a database in rollback-journal mode. `None` in WAL mode, where it need not end, and
    /// where pages cannot be read one by one.
    pub(crate) fn begin(connection: &Connection, path: &Path) -> Result<Option<Self>, Error> {
        let reads = || Error::sqlite("read", path);
        if is_wal(connection).map_err(reads())? {
            return Ok(None);
        }
        // A copy of all pages is made in one transaction.
        let Some(expected) = pages::first(connection).map_err(reads())? else { return Ok(None) };
        let file = kept_open(path)?;
        let mut found = vec![0; expected.len()];
        file.read_exact_at(&mut found, 0).map_err(Error::io("read", path))?;
        if found != expected {
            return Err(changed(path, "another file replaced it"));
        }
        let version = connection.query_row(DATA_VERSION, [], |row| row.get(0)).map_err(reads())?;
        connection.execute_batch("COMMIT").map_err(reads())?;
        Ok(Some(Self { file, version, held_max: Cell::default(), state: RandomState::default() }))
    }

    /// By which a chunk that changed is known.
    pub(crate) fn hash(&self, chunk: &[u8]) -> u64 {
        self.state.hash_one(chunk)
    }

    /// How long a writer had to wait at most.
    pub(crate) fn held_max(&self) -> Duration {
        self.held_max.get()
    }

    /// Calls `each` with all of the file, a chunk at a time, as [`crate::pages::each_chunk`] does, and holds no lock
    /// meanwhile. Gives whether nobody committed since the content was read. Otherwise it may have been any mixture.
    pub(crate) fn each_chunk(
        &self,
        (connection, path): (&Connection, &Path),
        content: &Content,
        limits: Limits<'_>,
        mut each: impl FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>,
    ) -> Result<bool, Error> {
        let reads = || Error::sqlite("read every page of", path);
        // SQLite waits for longer and longer between its tries, and would be outrun by a writer without a pause.
        connection.busy_timeout(Duration::ZERO).map_err(reads())?;
        let mut lock = connection.prepare(DATA_VERSION).map_err(reads())?;
        let (mut at, mut unchanged) = (0, true);
        let (mut turn, mut buffer) = (Vec::with_capacity(TURN_BYTES), Vec::with_capacity(CHUNK_BYTES));
        while at < bytes_of(content) {
            // The lock is held until the rows are dropped.
            let mut rows = lock.query([]).map_err(reads())?;
            match rows.next().and_then(|row| row.map_or(Ok(0), |row| row.get::<_, i64>(0))) {
                Ok(version) => unchanged &= version == self.version,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    drop(rows);
                    limits.check(path, progress(content, at))?;
                    thread::sleep(LOCK_POLL);
                    continue;
                }
                Err(error) => return Err(reads()(error)),
            }
            let began = Instant::now();
            read(self.file, content, at, &mut turn, TURN_BYTES).map_err(Error::io("read", path))?;
            drop(rows);
            self.held_max.set(self.held_max.get().max(began.elapsed()));
            if turn.is_empty() {
                // It has become shorter.
                unchanged = false;
                break;
            }
            for chunk in turn.chunks(CHUNK_BYTES) {
                at += chunk.len() as u64;
                buffer.clear();
                buffer.extend_from_slice(chunk);
                if each(&mut buffer, progress(content, at)).is_break() {
                    return Ok(unchanged);
                }
                limits.check(path, progress(content, at))?;
            }
        }
        connection.busy_timeout(limits.deadline.limit.min(BUSY_MAX)).map_err(reads())?;
        Ok(unchanged)
    }

    /// Makes the copy `target`, whose chunks have these hashes, that of the snapshot that `connection` holds, and the
    /// hashes those of its chunks.
    pub(crate) fn copy_changed(
        &self,
        (connection, path): (&Connection, &Path),
        content: &Content,
        (copy, target): (&File, &Path),
        hashes: &mut Vec<u64>,
        limits: Limits<'_>,
    ) -> Result<(), Error> {
        if is_wal(connection).map_err(Error::sqlite("read", path))? {
            return Err(changed(path, "its journal mode became wal"));
        }
        let (file, state, bytes, next) = (self.file, &self.state, bytes_of(content), AtomicUsize::new(0));
        if copy.metadata().map_err(Error::io("look at", target))?.len() > bytes {
            copy.set_len(bytes).map_err(Error::io("write", target))?;
        }
        hashes.truncate(usize::try_from(bytes.div_ceil(CHUNK_BYTES as u64)).unwrap_or(usize::MAX));
        let known = &*hashes;
        let work = || {
            let (mut buffer, mut found) = (Vec::with_capacity(CHUNK_BYTES), Vec::new());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let at = index as u64 * CHUNK_BYTES as u64;
                if at >= bytes {
                    return Ok(found);
                }
                read(file, content, at, &mut buffer, CHUNK_BYTES).map_err(Error::io("read", path))?;
                if buffer.is_empty() {
                    return Err(changed(path, "it became shorter"));
                }
                let hash = state.hash_one(&buffer);
                if known.get(index) != Some(&hash) {
                    copy.write_all_at(&buffer, at).map_err(Error::io("write", target))?;
                    found.push((index, hash));
                }
                limits.check(path, progress(content, at))?;
            }
        };
        let found: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let join = |worker: thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect::<Result<_, Error>>()
        })?;
        for (index, hash) in found.into_iter().flatten() {
            hashes.resize(hashes.len().max(index + 1), hash);
            hashes[index] = hash;
        }
        Ok(())
    }
}

/// The bytes of the database as a file.
fn bytes_of(content: &Content) -> u64 {
    u64::from(content.page_count) * u64::from(content.page_size)
}

fn progress(content: &Content, bytes: u64) -> Progress {
    Progress { done: bytes / u64::from(content.page_size), total: content.page_count.into() }
}

/// Fills the buffer with what is at `at`; less than `length`, if the file has less. Puts nothing in the page of the locks.
fn read(file: &File, content: &Content, at: u64, buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let left = usize::try_from(bytes_of(content) - at).unwrap_or(length);
    buffer.resize(left.min(length), 0);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    // What is read begins at multiples of its length, and so does this page.
    if at == LOCKS_AT {
        let end = filled.min(content.page_size as usize);
        buffer[..end].fill(0);
    }
    Ok(())
}

fn is_wal(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).map(|mode| mode == "wal")
}

/// Opens a file that SQLite has open too. To close it would drop the locks that this process has through SQLite, so it
/// stays open until the process ends, and is opened once.
fn kept_open(path: &Path) -> Result<&'static File, Error> {
    static OPEN: Mutex<Vec<&'static File>> = Mutex::new(Vec::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let looks = || Error::io("look at", path);
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let wanted = id(fs::metadata(path).map_err(looks())?);
    for file in &*open {
        if id(file.metadata().map_err(looks())?) == wanted {
            return Ok(file);
        }
    }
    let file: &'static File = Box::leak(Box::new(openat::database(path, false).map_err(Error::io("open", path))?));
    open.push(file);
    Ok(file)
}

fn changed(path: &Path, how: &str) -> Error {
    Error::Source { path: path.to_owned(), reason: format!("{how} while it was being read; take it again") }
}

//! The pages of a snapshot, read in order through the table `sqlite_dbpage`, as SQLite's own `sqlite3_rsync` does. Put one
//! behind the other they are the database file.
//!
//! That table is compiled into SQLite only if it is asked for, which `.cargo/config.toml` does, and `cargo install` does not
//! read that file. Without it, the pages are copied to a scratch file by the backup API, and read from there: right, but slower.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::backup::Backup;
use rusqlite::{Connection, Rows};

use crate::limits::{Limits, Progress};
use crate::{Error, openat, steps, untrusted};

/// What is read at a time: whole pages, of whatever size, and enough for a fast `write`.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// Calls `each` with all pages of the snapshot that `source` holds, a chunk at a time, until it wants no more. It may keep
/// the buffer and leave another one, which is emptied.
pub(crate) fn each_chunk(
    (source, path): (&Connection, &Path),
    limits: Limits<'_>,
    mut each: impl FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>,
) -> Result<(), Error> {
    let reads = || Error::sqlite("read every page of", path);
    if !has_table(source).map_err(reads())? {
        tracing::warn!(
            "this build of SQLite lacks the sqlite_dbpage table, so copies take longer, block writers that do not use \
             WAL, and reveal less about a recreated database; build with LIBSQLITE3_FLAGS=-DSQLITE_ENABLE_DBPAGE_VTAB"
        );
        return each_chunk_of_a_copy((source, path), limits, each);
    }
    let size = |name| source.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).map_err(reads());
    let (page_size, total) = (u64::from(size("page_size")?), u64::from(size("page_count")?));
    let mut pages = source.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno").map_err(reads())?;
    let mut pages = pages.query([]).map_err(reads())?;
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    let mut done = 0;
    loop {
        buffer.clear();
        fill(&mut pages, &mut buffer).map_err(reads())?;
        if buffer.is_empty() {
            return Ok(());
        }
        done += buffer.len() as u64 / page_size;
        let progress = Progress { done, total };
        if each(&mut buffer, progress).is_break() {
            return Ok(());
        }
        limits.check(path, progress)?;
    }
}

/// The first page of the snapshot; `None` if that takes a copy of all of them.
pub(crate) fn first(source: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    let page = || source.query_row("SELECT data FROM sqlite_dbpage WHERE pgno = 1", [], |row| row.get(0));
    has_table(source)?.then(page).transpose()
}

/// The change counter in a first page, see <https://www.sqlite.org/fileformat.html#file_change_counter>.
pub(crate) fn change_counter(first: &[u8]) -> u32 {
    first.get(24..28).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn has_table(source: &Connection) -> rusqlite::Result<bool> {
    source.query_row("SELECT sqlite_compileoption_used('ENABLE_DBPAGE_VTAB')", [], |row| row.get(0))
}

/// The same as [`each_chunk`], by the backup API. In the header, that changes what [`crate::digest::OfContent`] leaves out.
fn each_chunk_of_a_copy(
    (source, path): (&Connection, &Path),
    limits: Limits<'_>,
    mut each: impl FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>,
) -> Result<(), Error> {
    let scratch = tempfile::tempdir().map_err(Error::io("copy pages to", &std::env::temp_dir()))?;
    let copy = scratch.path().join("pages");
    let mut file = openat::create(&copy, 0o600).map_err(Error::io("create", &copy))?;
    let copies = || Error::sqlite("copy pages to", &copy);
    let mut target = untrusted::open(&copy).map_err(copies())?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(copies())?;
    let backup = Backup::new(source, &mut target).map_err(copies())?;
    let mut total = 0;
    steps::to_the_end(&backup, &copy, &mut |progress| {
        total = progress.total;
        limits.check(path, Progress { done: 0, total })
    })?;
    drop(backup);
    drop(target);
    let length = file.metadata().map_err(Error::io("look at", &copy))?.len();
    let (mut buffer, mut done) = (Vec::with_capacity(CHUNK_BYTES), 0);
    while done < length {
        buffer.clear();
        let read = (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut buffer).map_err(Error::io("read", &copy))?;
        done += read as u64;
        let progress = Progress { done: done * total / length, total };
        if read == 0 || each(&mut buffer, progress).is_break() {
            break;
        }
        limits.check(path, progress)?;
    }
    scratch.close().map_err(Error::io("empty", &std::env::temp_dir()))
}

/// Adds pages until the buffer is full or there are no more.
fn fill(pages: &mut Rows<'_>, buffer: &mut Vec<u8>) -> rusqlite::Result<()> {
    while buffer.len() < CHUNK_BYTES
        && let Some(page) = pages.next()?
    {
        buffer.extend_from_slice(page.get_ref(0)?.as_blob()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::digest::OfContent;
    use crate::limits::Deadline;

    /// Where SQLite puts its locks; the page there holds nothing, whatever is in the file.
    const LOCKS_AT: u64 = 1 << 30;

    #[test]
    fn a_database_of_more_than_1_gib_is_read_whole_but_for_the_page_of_the_locks() {
        const PAGE_BYTES: u64 = 65536;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA page_size = 65536; CREATE TABLE t (a)").unwrap();
        // Two pages more than 1 GiB has, as the header tells. The disk has but a few of them.
        let total = LOCKS_AT / PAGE_BYTES + 2;
        let file = File::options().read(true).write(true).open(&path).unwrap();
        file.set_len(total * PAGE_BYTES).unwrap();
        file.write_all_at(&u32::try_from(total).unwrap().to_be_bytes(), 28).unwrap();
        for at in [LOCKS_AT - 1, LOCKS_AT + 600, LOCKS_AT + PAGE_BYTES] {
            file.write_all_at(b"x", at).unwrap();
        }

        let source = Connection::open(&path).unwrap();
        let deadline = Deadline { began: Instant::now(), limit: Duration::MAX };
        let (mut expected, mut at) = (Vec::new(), 0);
        each_chunk((&source, &path), Limits { deadline, wal: None }, |chunk, progress| {
            expected.resize(chunk.len(), 0);
            file.read_exact_at(&mut expected, at).unwrap();
            if at == LOCKS_AT {
                expected[600] = 0;
            }
            assert!(*chunk == expected, "the chunk at {at} is another");
            at += chunk.len() as u64;
            assert_eq!(progress, Progress { done: at / PAGE_BYTES, total });
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(at, total * PAGE_BYTES);
    }
    #[test]
    fn without_the_table_of_pages_the_content_is_the_same() {
        for mode in ["WAL", "DELETE"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("app.db");
            let source = Connection::open(&path).unwrap();
            let fill = format!(
                "PRAGMA page_size = 1024; PRAGMA journal_mode = {mode}; CREATE TABLE t (b);
                 INSERT INTO t VALUES (randomblob(700000)), (randomblob(90)); DELETE FROM t WHERE length(b) < 100; BEGIN;
                 SELECT * FROM t",
            );
            source.execute_batch(&fill).unwrap();
            let deadline = Deadline { began: Instant::now(), limit: Duration::MAX };
            let limits = Limits { deadline, wal: None };
            let (mut expected, mut found) = (OfContent::default(), OfContent::default());
            let mut seen = Vec::new();
            each_chunk((&source, &path), limits, |chunk, _| {
                expected.update(chunk);
                ControlFlow::Continue(())
            })
            .unwrap();
            each_chunk_of_a_copy((&source, &path), limits, |chunk, progress| {
                seen.push(progress);
                found.update(chunk);
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(found.finish(), expected.finish(), "{mode}");
            assert!(seen.len() > 1 && seen.last().is_some_and(|last| last.done == last.total), "{seen:?}");
        }
    }
}

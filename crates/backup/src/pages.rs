//! The pages of a snapshot, read in order through the table `sqlite_dbpage`, as SQLite's own `sqlite3_rsync` does. Put one
//! behind the other they are the database file.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Rows};

use crate::{Error, wal};

/// What is read at a time: whole pages, of whatever size, and enough for a fast `write`.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// How far something is that is done page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pages done.
    pub copied: u64,
    /// Pages there are to do.
    pub total: u64,
}

/// When what began at `began` has to be done.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    pub began: Instant,
    pub limit: Duration,
}

impl Deadline {
    /// Fails once it has passed.
    pub fn check(self, path: &Path, Progress { copied, total }: Progress) -> Result<(), Error> {
        if self.began.elapsed() < self.limit {
            return Ok(());
        }
        Err(Error::Deadline { path: path.to_owned(), limit: self.limit, copied, total })
    }
}

/// What ends the reading of a snapshot early.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub deadline: Deadline,
    /// `None` where nobody can write.
    pub wal: Option<&'a wal::Bound>,
}

impl Limits<'_> {
    /// Fails once one of them is passed.
    pub fn check(self, path: &Path, progress: Progress) -> Result<(), Error> {
        self.deadline.check(path, progress)?;
        self.wal.map_or(Ok(()), |bound| bound.check(progress))
    }
}

/// Calls `each` with all pages of the snapshot that `source` holds, a chunk at a time, until it wants no more. It may keep
/// the buffer and leave another one, which is emptied.
pub(crate) fn each_chunk(
    (source, path): (&Connection, &Path),
    limits: Limits<'_>,
    mut each: impl FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>,
) -> Result<(), Error> {
    let reads = || Error::sqlite("read every page of", path);
    let size = |name| source.pragma_query_value(None, name, |row| row.get::<_, u32>(0)).map_err(reads());
    let (page_size, total) = (u64::from(size("page_size")?), u64::from(size("page_count")?));
    let mut pages = source.prepare("SELECT data FROM sqlite_dbpage ORDER BY pgno").map_err(reads())?;
    let mut pages = pages.query([]).map_err(reads())?;
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    let mut copied = 0;
    loop {
        buffer.clear();
        fill(&mut pages, &mut buffer).map_err(reads())?;
        if buffer.is_empty() {
            return Ok(());
        }
        copied += buffer.len() as u64 / page_size;
        let progress = Progress { copied, total };
        if each(&mut buffer, progress).is_break() {
            return Ok(());
        }
        limits.check(path, progress)?;
    }
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

    use super::*;

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
            assert_eq!(progress, Progress { copied: at / PAGE_BYTES, total });
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(at, total * PAGE_BYTES);
    }
}

//! The copy of a snapshot, page by page, with SQLite's online backup API.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::Error;

/// Pages a step: some 8 MB, so that progress is seen and the deadline is kept. The steps see one snapshot because
/// the source's read transaction is held.
const STEP_PAGES: i32 = 2000;

/// How long to wait before a busy page is asked for again; SQLite has nothing to wait on.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// How far a copy is, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Pages copied.
    pub copied: u64,
    /// Pages there are to copy.
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

/// Copies the snapshot that `source` holds into the file `target`, which must be new or empty. The file is complete
/// but not yet on disk when this returns.
pub(crate) fn pages(
    (source, path): (&Connection, &Path),
    target: &Path,
    deadline: Deadline,
    report: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    let fails = || Error::sqlite("copy the database to", target);
    let mut destination = open(target).map_err(Error::sqlite("open", target))?;
    let backup = Backup::new(source, &mut destination).map_err(fails())?;
    steps(&backup, (path, target), deadline, report)?;
    drop(backup);
    destination.close().map_err(|(_, error)| fails()(error))
}

/// Goes to the end of a copy from one database, whose transaction is held, to another.
pub(crate) fn steps(
    backup: &Backup<'_, '_>,
    (path, target): (&Path, &Path),
    deadline: Deadline,
    report: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    loop {
        let step = backup.step(STEP_PAGES).map_err(Error::sqlite("copy the database to", target))?;
        let progress = progress(backup);
        report(progress);
        if matches!(step, StepResult::Done) {
            return Ok(());
        }
        deadline.check(path, progress)?;
        if matches!(step, StepResult::Busy | StepResult::Locked) {
            thread::sleep(BUSY_PAUSE);
        }
    }
}

fn open(target: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(target, flags)?;
    // A copy that is killed is swept, not rolled back; and it is brought to disk once, by us, when it is complete.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    Ok(connection)
}

fn progress(backup: &Backup<'_, '_>) -> Progress {
    let pages = |count: i32| u64::try_from(count).unwrap_or(0);
    let progress = backup.progress();
    Progress { copied: pages(progress.pagecount - progress.remaining), total: pages(progress.pagecount) }
}

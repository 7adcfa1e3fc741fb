//! SQLite's online backup API, step by step.

use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};

use crate::Error;
use crate::limits::Progress;

/// Pages a step: some 8 MB, so that progress is seen and the deadline is kept.
const PAGES: i32 = 2000;

/// How long to wait before a busy page is asked for again; SQLite has nothing to wait on.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Overwrites `target` with a database that nobody else writes. `each` is told of each step, and ends it all if it fails before
/// the last one.
pub(crate) fn to_the_end(
    backup: &Backup<'_, '_>,
    target: &Path,
    each: &mut dyn FnMut(Progress) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        let step = backup.step(PAGES).map_err(Error::sqlite("copy the database to", target))?;
        let went_on = each(progress(backup));
        if matches!(step, StepResult::Done) {
            return Ok(());
        }
        went_on?;
        if matches!(step, StepResult::Busy | StepResult::Locked) {
            thread::sleep(BUSY_PAUSE);
        }
    }
}

fn progress(backup: &Backup<'_, '_>) -> Progress {
    let pages = |count: i32| u64::try_from(count).unwrap_or(0);
    let progress = backup.progress();
    Progress { done: pages(progress.pagecount - progress.remaining), total: pages(progress.pagecount) }
}

//! Progress of reading a database, and the limits that end it early.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::paths::exists;
use crate::{Error, paths, space};

/// The longest wait SQLite can be asked for: some 24 days, in milliseconds.
pub(crate) const BUSY_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// How far something is: in pages of a database, or in bytes sent or received, with those that need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// When what began at `began` has to be done.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    pub began: Instant,
    pub limit: Duration,
}

impl Deadline {
    pub(crate) fn check(self, path: &Path, Progress { done, total }: Progress) -> Result<(), Error> {
        if self.began.elapsed() < self.limit {
            return Ok(());
        }
        Err(Error::Deadline { path: path.to_owned(), limit: self.limit, done, total })
    }
}

/// What ends the reading of a snapshot early.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub deadline: Deadline,
    /// `None` where nobody can write.
    pub wal: Option<&'a WalBound>,
}

impl Limits<'_> {
    pub(crate) fn check(self, path: &Path, progress: Progress) -> Result<(), Error> {
        self.deadline.check(path, progress)?;
        self.wal.map_or(Ok(()), |bound| bound.check(progress))
    }
}

/// How much the `-wal` file of a database may grow that is being read: it cannot start anew meanwhile, and grows with what others
/// write.
pub(crate) struct WalBound {
    database: PathBuf,
    wal: PathBuf,
    bytes_at_first: u64,
    growth_max: u64,
    /// Whether there must be none at all.
    at_rest: bool,
}

impl WalBound {
    /// The database is named by its real path. It may grow by as much as is asked for, but never to more than half of what its
    /// volume has free: the volume of a database must not be filled by its backup.
    ///
    /// `at_rest` says that the database is read where nobody used it: a `-wal` file tells that somebody began to.
    pub(crate) fn new(database: &Path, growth_max: u64, at_rest: bool) -> Result<Self, Error> {
        let wal = paths::with_suffix(database, "-wal");
        let growth_max = growth_max.min(space::free(paths::directory_of(database))? / 2);
        Ok(Self { database: database.to_owned(), bytes_at_first: bytes(&wal)?, wal, growth_max, at_rest })
    }

    /// Fails once it has grown by more, or is there at all.
    pub(crate) fn check(&self, Progress { done, total }: Progress) -> Result<(), Error> {
        if self.at_rest && exists(&self.wal)? {
            return Err(Error::Disturbed { path: self.database.clone() });
        }
        let growth = bytes(&self.wal)?.saturating_sub(self.bytes_at_first);
        if growth <= self.growth_max {
            return Ok(());
        }
        let (path, limit) = (self.database.clone(), self.growth_max);
        Err(Error::WalGrowth { path, growth, limit, done, total })
    }
}

/// Without WAL there is none, and nobody can write.
fn bytes(wal: &Path) -> Result<u64, Error> {
    match fs::symlink_metadata(wal) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("look at", wal)(error)),
    }
}

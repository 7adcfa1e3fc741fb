//! The `-wal` file of a database that is being read: it cannot start anew meanwhile, and grows with what others write.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::pages::Progress;
use crate::repository::exists;
use crate::{Error, durable, space};

/// How much it may grow.
pub(crate) struct Bound {
    database: PathBuf,
    wal: PathBuf,
    bytes_at_first: u64,
    growth_max: u64,
    /// Whether there must be none at all.
    at_rest: bool,
}

impl Bound {
    /// The database is named by its real path. It may grow by as much as is asked for, but never to more than half of what its
    /// volume has free: the volume of a database must not be filled by its backup.
    ///
    /// `at_rest` says that the database is read where nobody used it: a `-wal` file tells that somebody began to.
    pub fn new(database: &Path, growth_max: u64, at_rest: bool) -> Result<Self, Error> {
        let wal = durable::with_suffix(database, "-wal");
        let growth_max = growth_max.min(space::free(durable::directory_of(database))? / 2);
        Ok(Self { database: database.to_owned(), bytes_at_first: bytes(&wal)?, wal, growth_max, at_rest })
    }

    /// Fails once it has grown by more, or is there at all.
    pub fn check(&self, Progress { copied, total }: Progress) -> Result<(), Error> {
        if self.at_rest && exists(&self.wal)? {
            return Err(Error::Disturbed { path: self.database.clone() });
        }
        let growth = bytes(&self.wal)?.saturating_sub(self.bytes_at_first);
        if growth <= self.growth_max {
            return Ok(());
        }
        let (path, limit) = (self.database.clone(), self.growth_max);
        Err(Error::WalGrowth { path, growth, limit, copied, total })
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

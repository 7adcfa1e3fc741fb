//! The directory of one lineage's journal, and the kernel lock on it.
//!
//! Processes that use one database file share the lock: SQLite's own lock on that database already puts their groups in
//! one order. Whoever has another database file needs it alone, so that it never takes over from a service that lives.
//! The lock does not reach another node; there, only the epochs decide.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;
use backup::durable::sync_directory;
use backup::lineage::Lineage;

pub(super) struct Home {
    pub lineage: Lineage,
    pub directory: PathBuf,
    lock: File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Shared,
    Alone,
}

pub(super) fn directory(repository: &Path, lineage: &Lineage) -> PathBuf {
    repository.join("journal").join(lineage.as_str())
}

impl Home {
    /// Opens the directory of a lineage, creating it in a repository that exists.
    pub(super) fn open(repository: &Path, lineage: &Lineage) -> anyhow::Result<Self> {
        let directory = directory(repository, lineage);
        for directory in directory.ancestors().take(2).collect::<Vec<_>>().into_iter().rev() {
            create(directory).with_context(|| format!("cannot create the journal {}", directory.display()))?;
        }
        let path = directory.join(".lock");
        let lock = backup::belongings::open_lock(&path)?;
        Ok(Self { lineage: lineage.clone(), directory, lock })
    }

    /// Whether the lock could be taken, or exchanged for the other kind.
    pub(super) fn hold(&self, hold: Hold) -> anyhow::Result<bool> {
        let held = match hold {
            Hold::Shared => self.lock.try_lock_shared(),
            Hold::Alone => self.lock.try_lock(),
        };
        match held {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock the journal {}", self.directory.display()))
            }
        }
    }
}

/// Creates a directory that may be there already, and brings its name to disk.
fn create(directory: &Path) -> anyhow::Result<()> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(sync_directory(directory.parent().unwrap_or(Path::new(".")))?),
        Err(_) if directory.is_dir() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

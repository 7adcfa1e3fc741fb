//! The directories of a local system, and the directory that holds those of all drills.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use backup::{bounds, openat};

/// The directories of one system.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// Holds everything else.
    pub root: PathBuf,
    /// The volume with the database.
    pub data: PathBuf,
    /// The volume with the restore points.
    pub repository: PathBuf,
}

impl Folder {
    /// The layout below an absolute path; nothing is created.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { data: root.join("pra-data"), repository: root.join("pra-backup"), root }
    }

    /// Creates what is not there yet.
    pub(crate) fn create(&self) -> Result<()> {
        for directory in [&self.data, &self.repository] {
            fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        }
        Ok(())
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.data.join("app.db")
    }

    /// Directories beside the two volumes, for what a fault must not reach.
    pub(crate) fn safety(&self) -> Self {
        Self::at(self.root.join("safety"))
    }

    /// Opens a log of this system, to append to it.
    pub(crate) fn append_to(&self, log: &str) -> Result<File> {
        let path = self.root.join(log);
        openat::append(&path, 0o666).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The last line of a log, for error messages.
    pub(crate) fn tail(&self, log: &str) -> String {
        let path = self.root.join(log);
        match openat::bytes(&path, bounds::REPORT_BYTES) {
            Ok(text) => String::from_utf8_lossy(&text).lines().last().unwrap_or("it said nothing").to_owned(),
            Err(error) => format!("cannot read {}: {error}", path.display()),
        }
    }
}

/// The directory that holds the folders of running drills, locked: one drill at a time.
pub(crate) struct StateDir {
    /// Absolute path.
    pub path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Creates the directory if need be and locks it. An error means that a drill is running, or that the directory
    /// cannot be used.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot create the state directory {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
        let lock_path = path.join("lock");
        let lock = backup::belongings::open_lock(&lock_path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another drill is running ({} is locked); wait for it, or stop it", lock_path.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", lock_path.display()))
            }
        }
    }
}

//! Whether the files at the database's path are still those that were opened.
//!
//! Only `stat` is used to tell: opening and closing a file in this process would drop SQLite's POSIX locks on it. That
//! a file was overwritten in place is seen in its [`Contents`].

use std::fs::{self, File};
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context;
use backup::openat;
use backup::paths::with_suffix;

use super::Failure;
use super::contents::Contents;

/// What the kernel knows a file by. An inode number is not given to another file as long as the file is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

#[derive(Debug)]
pub(super) struct Identity {
    /// The database, its `-wal` and its `-shm`: a process that meets another one of any of them shares no locks with
    /// us, or writes where nobody reads.
    files: [(PathBuf, FileId); 3],
    /// Set once a file is found to be another, and never cleared: what was acknowledged since is not there.
    lost: OnceLock<Failure>,
}

pub(super) struct Unopened {
    path: PathBuf,
    database: FileId,
}

impl Identity {
    pub(super) fn before_opening(path: &Path) -> anyhow::Result<Unopened> {
        Ok(Unopened { path: path.to_owned(), database: existing(path)? })
    }

    /// Fails if a file is gone or is another one. The first time that is so decides for good.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if let Some(lost) = self.lost.get() {
            return Err(lost.clone());
        }
        for (path, expected) in &self.files {
            self.check_file(path, *expected)?;
        }
        Ok(())
    }

    /// Whether the `-wal` file is gone and nothing else happened: SQLite then still has all of it open, and shares its
    /// locks with whoever else uses the database.
    pub(super) fn lacks_only_its_wal(&self) -> bool {
        let [database, wal, shm] = &self.files;
        let is_ours = |(path, expected): &(PathBuf, FileId)| identify(path).is_ok_and(|found| found == *expected);
        let is_missing = fs::symlink_metadata(&wal.0).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        is_missing && is_ours(database) && is_ours(shm)
    }

    /// Opens the database and its `-shm` file once more, to look into them.
    pub(super) fn contents(&self) -> anyhow::Result<Contents> {
        let [database, _, shm] = &self.files;
        Contents::new(reopen(database)?, reopen(shm)?)
            .with_context(|| format!("cannot read {} and its -shm file", database.0.display()))
    }

    /// The database, as messages name it.
    pub(super) fn database(&self) -> &Path {
        &self.files[0].0
    }

    /// Size of the `-wal` file; `None` if it is gone.
    pub(super) fn wal_bytes(&self) -> Option<u64> {
        fs::metadata(&self.files[1].0).ok().map(|found| found.len())
    }

    /// Decides that the database is lost, unless that was decided before; gives what was decided.
    pub(super) fn lose(&self, reason: String) -> Failure {
        let lost = self.lost.get_or_init(|| {
            tracing::error!(%reason, "the database is lost");
            Failure::Lost(reason)
        });
        lost.clone()
    }

    fn check_file(&self, path: &Path, expected: FileId) -> Result<(), Failure> {
        let reason = match identify(path) {
            Ok(found) if found == expected => return Ok(()),
            Ok(_) => format!("{} was replaced by another file while it was open", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                format!("{} was deleted while it was open", path.display())
            }
            // The file may well be there: a file system that comes back must not need a restart.
            Err(error) => {
                return Err(Failure::Refused { action: "find", path: path.to_owned(), reason: error.to_string() });
            }
        };
        Err(self.lose(reason))
    }
}

impl Unopened {
    /// Looks again once SQLite has opened the database and its companions. The same file before and after is the one
    /// that was opened.
    pub(super) fn once_open(self) -> anyhow::Result<Identity> {
        let Self { path, database } = self;
        anyhow::ensure!(
            existing(&path)? == database,
            "{} was replaced while it was being opened; start again",
            path.display()
        );
        // SQLite follows symbolic links, and keeps the companions beside the target.
        let target = path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))?;
        let (wal, shm) = (with_suffix(&target, "-wal"), with_suffix(&target, "-shm"));
        let (wal_id, shm_id) = (existing(&wal)?, existing(&shm)?);
        Ok(Identity { files: [(path, database), (wal, wal_id), (shm, shm_id)], lost: OnceLock::new() })
    }
}

fn reopen((path, expected): &(PathBuf, FileId)) -> anyhow::Result<ManuallyDrop<File>> {
    let file =
        ManuallyDrop::new(openat::database(path, false).with_context(|| format!("cannot open {}", path.display()))?);
    let found = file.metadata().map(|found| FileId { device: found.dev(), inode: found.ino() });
    anyhow::ensure!(
        found.with_context(|| format!("cannot look at {}", path.display()))? == *expected,
        "{} was replaced while it was being opened; start again",
        path.display()
    );
    Ok(file)
}

fn existing(path: &Path) -> anyhow::Result<FileId> {
    identify(path).with_context(|| format!("cannot find {}", path.display()))
}

fn identify(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|found| FileId { device: found.dev(), inode: found.ino() })
}

//! File operations that survive a power cut: what was renamed or removed is on disk once [`sync_directory`] returns.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::paths::{directory_of, partial};
use crate::{Error, belongings, openat};

/// How much is written before the disk is told to begin with it.
const WRITE_BACK_BYTES: i64 = 8 * 1024 * 1024;

/// Brings the entries of a directory to disk.
///
/// # Errors
/// [`Error::Io`] if the disk fails. That the file system has no such operation is none: nobody could do better there.
pub fn sync_directory(path: &Path) -> Result<(), Error> {
    try_sync_directory(path).map(|_| ())
}

/// Whether the file system has an operation that brings the entries of a directory to disk. If so, it was done.
pub(crate) fn try_sync_directory(path: &Path) -> Result<bool, Error> {
    match openat::directory(path).and_then(|directory| directory.sync_all()) {
        Ok(()) => Ok(true),
        Err(error) if is_impossible(&error) => {
            warn_once(path, &error);
            Ok(false)
        }
        Err(error) => Err(Error::io("sync the directory", path)(error)),
    }
}

/// What network and FUSE file systems answer where PostgreSQL, Git and SQLite go on too. A directory that may be
/// written but not read cannot be opened to be synced.
fn is_impossible(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EBADF | Errno::EISDIR | Errno::EACCES)
    )
}

/// Every file that is renamed would say the same.
fn warn_once(directory: &Path, error: &io::Error) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        let directory = directory.display();
        tracing::warn!(
            "the file system of {directory} cannot sync a directory ({error}): a power cut may undo a rename"
        );
    }
}

/// Brings a file to disk while `work` reads it: the disk and the processor are busy at the same time.
pub(crate) fn sync_while<T: Send>(
    (file, path): (&File, &Path),
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        let sync = scope.spawn(|| file.sync_all().map_err(Error::io("sync", path)));
        let done = work();
        // A panic of the other thread is this thread's too.
        sync.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        done
    })
}

/// Has the disk begin with what is written while more is being written. A large file that goes to disk all at once keeps
/// others waiting who want a little of the same disk, and whoever waits for the end of it.
#[derive(Default)]
pub(crate) struct WriteBack {
    written: i64,
    begun: i64,
}

impl WriteBack {
    /// Tells it that as many bytes were added at the end of the file.
    pub(crate) fn follow(&mut self, file: &File, bytes: usize) {
        self.written += bytes as i64;
        if self.written - self.begun < WRITE_BACK_BYTES {
            return;
        }
        let (offset, length) = (self.begun, self.written - self.begun);
        // It also drops what is on disk already from memory. Where it fails, all is left to the sync at the end.
        if let Err(errno) = posix_fadvise(file, offset, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED) {
            tracing::debug!(%errno, "cannot start writing back early");
        }
        self.begun = self.written;
    }
}

/// Writes a small new file, which those can read who can list its directory, and brings it to disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // What a process left that was killed may belong to another user.
    remove(path)?;
    let mut file = openat::create(path, 0o666).map_err(Error::io("create", path))?;
    belongings::leave_to_directory(&file, path, 0o644)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", path))
}

/// Puts a small file in the place of the one there is, if there is one: readers see either.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = partial(path);
    write(&new, bytes)?;
    rename(&new, path)?;
    sync_directory(directory_of(path))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    openat::rename(from, to).map_err(Error::io("rename", from))
}

pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match openat::remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

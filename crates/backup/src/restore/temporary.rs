//! The file a restore fills and verifies before it becomes the database.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::geteuid;
use rusqlite::Connection;

use crate::belongings::{self, Belongings};
use crate::durable::WriteBack;
use crate::limits::Progress;
use crate::paths::exists;
use crate::space::Room;
use crate::verify::{self, Check, Checked};
use crate::versions::Versions;
use crate::{Error, Manifest, durable, openat, paths, stored, untrusted};

/// The header of a database. Without it, SQLite calls a file no database.
const HEADER_BYTES: usize = 100;

/// `<database>.restoring`. Beside a missing database, it tells that a restore was interrupted.
pub(super) fn path(database: &Path) -> PathBuf {
    paths::beside(database, ".restoring")
}

/// Removed on drop unless it is to be kept.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Temporary {
    /// Creates it, in the place of what a killed restore left, if it left something.
    ///
    /// # Errors
    /// [`Error::RestoreBusy`] if a living restore holds it.
    pub(super) fn create(database: &Path) -> Result<Self, Error> {
        let path = path(database);
        let busy = || Error::RestoreBusy { path: database.to_owned() };
        let creates = || Error::io("create", &path);
        let file = match openat::create(&path, 0o600) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match take_over(&path, busy)? {
                Some(left) => left,
                None => renewed(&path).map_err(creates())?,
            },
            Err(error) => return Err(creates()(error)),
        };
        lock(&file, &path, busy)?;
        // Whoever runs the restore again must be able to, should this one be killed.
        belongings::leave_to_directory(&file, &path, 0o600)?;
        Ok(Self { path, file, kept: false })
    }

    /// Copies a restore point, compares what was copied with its manifest, and lets SQLite check it. On disk when this returns.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the restore point is damaged or cannot be read; others if the destination fails.
    pub(super) fn fill(
        &mut self,
        source: &Path,
        manifest: &Manifest,
        check: Check,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Checked, Error> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(Error::io("empty", &self.path))?;
        let mut room = Room::new(paths::directory_of(&self.path), manifest.size_bytes)?;
        let (mut written, mut write_back) = (0, WriteBack::default());
        stored::read(source, manifest, |chunk| {
            self.file.write_all(chunk).map_err(Error::io("write", &self.path))?;
            write_back.follow(&self.file, chunk.len());
            room.written(chunk.len())?;
            written += chunk.len() as u64;
            report(Progress {
                done: written / u64::from(manifest.page_size).max(1),
                total: manifest.page_count.into(),
            });
            Ok(())
        })?;
        let verified = durable::sync_while((&self.file, &self.path), || verify::structure(&self.path, manifest, check));
        verified.map_err(|error| verify::blame(source, error))
    }

    /// Opens it, once it is filled, to be copied into a database. It is changed so that no side file appears beside it.
    pub(super) fn open_for_copy(&self) -> Result<Connection, Error> {
        Versions::hide(&self.file).map_err(Error::io("write", &self.path))?;
        let opened = untrusted::open_alone(&self.path).and_then(|mut connection| {
            untrusted::end_after(&mut connection, None)?;
            connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")?;
            Ok(connection)
        });
        opened.map_err(Error::sqlite("open", &self.path))
    }

    /// Gives it to those whose database it will be: whose one it replaces, or else whose directory it is in.
    pub(super) fn belong(&self, database: &Path, restored: &Path) -> Result<(), Error> {
        let belongings = if exists(database)? {
            Belongings::of(database)?
        } else {
            Belongings::of_new_in(paths::directory_of(database), restored)?
        };
        belongings.give(&self.file, &self.path)?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))
    }

    /// From here on it stays whatever happens: without a database beside, it is what tells of the interruption.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    /// Renames it to the database, which must not exist.
    pub(super) fn publish(mut self, database: &Path) -> Result<(), Error> {
        self.keep();
        durable::rename(&self.path, database)
    }

    /// Puts its content into the file of the database, which cannot be renamed. Until all of it is on disk, that is no
    /// database to SQLite, and this file stays, to tell that a restore was interrupted.
    pub(super) fn overwrite(mut self, database: &Path) -> Result<(), Error> {
        self.keep();
        let fails = || Error::io("overwrite", database);
        let target = openat::update(database).map_err(fails())?;
        let length = self.file.metadata().map_err(Error::io("look at", &self.path))?.len();
        reserve(&target, length).map_err(fails())?;
        let mut header = [0; HEADER_BYTES];
        target.write_all_at(&header, 0).and_then(|()| target.sync_all()).map_err(fails())?;
        self.file.read_exact_at(&mut header, 0).map_err(Error::io("read", &self.path))?;
        let copied = (&self.file).seek(SeekFrom::Start(HEADER_BYTES as u64)).and_then(|at| {
            (&target).seek(SeekFrom::Start(at))?;
            io::copy(&mut &self.file, &mut &target)?;
            target.set_len(length)?;
            target.sync_all()?;
            target.write_all_at(&header, 0)?;
            target.sync_all()
        });
        copied.map_err(fails())?;
        self.kept = false;
        Ok(())
    }
}

/// Takes the space first, where the file system can: a disk that is full must not be found out half way.
fn reserve(target: &File, length: u64) -> io::Result<()> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    match fallocate(target, FallocateFlags::empty(), 0, length) {
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = openat::remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), "cannot remove the temporary file: {error}");
        }
    }
}

/// Takes the lock, by which other restores know that this one lives, on the file that has the name and still has it then.
fn lock(file: &File, path: &Path, busy: impl Fn() -> Error) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy()),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
    }
    // Between opening and locking, another restore may have made this very file its database.
    if is_still(file, path)? { Ok(()) } else { Err(busy()) }
}

/// What a killed restore of this user left, which no other user has open to write. `None` for what must be replaced: the file
/// of another user, or a link or a pipe that somebody put there.
fn take_over(path: &Path, busy: impl Fn() -> Error) -> Result<Option<File>, Error> {
    let file = match openat::update(path) {
        Ok(file) => file,
        // Nobody knows whether it is at work.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(Error::io("open", path)(error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(busy()),
        Err(error) => {
            tracing::warn!("{} is in the way and is replaced: {error}", path.display());
            return Ok(None);
        }
    };
    // Of whomever it is, who holds it may be at work.
    lock(&file, path, busy)?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    Ok((metadata.uid() == geteuid().as_raw()).then_some(file))
}

/// A new file, in the place of another, so that there is none at no instant.
fn renewed(path: &Path) -> io::Result<File> {
    let directory = paths::directory_of(path);
    let new = tempfile::Builder::new().prefix(".restoring-").make_in(directory, |new| openat::create(new, 0o600))?;
    let (file, new) = new.keep().map_err(|error| error.error)?;
    if let Err(error) = openat::rename(&new, path) {
        openat::remove(&new)?;
        return Err(error);
    }
    Ok(file)
}

fn is_still(file: &File, path: &Path) -> Result<bool, Error> {
    let ours = file.metadata().map_err(Error::io("look at", path))?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

//! The space that restore points take up, and the room that the next ones need.

use std::io;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use nix::sys::statvfs::statvfs;

use crate::{Error, Manifest, Repository, bounds, opaque};

/// The room that the next restore points need: a copy of the newest while it is taken, before anything goes for it, and
/// as much again, since a database grows.
pub fn wanted(newest: &Manifest) -> u64 {
    newest.size_bytes.saturating_mul(2)
}

/// What the volume of a directory has free, in bytes.
pub fn free(path: &Path) -> Result<u64, Error> {
    let volume = statvfs(path).map_err(|errno| Error::io("ask for the free space of", path)(errno.into()))?;
    Ok(volume.blocks_available().saturating_mul(volume.fragment_size()))
}

/// Says how much is missing where a volume has no room for a copy; the operating system only says that.
pub(crate) fn explain(error: Error, directory: &Path, needed: u64) -> Error {
    let Error::Io { action, path, source } = error else { return error };
    let is_full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let Some(free) = free(directory).ok().filter(|_| is_full) else { return Error::Io { action, path, source } };
    let (free, needed) = (ByteSize(free), ByteSize(needed));
    let why = format!(
        "{source}: the volume of {} has {free} free, but a copy of the database needs {needed}; enlarge it, keep \
         fewer restore points, or remove files from it that are neither restore points nor a journal",
        directory.display()
    );
    Error::Io { action, path, source: io::Error::new(source.kind(), why) }
}

/// What a file that is being written still takes of its volume, which others write too. What its manifest says of its size
/// may be meant to fill the volume.
pub(crate) struct Room {
    directory: PathBuf,
    left: u64,
    unseen: u64,
}

impl Room {
    /// Fails if there is none for as many bytes.
    pub(crate) fn new(directory: &Path, bytes: u64) -> Result<Self, Error> {
        let room = Self { directory: directory.to_owned(), left: bytes, unseen: 0 };
        room.look().map(|()| room)
    }

    /// Tells it what was written, and fails if the rest does not fit any more.
    pub(crate) fn written(&mut self, bytes: usize) -> Result<(), Error> {
        self.left = self.left.saturating_sub(bytes as u64);
        self.unseen += bytes as u64;
        if self.unseen < bounds::WRITTEN_UNSEEN_BYTES {
            return Ok(());
        }
        self.unseen = 0;
        self.look()
    }

    fn look(&self) -> Result<(), Error> {
        let free = free(&self.directory)?;
        if self.left <= free {
            return Ok(());
        }
        let (left, free) = (ByteSize(self.left), ByteSize(free));
        let why = format!(
            "{left} remain to be written, but its volume has {free} free; free space there, or use another volume"
        );
        Err(Error::io("write to", &self.directory)(io::Error::new(io::ErrorKind::StorageFull, why)))
    }
}

/// What these restore points may take up in all so that the next ones fit too: in what others leave of `limit`, and on the
/// volume.
pub(crate) fn available(repository: &Repository, manifests: &[Manifest], limit: u64) -> Result<u64, Error> {
    let Some(newest) = manifests.last() else { return Ok(limit) };
    let stored = manifests.iter().map(Manifest::stored_bytes).fold(0, u64::saturating_add);
    let limit = limit.saturating_sub(opaque::bytes(repository, manifests)?);
    Ok(limit.min(stored.saturating_add(free(repository.path())?)).saturating_sub(wanted(newest)))
}

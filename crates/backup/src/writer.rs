//! The right to change a repository, held by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::manifest::SEQUENCE_MAX;
use crate::paths::{exists, partial};
use crate::repository::{REHEARSALS, REMOTES, RESTORES};
use crate::signature::SigningKey;
use crate::{
    Error, Manifest, Name, Repository, at_rest, authenticity, belongings, bounds, durable, openat, self_digest, source,
};

/// How often a lock is asked for again: the kernel offers no wait with a limit.
const POLL: Duration = Duration::from_millis(20);

/// More takes than lie between two restore points that are kept.
const ROOM: u64 = 1_000_000;

/// The only one who may add and remove restore points, until it is dropped or its process dies.
#[derive(Debug)]
pub struct Writer {
    repository: Repository,
    /// Signs each manifest that is written.
    sign_key: Option<SigningKey>,
    // Locked for as long as it is open.
    _lock: File,
}

impl Repository {
    /// Waits at most `patience` to become the repository's only writer, then sweeps what killed ones left.
    ///
    /// # Errors
    /// [`Error::RepositoryBusy`] if there is another all that time, [`Error::NoRepository`], [`Error::Io`].
    pub fn writer(&self, patience: Duration) -> Result<Writer, Error> {
        if !exists(self.path())? {
            return Err(Error::NoRepository { path: self.path().to_owned() });
        }
        let place = fs::metadata(self.path()).map_err(Error::io("look at", self.path()))?;
        openat::warn_of_everybody(self.path(), &place);
        let path = self.path().join(".lock");
        let file = belongings::open_lock(&path)?;
        let asked = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
                Err(TryLockError::WouldBlock) if asked.elapsed() >= patience => {
                    return Err(Error::RepositoryBusy { path: self.path().to_owned() });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(POLL),
            }
        }
        let writer = Writer { repository: self.clone(), sign_key: None, _lock: file };
        writer.sweep()?;
        Ok(writer)
    }
}

impl Writer {
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Signs each manifest it writes from now on, if there is a key.
    #[must_use]
    pub fn signing(self, sign_key: Option<SigningKey>) -> Self {
        Self { sign_key, ..self }
    }

    /// A name for a snapshot that began at `instant` which no file has yet, should the clock have gone backwards.
    pub(crate) fn free_name(&self, mut instant: jiff::Timestamp) -> Result<Name, Error> {
        let taken = self.repository.names()?;
        loop {
            let name = Name::at(instant);
            if !taken.contains(&name) {
                return Ok(name);
            }
            instant += Duration::from_millis(1);
        }
    }

    /// One more than any manifest has, whatever its lineage and whether or not its database is there. If one that
    /// cannot be read is newer than all that can, its number is unknown: [`ROOM`] is left for it, so that it does not
    /// outrank what is taken now on the day it can be read again.
    pub(crate) fn next_sequence(&self) -> Result<u64, Error> {
        let (mut newest, mut unreadable) = (None, None);
        for name in self.repository.names()? {
            match self.repository.read(&name) {
                Some(Ok(manifest)) => newest = newest.max(Some((manifest.sequence, name))),
                Some(Err(_)) => unreadable = Some(name),
                None => {}
            }
        }
        let (sequence, newest) = newest.map_or((0, None), |(sequence, name)| (sequence, Some(name)));
        let next = sequence.saturating_add(if unreadable > newest { ROOM } else { 1 });
        if next > SEQUENCE_MAX {
            let path = newest.map_or_else(|| self.repository.path().to_owned(), |name| self.repository.manifest(&name));
            let reason = format!(
                "its sequence number {sequence} is the highest possible, so none can follow; move it \
                 out of the repository"
            );
            return Err(Error::Damaged { path, reason });
        }
        Ok(next)
    }

    /// Makes the stored file's `.partial`, complete and on disk, a restore point.
    pub(crate) fn publish(&self, manifest: &Manifest) -> Result<(), Error> {
        self.publish_as(manifest, &self.written(manifest)?)
    }

    /// The same, with these bytes as the file of its manifest.
    pub(crate) fn publish_as(&self, manifest: &Manifest, bytes: &[u8]) -> Result<(), Error> {
        let stored = self.repository.stored_file(manifest);
        // The name of the part is on disk first: it is what tells that a manifest without its stored file is unfinished,
        // and a file system may bring the later of two names to disk and not the earlier.
        durable::sync_directory(self.repository.path())?;
        // Before the stored file, so that no reader and no power cut sees one without its manifest.
        durable::replace(&self.repository.manifest(&manifest.name), bytes)?;
        durable::rename(&partial(&stored), &stored)?;
        durable::sync_directory(self.repository.path())
    }

    /// Writes a manifest in the place of the one there is: readers see either.
    pub(crate) fn describe(&self, manifest: &Manifest) -> Result<(), Error> {
        let description = self.repository.manifest(&manifest.name);
        let was_signed =
            || openat::bytes(&description, bounds::MANIFEST_BYTES).is_ok_and(|bytes| authenticity::is_signed(&bytes));
        if self.sign_key.is_none() && was_signed() {
            tracing::warn!(
                name = %manifest.name,
                "rewriting its manifest without --sign-key removed its signature, so --verify-key will refuse it; \
                 sign it with: backup trust {} --sign-key FILE", manifest.name
            );
        }
        durable::replace(&description, &self.written(manifest)?)
    }

    /// The bytes of a manifest's file.
    fn written(&self, manifest: &Manifest) -> Result<Vec<u8>, Error> {
        let fails = |error: io::Error| Error::io("write", &self.repository.manifest(&manifest.name))(error);
        let bytes = self_digest::with(manifest, self.sign_key.as_ref()).map_err(|error| fails(error.into()))?;
        if bytes.len() as u64 > bounds::MANIFEST_BYTES {
            let (found, max, marks) = (bytes.len(), bounds::MANIFEST_BYTES, manifest.high_water.len());
            let why = format!(
                "it would have {found} bytes, expected at most {max}: the database has {marks} AUTOINCREMENT marks, \
                 one per row of sqlite_sequence; remove those of dropped tables"
            );
            return Err(fails(io::Error::other(why)));
        }
        Ok(bytes)
    }

    /// Remembers that somebody said of a restore point that it is right, and gives what its manifest says now.
    pub fn trust(&self, manifest: Manifest) -> Result<Manifest, Error> {
        let trusted = Manifest { trusted_at: Some(source::now()), ..manifest };
        self.describe(&trusted)?;
        Ok(trusted)
    }

    /// Removes a restore point. It is gone with the first rename; the rest can be swept later.
    pub(crate) fn remove(&self, manifest: &Manifest) -> Result<(), Error> {
        let stored = self.repository.stored_file(manifest);
        durable::rename(&stored, &partial(&stored))?;
        durable::sync_directory(self.repository.path())?;
        self.discard(&manifest.name)
    }

    /// Removes what an unfinished publication or removal of `name` left.
    pub(crate) fn discard(&self, name: &Name) -> Result<(), Error> {
        let description = self.repository.manifest(name);
        durable::remove(&partial(&description))?;
        let unfinished = self.unfinished(name)?;
        if !unfinished.is_empty() && exists(&description)? {
            durable::remove(&description)?;
            durable::sync_directory(self.repository.path())?;
        }
        // Last, also on disk, because they are what tells that the manifest beside them counts for nothing.
        unfinished.iter().try_for_each(|file| durable::remove(file))
    }

    /// The parts of a stored file that there are.
    fn unfinished(&self, name: &Name) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        for part in self.repository.stored_files(name).map(|file| partial(&file)) {
            if exists(&part)? {
                found.push(part);
            }
        }
        Ok(found)
    }

    fn sweep(&self) -> Result<(), Error> {
        at_rest::sweep(self.repository.path())?;
        for record in [REHEARSALS, RESTORES, REMOTES] {
            durable::remove(&partial(&self.repository.path().join(record)))?;
        }
        for name in self.repository.names()? {
            let part_of_manifest = partial(&self.repository.manifest(&name));
            let [plain, compressed] = self.repository.stored_files(&name);
            if exists(&plain)? || exists(&compressed)? {
                // Of a confirmation that was killed: the manifest is the one from before.
                durable::remove(&part_of_manifest)?;
                // Of a pull that was to replace what is damaged.
                self.unfinished(&name)?.iter().try_for_each(|file| durable::remove(file))?;
            } else if !self.unfinished(&name)?.is_empty() || exists(&part_of_manifest)? {
                tracing::warn!(%name, "removing files left by a killed take or prune");
                self.discard(&name)?;
            }
        }
        Ok(())
    }
}

//! The directory of restore points, as its readers see it. Readers take no lock.
//!
//! The rule: a restore point exists if and only if its stored file exists, `NAME.db` or, compressed, `NAME.db.zst`. That
//! file with `.partial` behind it marks a publication or a removal that is under way or was killed; with it beside,
//! `NAME.json` counts for nothing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::authenticity::VerifyKeys;
use crate::lineage::Lineage;
use crate::manifest::COMPRESSED;
use crate::paths::{PARTIAL, exists, partial};
use crate::{Error, Manifest, Name, bounds, openat};

/// The files that remember the newest rehearsal of each lineage, the last restore of each database, and the head of each remote
/// repository by its URL.
pub(crate) const REHEARSALS: &str = "rehearsals.json";
pub(crate) const RESTORES: &str = "restores.json";
pub(crate) const REMOTES: &str = "remotes.json";

#[derive(Clone, Debug)]
pub struct Repository {
    directory: PathBuf,
    /// Whose restore points are believed.
    keys: VerifyKeys,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The name its files have.
    pub name: Name,
    /// Whether it can be restored.
    #[serde(flatten)]
    pub state: State,
}

/// Whether an entry is a restore point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// A database file with its manifest. Nothing is said of the file's content: that takes `verify`.
    Complete { manifest: Box<Manifest> },
    /// A part of a restore point is missing or unreadable. Nothing deletes it but people.
    Incomplete {
        /// Which part, and how.
        reason: String,
    },
}

impl Entry {
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.state {
            State::Complete { manifest } => Some(manifest),
            State::Incomplete { .. } => None,
        }
    }
}

impl Repository {
    /// The repository in the directory `dir`. Touches nothing.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { directory: dir.into(), keys: VerifyKeys::default() }
    }

    /// The same, where only what one of these keys signed is believed: any other entry is incomplete.
    #[must_use]
    pub fn believing(self, keys: VerifyKeys) -> Self {
        Self { keys, ..self }
    }

    pub fn path(&self) -> &Path {
        &self.directory
    }

    pub fn database(&self, name: &Name) -> PathBuf {
        self.directory.join(name.database_file())
    }

    /// The file in which a restore point is stored: what is copied when it is copied as it is, and what
    /// [`Manifest::stored_bytes`] and [`Manifest::stored_blake3`] describe.
    pub fn stored_file(&self, manifest: &Manifest) -> PathBuf {
        self.directory.join(manifest.stored_file())
    }

    /// The files of which one is the stored file of a restore point.
    pub(crate) fn stored_files(&self, name: &Name) -> [PathBuf; 2] {
        let database = self.database(name);
        let compressed = crate::paths::with_suffix(&database, COMPRESSED);
        [database, compressed]
    }

    pub fn manifest(&self, name: &Name) -> PathBuf {
        self.directory.join(name.manifest_file())
    }

    /// Every entry: the complete ones in the order of their sequence, oldest first, then the incomplete ones in the
    /// order of their names.
    ///
    /// # Errors
    /// [`Error::NoRepository`] if the directory does not exist, [`Error::Io`] if it cannot be listed. A file in it that
    /// cannot be read makes its own entry incomplete, no more.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        self.each_entry(|entry, its_bytes| {
            bytes += its_bytes;
            if bytes > bounds::LISTING_BYTES {
                let (found, max) = (ByteSize(bytes), ByteSize(bounds::LISTING_BYTES));
                let why =
                    format!("its manifests have more than {found}; expected at most {max}; keep fewer restore points");
                return Err(Error::io("list the repository", &self.directory)(io::Error::other(why)));
            }
            entries.push(entry);
            Ok(())
        })?;
        // The sort is stable and the names came sorted.
        entries.sort_by_key(|entry| entry.manifest().map_or(u64::MAX, |manifest| manifest.sequence));
        Ok(entries)
    }

    /// Calls `each` with every entry, in the order of their names, and the bytes of its manifest. Only one is in memory at a
    /// time.
    fn each_entry(&self, mut each: impl FnMut(Entry, u64) -> Result<(), Error>) -> Result<(), Error> {
        for name in self.names()? {
            let mut bytes = 0;
            if let Some(state) = self.state_of(&name, &mut bytes) {
                each(Entry { name, state }, bytes)?;
            }
        }
        Ok(())
    }

    /// Calls `each` with the manifest of every complete entry, in the order of their names. For whoever keeps little of each:
    /// only one is in memory at a time.
    pub fn each_manifest(&self, mut each: impl FnMut(Manifest)) -> Result<(), Error> {
        self.each_entry(|entry, _| {
            if let State::Complete { manifest } = entry.state {
                each(*manifest);
            }
            Ok(())
        })
    }

    /// The manifests of the complete entries, oldest first.
    pub fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        let complete = |entry: Entry| match entry.state {
            State::Complete { manifest } => Some(*manifest),
            State::Incomplete { .. } => None,
        };
        Ok(self.entries()?.into_iter().filter_map(complete).collect())
    }

    /// The newest complete restore point by sequence, of one lineage or (`None`) of any. Reads manifests only: the
    /// file itself may be damaged.
    ///
    /// # Errors
    /// Those of [`Repository::entries`]; an empty directory is `Ok(None)`.
    pub fn newest(&self, lineage: Option<&Lineage>) -> Result<Option<Manifest>, Error> {
        let fits = |manifest: &Manifest| lineage.is_none() || manifest.lineage.as_ref() == lineage;
        Ok(self.manifests()?.into_iter().rfind(fits))
    }

    /// Whether there is, now, an entry of this name.
    pub fn holds(&self, name: &Name) -> bool {
        self.state(name).is_some()
    }

    /// The names in the directory that have a database, a manifest or a part of one.
    pub(crate) fn names(&self) -> Result<BTreeSet<Name>, Error> {
        let fails = || Error::io("list the repository", &self.directory);
        let listing = openat::list(&self.directory).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoRepository { path: self.directory.clone() },
            _ => fails()(error),
        })?;
        let names: BTreeSet<Name> = listing.iter().filter_map(|(file, _)| name_of(file)).collect();
        if names.len() > bounds::NAMES {
            let (found, max) = (names.len(), bounds::NAMES);
            let why =
                format!("it has {found} names of restore points; expected at most {max}; prune it, or move some away");
            return Err(fails()(io::Error::other(why)));
        }
        Ok(names)
    }

    /// The state of one name, `None` if there is no restore point. A restore point may come or go meanwhile: each
    /// answer is right for some instant, because the manifest is there before its database and goes after it.
    pub(crate) fn state(&self, name: &Name) -> Option<State> {
        self.state_of(name, &mut 0)
    }

    /// The same, and the bytes of the manifest that was read.
    fn state_of(&self, name: &Name, bytes: &mut u64) -> Option<State> {
        let files = self.stored_files(name);
        let is_stored = || files.iter().any(|file| may_exist(file));
        let missing = || State::Incomplete { reason: "its database file is missing".into() };
        if !is_stored() {
            let unfinished = files.iter().any(|file| may_exist(&partial(file))) || self.read(name).is_none();
            // Looked at again, since a publication may have ended between the questions.
            if !is_stored() {
                return (!unfinished).then(missing);
            }
        }
        match self.read_counted(name, bytes) {
            Some(Ok(manifest)) if may_exist(&self.stored_file(&manifest)) => {
                Some(State::Complete { manifest: Box::new(manifest) })
            }
            Some(Ok(_)) => is_stored().then(missing),
            Some(Err(reason)) => Some(State::Incomplete { reason }),
            None => {
                let reason = "no manifest: its digest and its lineage are unknown".into();
                is_stored().then_some(State::Incomplete { reason })
            }
        }
    }

    /// Fails if this user may not read one of the incomplete entries: it may be a good restore point, and the newest.
    pub(crate) fn expect_readable(&self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries.iter().filter(|entry| entry.manifest().is_none()) {
            let path = self.manifest(&entry.name);
            match openat::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Error::io("read", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the manifest of `name` says, or what is wrong with it; `None` if there is none.
    pub(crate) fn read(&self, name: &Name) -> Option<Result<Manifest, String>> {
        self.read_counted(name, &mut 0)
    }

    fn read_counted(&self, name: &Name, length: &mut u64) -> Option<Result<Manifest, String>> {
        match openat::bytes(&self.manifest(name), bounds::MANIFEST_BYTES) {
            Ok(bytes) => {
                *length = bytes.len() as u64;
                Some(self.keys.check(&bytes).and_then(|()| Manifest::parse(name, &bytes)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(format!("its manifest cannot be read: {error}"))),
        }
    }
}

/// What cannot be looked at counts as there: reading it will say what is wrong.
fn may_exist(path: &Path) -> bool {
    !matches!(exists(path), Ok(false))
}

fn name_of(file: &OsStr) -> Option<Name> {
    let file = file.to_str()?;
    let file = file.strip_suffix(PARTIAL).unwrap_or(file);
    let file = file.strip_suffix(COMPRESSED).unwrap_or(file);
    let stem = file.strip_suffix(".db").or_else(|| file.strip_suffix(".json"))?;
    stem.parse().ok()
}

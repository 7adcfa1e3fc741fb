//! Distinguishes the databases in one repository, so that none prunes, outranks or restores another's restore points.
//!
//! A database with a lineage is known by it, wherever it lies. Nothing is written into any other: its first restore point
//! in a repository gives it a random id, which every later one of the same source inherits. The source is known again by
//! the name it was given, else by its path, else by its file, if that was moved.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::lineage::{self, Identity, Lineage};
use crate::{Error, openat};

/// Whose a restore point of a lineage, if it has one, and from a source is.
pub(crate) fn of(lineage: Option<&Lineage>, source: Option<&Source>) -> Identity {
    let given = source.and_then(|source| source.id.as_ref());
    match (lineage, given) {
        (Some(lineage), _) => Identity::Lineage(lineage.clone()),
        (None, Some(id)) => Identity::Source(id.clone()),
        (None, None) => Identity::Unknown,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What the repository calls a database without a lineage; `None` for one that has a lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Lineage>,
    /// The name it was given with `--name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its path, absolute and with links followed; bytes that are not UTF-8 are escaped.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileId>,
}

/// What tells a file from the one that was there before under its name, within one file system. The device is left out:
/// its number changes when a volume is mounted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    pub inode: u64,
    /// When it was created; inodes are given out again, this time is not.
    pub born_at: Timestamp,
}

impl Source {
    /// What is seen of a database that exists. Its id is not known yet.
    pub(crate) fn of(database: &Path, name: Option<&str>) -> Result<Self, Error> {
        let metadata = fs::metadata(database).map_err(Error::io("look at", database))?;
        // Not every file system knows when a file was created.
        let born_at = metadata.created().ok().and_then(|born| Timestamp::try_from(born).ok());
        let file = born_at.map(|born_at| FileId { inode: metadata.ino(), born_at });
        Ok(Self { id: None, name: name.map(str::to_owned), path: path_of(database)?, file })
    }

    /// Completes it with what the repository knows of the same source, from its restore points, the newest first: its id and,
    /// unless it is given a new one, its name. A source that was never seen gets an id.
    pub(crate) fn recognized<'a>(
        self,
        newest_first: impl Iterator<Item = &'a Self>,
        random: &Connection,
    ) -> Result<Self, Error> {
        let known = newest_of_each(newest_first);
        let found = match &self.name {
            Some(name) => {
                let named = |source: &&&Self| source.name.as_ref() == Some(name);
                // A source that is given a name for the first time is known by its path until then.
                known.iter().find(named).or_else(|| known.iter().find(|source| source.is_unnamed_at(&self.path)))
            }
            None => known.iter().find(|source| source.path == self.path).or_else(|| {
                let moved = |source: &&&Self| source.file.is_some() && source.file == self.file;
                known.iter().find(moved)
            }),
        };
        let id = match found.and_then(|source| source.id.clone()) {
            Some(id) => id,
            None => lineage::random(random).map_err(Error::sqlite("make an id for", Path::new(&self.path)))?,
        };
        let name = self.name.or_else(|| found.and_then(|source| source.name.clone()));
        Ok(Self { id: Some(id), name, ..self })
    }

    fn is_unnamed_at(&self, path: &str) -> bool {
        self.name.is_none() && self.path == path
    }

    /// How people call it.
    pub fn label(&self) -> String {
        let path = crate::text::printable(&self.path);
        self.name.as_ref().map_or(path.clone(), |name| format!("{} ({path})", crate::text::printable(name)))
    }
}

/// What was last seen of each source that has an id, newest first: where it was before that says nothing of it now.
fn newest_of_each<'a>(newest_first: impl Iterator<Item = &'a Source>) -> Vec<&'a Source> {
    let mut seen = BTreeSet::new();
    newest_first.filter(|source| source.id.as_ref().is_some_and(|id| seen.insert(id))).collect()
}

/// The path by which a database is known, whether or not it exists now.
pub(crate) fn path_of(database: &Path) -> Result<String, Error> {
    let path = resolve(database)?;
    Ok(match path.to_str() {
        Some(path) => path.to_owned(),
        None => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    })
}

/// The real path of a database to restore: through a symbolic link, the file it names is what gets replaced, or created. It is looked at
/// and opened by this path from here on, where no link is followed any more.
pub(crate) fn resolve(database: &Path) -> Result<PathBuf, Error> {
    openat::resolve(database).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let why = format!("its directory does not exist; create it or mount its volume ({error})");
            Error::io("restore", database)(io::Error::new(io::ErrorKind::NotFound, why))
        }
        _ => Error::io("look at", database)(error),
    })
}

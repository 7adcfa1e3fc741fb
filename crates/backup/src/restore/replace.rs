//! The exchange of the old database for the new one. Whatever was there is moved aside, never deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::temporary::Temporary;
use crate::in_use::Held;
use crate::paths::exists;
use crate::{Error, belongings, durable, openat, paths};

/// The side files that may hold committed transactions; `-shm` holds none.
const SIDE_FILES: [&str; 2] = ["-wal", "-journal"];

/// Puts the temporary file in the place of the database and says where the old one went. `held` is what keeps others
/// out of the old one meanwhile.
///
/// At each instant the old database is whole under one of two names: a kill before its renaming leaves it in place,
/// one after leaves no database but the temporary file, which tells that a restore was interrupted.
pub(super) fn with(mut temporary: Temporary, database: &Path, held: Option<Held>) -> Result<Option<PathBuf>, Error> {
    let (safety, directory) = (safety_name(database)?, paths::directory_of(database));
    let replaces = held.is_some();
    let mut aside = Aside::Renamed;
    if replaces {
        aside = set_aside(database, &safety)?;
        temporary.keep();
        // On disk before anything of the old database is removed.
        durable::sync_directory(directory)?;
    } else if exists(database)? {
        // Created since the restore began, so there may be somebody's data in it.
        return Err(Error::DestinationExists { path: database.to_owned() });
    }
    clear_side_files(database, &safety, replaces)?;
    // On disk before the new database is: a WAL that came back after a power cut would undo the restore.
    durable::sync_directory(directory)?;
    match aside {
        Aside::Renamed => temporary.publish(database)?,
        Aside::Copied => temporary.overwrite(database).inspect_err(|_| {
            let (database, safety) = (database.display(), safety.display());
            tracing::error!(
                "{database} is only partly written; the old database is kept as {safety}; restore again with --force"
            );
        })?,
    }
    drop(held);
    let safety = replaces.then_some(safety);
    // It is in place: whoever is told that it failed would do it again, over what was written since.
    if let Err(error) = durable::sync_directory(directory) {
        let kept = safety.iter().map(|safety| format!("; the replaced database is kept as {}", safety.display()));
        let (database, kept) = (database.display(), kept.collect::<String>());
        tracing::warn!(
            "{database} is restored, but a power cut now may undo it: {:#}{kept}",
            anyhow::Error::from(error)
        );
    }
    Ok(safety)
}

/// What became of the old database.
enum Aside {
    /// It has another name.
    Renamed,
    /// Its file is a mount of its own, as of a container that is given one file, and cannot be renamed. There is a copy.
    Copied,
}

/// Copies the side files first, then renames the database: the safety copy is whole from its first instant on. On an
/// error the database is still in place, and nothing is left beside it.
fn set_aside(database: &Path, safety: &Path) -> Result<Aside, Error> {
    let set_aside = copy_side_files(database, safety).and_then(|()| {
        // Their names, and that of the temporary file, are on disk before the database has no name.
        durable::sync_directory(paths::directory_of(database))?;
        match durable::rename(database, safety) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::ResourceBusy => {
                tracing::info!("{} is a mount point, so it is overwritten in place", database.display());
                copy(database, safety).inspect_err(|_| clean_up(safety)).map(|()| Aside::Copied)
            }
            renamed => renamed.map(|()| Aside::Renamed),
        }
    });
    if set_aside.is_err() {
        SIDE_FILES.iter().for_each(|suffix| clean_up(&paths::with_suffix(safety, suffix)));
    }
    set_aside
}

fn clean_up(copy: &Path) {
    if let Err(error) = durable::remove(copy) {
        tracing::warn!("cannot clean up: {error}");
    }
}

fn copy_side_files(database: &Path, safety: &Path) -> Result<(), Error> {
    for suffix in SIDE_FILES {
        let (from, to) = (paths::with_suffix(database, suffix), paths::with_suffix(safety, suffix));
        match fs::symlink_metadata(&from) {
            Ok(found) if found.is_file() || found.is_dir() => copy(&from, &to)?,
            Ok(_) => tracing::warn!(
                "not keeping {}: it is not a regular file, so it does not belong to the database",
                from.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at", &from)(error)),
        }
    }
    Ok(())
}

/// Copies a file for whoever could read it, and brings the copy to disk.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    // First, so that nothing is made where there is nothing to copy. A link or a pipe is none of the database's files.
    let mut source = openat::read(from).map_err(Error::io("copy to its safety copy", from))?;
    let mut target = belongings::create_copy(from, to)?;
    let fails = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
    let copied = io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
    copied.map_err(fails).map_err(Error::io("copy to its safety copy", from))
}

/// Makes sure that SQLite finds no leftover beside the new database. Where the safety copy has them they are removed,
/// else (their database was lost before) kept under its name.
fn clear_side_files(database: &Path, safety: &Path, kept: bool) -> Result<(), Error> {
    for suffix in SIDE_FILES {
        let stale = paths::with_suffix(database, suffix);
        if kept {
            durable::remove(&stale)?;
        } else if exists(&stale)? {
            durable::rename(&stale, &paths::with_suffix(safety, suffix))?;
        }
    }
    durable::remove(&paths::with_suffix(database, "-shm"))
}

/// `<database>.replaced-<UTC>`, free under all its suffixes.
pub(super) fn safety_name(database: &Path) -> Result<PathBuf, Error> {
    let mut instant = Timestamp::now();
    loop {
        let name = paths::beside(database, &instant.strftime(".replaced-%Y%m%dT%H%M%S%.3fZ").to_string());
        let taken = ["", "-wal", "-journal"].map(|suffix| exists(&paths::with_suffix(&name, suffix)));
        if !taken.into_iter().collect::<Result<Vec<_>, _>>()?.contains(&true) {
            return Ok(name);
        }
        instant += std::time::Duration::from_millis(1);
    }
}

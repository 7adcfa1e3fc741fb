//! Files of other programs next to the restore points, such as a service's journal. They are only counted, and those in
//! directories are read, so that a failing disk is noticed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use crate::openat::{self, Kind};
use crate::{Error, Manifest, Repository};

/// Where `fsck` puts what it finds, on many file systems: it belongs to root, and to nobody's data.
const LOST_AND_FOUND: &str = "lost+found";

/// Files whose content is not known here.
#[derive(Debug, Default)]
pub struct Opaque {
    /// How many could be read to their end.
    pub files: u64,
    pub bytes: u64,
    /// Those that could not be read, and why.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// The length of all that lies in the repository's directory, in bytes, but for the files of these restore points.
pub fn bytes(repository: &Repository, manifests: &[Manifest]) -> Result<u64, Error> {
    let own: BTreeSet<PathBuf> = manifests
        .iter()
        .flat_map(|manifest| [repository.stored_file(manifest), repository.manifest(&manifest.name)])
        .collect();
    let length = |path: &PathBuf| fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
    Ok(files(repository, true)?.iter().filter(|path| !own.contains(*path)).map(length).fold(0, u64::saturating_add))
}

/// Reads all of them. One that is removed meanwhile is left out.
pub fn read(repository: &Repository) -> Result<Opaque, Error> {
    let mut read = Opaque::default();
    for path in files(repository, false)? {
        match openat::read(&path).and_then(read_all) {
            Ok(bytes) => {
                read.files += 1;
                read.bytes += bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => read.unreadable.push((path, error)),
        }
    }
    Ok(read)
}

/// The files in all directories below that of the repository, whose own files are in none, and if asked for those beside its
/// own.
fn files(repository: &Repository, with_its_own: bool) -> Result<Vec<PathBuf>, Error> {
    let mut directories = vec![repository.path().to_owned()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        let is_own = directory == repository.path();
        for (path, kind) in list(&directory).map_err(Error::io("list", &directory))? {
            if kind == Kind::Directory && !path.ends_with(LOST_AND_FOUND) {
                directories.push(path);
            } else if kind == Kind::File && (with_its_own || !is_own) {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Reads what a file has on disk now, and gives its length. Holes are on no disk, and may be longer than any disk.
fn read_all(mut file: File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut at = 0;
    while at < length {
        let offset = i64::try_from(at).map_err(io::Error::other)?;
        let (data, hole) = match lseek(&file, offset, Whence::SeekData) {
            Ok(data) => (data, lseek(&file, data, Whence::SeekHole)?),
            Err(Errno::ENXIO) => break,
            // Not every file system tells: then all of it is data.
            Err(_) => (lseek(&file, offset, Whence::SeekSet)?, i64::try_from(length).map_err(io::Error::other)?),
        };
        file.seek(SeekFrom::Start(data.unsigned_abs()))?;
        let bytes = hole.abs_diff(data);
        if io::copy(&mut (&mut file).take(bytes), &mut io::sink())? < bytes {
            break;
        }
        at = hole.unsigned_abs();
    }
    Ok(length)
}

/// What is in a directory; nothing, if it is removed meanwhile.
fn list(directory: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
    match openat::list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => Ok(entries?.into_iter().map(|(name, kind)| (directory.join(name), kind)).collect()),
    }
}

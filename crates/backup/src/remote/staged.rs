//! What a push to a directory that was killed left of the piece it was writing. The store's client writes under the name of
//! the piece, `#` and a number, and lists no such file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use object_store::ObjectStoreScheme;

use super::Remote;
use super::layout::kind_of;
use crate::Error;

/// Those that nobody has written to since `youngest`; none in a bucket.
pub(super) fn leftovers(remote: &Remote, youngest: SystemTime) -> Result<Vec<PathBuf>, Error> {
    let root = match (&remote.address.scheme, remote.address.url.to_file_path()) {
        (ObjectStoreScheme::Local, Ok(root)) => root,
        _ => return Ok(Vec::new()),
    };
    let mut found = Vec::new();
    for (path, is_directory) in files(&root)? {
        let below = if is_directory { files(&path)? } else { vec![(path, false)] };
        found.extend(below.into_iter().map(|(path, _)| path).filter(|path| is_staged(&root, path)));
    }
    found.retain(|path| fs::metadata(path).and_then(|file| file.modified()).is_ok_and(|modified| modified < youngest));
    Ok(found)
}

/// Removes one, and its folder if that was all there was in it.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    crate::durable::remove(path)?;
    // It fails if there is more, which is as it should be.
    let _ = path.parent().map(fs::remove_dir);
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<(PathBuf, bool)>, Error> {
    let unreadable = || Error::io("list the directory", directory);
    let entries = fs::read_dir(directory).map_err(unreadable())?;
    entries
        .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))).map_err(unreadable()))
        .collect()
}

fn is_staged(root: &Path, path: &Path) -> bool {
    let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
    relative.and_then(|relative| relative.rsplit_once('#')).is_some_and(|(key, number)| {
        kind_of(key).is_some() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

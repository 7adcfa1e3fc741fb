//! The paths of files beside others, and whether there is anything at them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// How long the name of a file may be, on about every file system.
const NAME_BYTES_MAX: usize = 255;

/// What follows the name of a file while it is written or removed.
pub(crate) const PARTIAL: &str = ".partial";

/// `path` with `suffix` behind its file name: `a/app.db` and `-wal` give `a/app.db-wal`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// The path of a file of ours beside `path`: as above, and where the name would be too long, cut and told from others by
/// a digest. It leaves room for what SQLite adds.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let room = NAME_BYTES_MAX - "-journal".len() - suffix.len();
    if name.len() <= room {
        return with_suffix(path, suffix);
    }
    let digest = format!("~{}", &blake3::hash(name).to_hex()[..16]);
    let mut end = room - digest.len();
    // Not within a character, in UTF-8.
    while name[end] & 0xc0 == 0x80 && end > 0 {
        end -= 1;
    }
    let cut = [&name[..end], digest.as_bytes(), suffix.as_bytes()].concat();
    path.with_file_name(OsStr::from_bytes(&cut))
}

/// The directory a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path of a file while it is written or removed.
pub(crate) fn partial(path: &Path) -> PathBuf {
    with_suffix(path, PARTIAL)
}

/// Whether there is something of this name, be it a link that leads nowhere.
pub fn exists(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look for", path)(error)),
    }
}

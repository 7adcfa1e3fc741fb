//! File operations that survive a power cut, in directories that others may write.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use backup::openat;

/// Puts a text in the place of the file there is, if there is one: readers see either.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".partial");
    let new = PathBuf::from(new);
    let written = create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(())
    });
    written.with_context(|| format!("cannot write {}", new.display()))?;
    openat::rename(&new, path).with_context(|| format!("cannot put {} in its place", path.display()))?;
    sync_directory_of(path)
}

/// Creates a file, in the place of what there is of that name, which is not written to: it may be a link.
pub(crate) fn create(path: &Path) -> Result<File> {
    match openat::remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    openat::create(path, 0o666).with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a file as [`create`] creates it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create(path)?.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Adds a line to a file and brings it to disk. After a line that was torn it begins a new one.
pub(crate) fn append_line(path: &Path, line: &str) -> Result<()> {
    let append = || {
        let mut file = openat::append(path, 0o666)?;
        let mut last = [b'\n'];
        if let Some(at) = file.metadata()?.size().checked_sub(1) {
            file.read_exact_at(&mut last, at)?;
        }
        let text = if last == [b'\n'] { format!("{line}\n") } else { format!("\n{line}\n") };
        // In one call, so that lines of two programs do not mix.
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    append().with_context(|| format!("cannot add a line to {}", path.display()))?;
    sync_directory_of(path)
}

/// Has a file for oneself among those that do the same, as long as what is given lives; waits for it at most `patience`.
pub(crate) fn lock(path: &Path, patience: Duration) -> Result<File> {
    let opened = openat::append(path, 0o666);
    let file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    let asked = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if asked.elapsed() < patience => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

fn sync_directory_of(file: &Path) -> Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(backup::durable::sync_directory(directory)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_written_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("others"), "theirs").unwrap();
        for name in ["report", "report.partial", "created", "history"] {
            symlink(path("others"), path(name)).unwrap();
        }
        replace(&path("report"), "ours").unwrap();
        write(&path("created"), b"ours").unwrap();
        let refused = append_line(&path("history"), "ours").unwrap_err();
        assert!(format!("{refused:#}").contains("a symbolic link"), "{refused:#}");
        assert_eq!(fs::read_to_string(path("others")).unwrap(), "theirs");
        for name in ["report", "created"] {
            assert!(!path(name).is_symlink() && fs::read_to_string(path(name)).unwrap() == "ours", "{name}");
        }
    }

    #[test]
    fn a_torn_line_is_not_gone_on_with() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history");
        append_line(&path, "one").unwrap();
        fs::write(&path, "one\ntorn").unwrap();
        append_line(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "one\ntorn\ntwo\n");
    }
}

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
pub fn replace(path: &Path, text: &str) -> Result<()> {
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
pub fn create(path: &Path) -> Result<File> {
    match openat::remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    openat::create(path, 0o666).with_context(|| format!("cannot create {}", path.display()))
}

/// Writes a file as [`create`] creates it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    create(path)?.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Adds a line to a file and brings it to disk. After a line that was torn it begins a new one.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
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
pub fn lock(path: &Path, patience: Duration) -> Result<File> {
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

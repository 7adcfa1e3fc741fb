//! File operations that survive a power cut.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Puts a text in the place of the file there is, if there is one: readers see either.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".partial");
    let new = PathBuf::from(new);
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("cannot put {} in its place", path.display()))?;
    sync_directory_of(path)
}

/// Adds a line to a file and brings it to disk. After a line that was torn it begins a new one.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    let append = || {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let torn = fs::read(path)?.last().is_some_and(|last| *last != b'\n');
        let text = if torn { format!("\n{line}\n") } else { format!("{line}\n") };
        // In one call, so that lines of two programs do not mix.
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    append().with_context(|| format!("cannot add a line to {}", path.display()))?;
    sync_directory_of(path)
}

/// Has a file for oneself among those that do the same, as long as what is given lives; waits for it at most `patience`.
pub fn lock(path: &Path, patience: Duration) -> Result<File> {
    let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
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

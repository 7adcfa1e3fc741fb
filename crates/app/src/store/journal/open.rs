//! The file that groups are written to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::record::{self, Group};
use super::{Trouble, exists, fenced, file};

/// The file that is written.
pub struct Open {
    pub epoch: i64,
    pub directory: PathBuf,
    pub file: File,
    /// Behind the last group.
    pub end: u64,
    pub last: i64,
    pub time: i64,
}

impl Open {
    /// Its path.
    pub fn path(&self) -> PathBuf {
        file::path(&self.directory, self.epoch)
    }

    /// Brings a group to disk, and makes sure that it counts.
    pub fn write(&mut self, group: &Group) -> Result<(), Trouble> {
        let payload = group.encode(self.epoch);
        if payload.len() > record::PAYLOAD_MAX {
            return Err(anyhow!("a group of {} bytes is too long for the journal", payload.len()).into());
        }
        let bytes = record::frame(&payload);
        let written = self.file.write_all_at(&bytes, self.end).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path().display()))?;
        self.check_mine()?;
        (self.end, self.last, self.time) = (self.end + bytes.len() as u64, group.number, group.time);
        Ok(())
    }

    /// Fails if somebody began the next epoch, or the file is not the one at its path any more. In this order: files are
    /// removed oldest first, so that whoever slept through the next epoch and its removal misses its own file.
    pub fn check_mine(&self) -> Result<(), Trouble> {
        let next = file::path(&self.directory, self.epoch + 1);
        if exists(&next)? {
            return Err(fenced(&next));
        }
        let path = self.path();
        let named = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.missed(&path)?),
            named => named.with_context(|| format!("cannot look at {}", path.display()))?,
        };
        let ours = self.file.metadata().with_context(|| format!("cannot look at {}", path.display()))?;
        if (named.dev(), named.ino()) != (ours.dev(), ours.ino()) {
            return Err(anyhow!("the journal file {} was replaced", path.display()).into());
        }
        Ok(())
    }

    /// What it means that the file is not there any more: later ones tell that others went on.
    fn missed(&self, path: &Path) -> anyhow::Result<Trouble> {
        let newest = file::epochs(&self.directory)?.pop().filter(|newest| *newest > self.epoch);
        let gone = || Trouble::Unusable(anyhow!("the journal file {} is gone", path.display()));
        Ok(newest.map_or_else(gone, |newest| fenced(&file::path(&self.directory, newest))))
    }
}

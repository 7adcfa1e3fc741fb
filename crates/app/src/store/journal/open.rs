//! The file that groups are written to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use backup::paths::exists;

use super::record::{self, Group};
use super::{Trouble, fenced, file};

pub(super) struct Open {
    pub epoch: i64,
    pub directory: PathBuf,
    pub file: File,
    /// Behind the last group.
    pub end: u64,
    pub last: i64,
    pub time: i64,
}

impl Open {
    pub(super) fn path(&self) -> PathBuf {
        file::path(&self.directory, self.epoch)
    }

    /// Brings a group to disk, and makes sure that it counts.
    pub(super) fn write(&mut self, group: &Group) -> Result<(), Trouble> {
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
    pub(super) fn check_mine(&self) -> Result<(), Trouble> {
        let next = file::path(&self.directory, self.epoch + 1);
        if exists(&next)? {
            return Err(fenced(&next));
        }
        let path = self.path();
        let named = match fs::symlink_metadata(&path) {
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

#[cfg(test)]
mod tests {
    use super::super::file::Contents;
    use super::*;
    use crate::store::Message;

    fn group(number: i64, messages: i64) -> Group {
        let message = |id| Message { id, timestamp: "2026-11-24T18:00:00.000000Z".into(), message: "x".repeat(4096) };
        Group { number, time: 1, rows: (1..=messages).map(message).collect() }
    }

    /// No group of the service is as long: it takes 512 messages at a time.
    #[test]
    fn a_group_of_100_mb_is_refused_and_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = file::path(directory.path(), 1);
        let header = br#"{"format":1,"lineage":"","first":1,"after":null,"instance":"","begun_at":""}"#;
        fs::write(&path, record::frame(header)).unwrap();
        let end = fs::metadata(&path).unwrap().len();
        let file = File::options().write(true).open(&path).unwrap();
        let mut open = Open { epoch: 1, directory: directory.path().to_owned(), file, end, last: 0, time: 0 };

        let Err(Trouble::Unusable(error)) = open.write(&group(1, 25_000)) else { panic!("100 MB were written") };
        assert!(error.to_string().contains("too long"), "{error}");
        assert_eq!((fs::metadata(&path).unwrap().len(), open.end, open.last), (end, end, 0));

        // The longest there is, in the place of the one that was refused.
        let longest = group(1, 512);
        assert!(open.write(&longest).is_ok());
        let mut contents = Contents::read(directory.path(), 1).unwrap().unwrap();
        assert!(contents.next_group() == Some(longest));
        assert_eq!((contents.next_group(), contents.end()), (None, open.end));
    }
}

//! The journal: every group of messages, on the volume of the restore points, before it is acknowledged.
//!
//! # What is written when
//!
//! Inside the transaction of a group: its messages are inserted, so that they have their ids; the group is appended to the
//! journal and fsynced; it is made sure that nobody took over; the group's number is stored in the database; COMMIT;
//! then the answer. So the journal is never behind the database. **What is in it counts**: a group whose COMMIT failed or
//! never came is replayed into the database before the next one, or at the next start. Nothing is ever guessed.
//!
//! # Files, epochs, strangers
//!
//! The journal of a lineage is a directory of files, `0000000007.journal`, each an *epoch*. Creating a file (`O_EXCL`, then
//! fsync of the directory) begins an epoch and ends the one before: whoever wrote it looks for the next file after each
//! fsync and before each COMMIT, and acknowledges nothing once there is one. Whoever begins an epoch does so *before* it
//! reads the journal: what was acknowledged is there by then. The file's header says which group it goes on from, so that
//! what a stranger still appends to an older file counts for nothing.
//!
//! An epoch belongs to one database *file* (see [`instance`]). Processes that share it, as two pods do while one replaces
//! the other, write the same epoch in turns, under SQLite's write lock. A process with another file is a stranger: it
//! waits until no process of this kernel uses the journal ([`home`]), then begins an epoch of its own.
//!
//! # Numbers and going back
//!
//! No number is given to two groups, not even where history goes back: the first number of a file is greater than any in
//! an older one. So a number in a restore point says where on which branch it is. History goes back in two ways: by
//! `--until`, and by a restore into the live database, after which position and mark differ (see [`position`]). Both begin
//! an epoch that goes on from the older group; what came after that is left behind and never replayed.
//!
//! # What cannot be replayed
//!
//! A gap, a damaged group, a missing file or a restore point that was left behind are errors, for a database that may lack
//! what was acknowledged. The file that was written all along lacks nothing: where its journal is gone or damaged, it
//! begins anew, an epoch that no group leads to. That takes a fresh restore point before anything is called protected,
//! as after any time in which messages were stored past the journal.

mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzed;
mod history;
mod home;
mod instance;
mod join;
mod open;
mod plan;
mod position;
mod record;
mod replay;
mod settle;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use backup::paths::exists;
use jiff::Timestamp;
use rusqlite::Connection;

pub(crate) use file::path as file_path;
pub(crate) use history::History;
use home::Home;
pub(crate) use join::check_unprotected;
use open::Open;
pub(crate) use position::{MARK_TABLE, create as create_tables, is_table};
use record::{FORMAT, Group, Header};

use super::Message;

/// A file that is longer is followed by another: whole files go once no restore point needs them.
pub(super) const ROTATE_BYTES: u64 = 16 * 1024 * 1024;

/// What a proof writes behind the last group: zeros, over which the next group is written.
const PROOF: [u8; 4096] = [0; 4096];

#[derive(Debug)]
pub(super) enum Trouble {
    /// Another service took over. There is no way back for this process.
    Fenced(String),
    Unusable(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Unusable(error.into())
    }
}

pub(super) struct Journal {
    repository: PathBuf,
    instance: String,
    home: Option<Home>,
    /// The newest epoch that this process began or joined; 0 before the first.
    epoch: i64,
    open: Option<Open>,
    /// Whether a write failed: what the file then holds is not relied upon.
    failed: bool,
}

impl Journal {
    /// The journal of the database at a path, in a repository. Call [`Journal::settle`] before anything else.
    pub(super) fn new(database: &Path, repository: &Path) -> anyhow::Result<Self> {
        let instance = instance::of(database)?;
        Ok(Self { repository: repository.to_owned(), instance, home: None, epoch: 0, open: None, failed: false })
    }

    /// The last group and its epoch, if the journal can be written.
    pub(super) fn position(&self) -> Option<(i64, i64)> {
        self.open.as_ref().map(|open| (open.last, open.epoch))
    }

    /// The directory of the lineage's files, once it is known.
    pub(super) fn directory(&self) -> Option<&Path> {
        self.home.as_ref().map(|home| home.directory.as_path())
    }

    /// The lineage, once it is known.
    pub(super) fn lineage(&self) -> Option<&backup::lineage::Lineage> {
        self.home.as_ref().map(|home| &home.lineage)
    }

    /// Whether the database is where the journal is. If not, [`Journal::settle`] makes it so. Part of a write transaction.
    pub(super) fn agrees(&self, connection: &Connection) -> Result<bool, Trouble> {
        let Some(open) = &self.open else { return Ok(false) };
        let state = position::read(connection)?;
        let is_there = state.mark == open.last
            && state.position.is_some_and(|found| found.number == open.last && found.instance == self.instance);
        let mut behind = [0; 4];
        open.file.read_at(&mut behind, open.end).with_context(|| format!("cannot read {}", open.path().display()))?;
        Ok(is_there && behind == [0; 4] && !exists(&file::path(&open.directory, open.epoch + 1))?)
    }

    /// Brings messages to disk, as the next group, and stores its number. Part of the transaction that stores them.
    pub(super) fn append(&mut self, connection: &Connection, messages: &[Message]) -> Result<(), Trouble> {
        if self.open.as_ref().is_some_and(|open| open.end >= ROTATE_BYTES) {
            self.rotate(connection)?;
        }
        let Some(open) = &mut self.open else { return Err(closed()) };
        let time = now().max(open.time);
        let group = Group { number: open.last + 1, time, rows: messages.to_vec() };
        let written = open.write(&group);
        if written.is_err() {
            self.close_failed();
        }
        written?;
        position::store(connection, group.number, time, &self.instance)?;
        Ok(())
    }

    /// Proves that a group could be brought to disk.
    pub(super) fn prove(&mut self) -> Result<(), Trouble> {
        let Some(open) = &self.open else { return Err(closed()) };
        let proven = open.file.write_all_at(&PROOF, open.end).and_then(|()| open.file.sync_data());
        let proven = proven.with_context(|| format!("cannot write {}", open.path().display()));
        let proven = proven.map_err(Trouble::from).and_then(|()| open.check_mine());
        if proven.is_err() {
            self.close_failed();
        }
        proven
    }

    /// Writes nothing until the journal is settled again.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Gives up the file and the lock: the database is lost, and others may go on.
    pub(super) fn leave(&mut self) {
        (self.open, self.home) = (None, None);
    }

    fn close_failed(&mut self) {
        (self.open, self.failed) = (None, true);
    }

    fn rotate(&mut self, connection: &Connection) -> Result<(), Trouble> {
        let Some(Open { last, time, .. }) = self.open.take() else { return Err(closed()) };
        let rotated = self
            .begin_epoch(self.epoch + 1)
            .and_then(|file| self.begin_file(connection, file, Begin { first: last + 1, after: Some(last), time }));
        if rotated.is_err() {
            self.close_failed();
        }
        rotated
    }

    /// Creates the file of an epoch, which ends the epoch before it.
    fn begin_epoch(&mut self, epoch: i64) -> Result<File, Trouble> {
        let directory = &self.home.as_ref().ok_or_else(closed)?.directory;
        let path = file::path(directory, epoch);
        let file = match backup::openat::create(&path, 0o666) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(fenced(&path)),
            created => created.with_context(|| format!("cannot create {}", path.display()))?,
        };
        self.epoch = epoch;
        backup::durable::sync_directory(directory)?;
        Ok(file)
    }

    /// Writes the header of a new file and its first group, which holds no message but gives the database a number that
    /// no restore point before has.
    fn begin_file(&mut self, connection: &Connection, file: File, begin: Begin) -> Result<(), Trouble> {
        let Home { lineage, directory, .. } = self.home.as_ref().ok_or_else(closed)?;
        let (first, after, time) = (begin.first, begin.after, now().max(begin.time));
        let header = Header {
            format: FORMAT,
            lineage: lineage.as_str().to_owned(),
            first,
            after,
            instance: self.instance.clone(),
            begun_at: replay::text(time),
        };
        let header = record::frame(&serde_json::to_vec(&header)?);
        let end = header.len() as u64;
        let mut open = Open { epoch: self.epoch, directory: directory.clone(), file, end, last: first - 1, time };
        open.file.write_all_at(&header, 0).with_context(|| format!("cannot write {}", open.path().display()))?;
        open.write(&Group { number: first, time, rows: Vec::new() })?;
        position::store(connection, first, time, &self.instance)?;
        (self.open, self.failed) = (Some(open), false);
        Ok(())
    }
}

struct Begin {
    first: i64,
    after: Option<i64>,
    /// The time of the group that it goes on from.
    time: i64,
}

fn fenced(next: &Path) -> Trouble {
    Trouble::Fenced(format!(
        "another service has taken over the journal with another database (it began {})",
        next.display()
    ))
}

fn closed() -> Trouble {
    Trouble::Unusable(anyhow!("the journal is not open"))
}

/// In microseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

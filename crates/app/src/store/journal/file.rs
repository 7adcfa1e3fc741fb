//! One file of the journal, read whole: at most [`super::ROTATE_BYTES`] and one group.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use backup::openat;

use super::record::{self, FORMAT, Frame, Group, Header};

const SUFFIX: &str = ".journal";

/// No file grows larger. One that is was not written by this program, and is not read into memory.
const FILE_BYTES_MAX: u64 = super::ROTATE_BYTES + 2 * record::PAYLOAD_MAX as u64;

/// More than any header has.
const HEADER_BYTES_MAX: u64 = 4096;

/// The path of an epoch's file. Its creation begins the epoch.
pub(crate) fn path(directory: &Path, epoch: i64) -> PathBuf {
    directory.join(format!("{epoch:010}{SUFFIX}"))
}

/// The epochs that have a file, oldest first.
pub(super) fn epochs(directory: &Path) -> anyhow::Result<Vec<i64>> {
    let listing =
        fs::read_dir(directory).with_context(|| format!("cannot list the journal {}", directory.display()))?;
    let mut epochs = Vec::new();
    for entry in listing {
        let name = entry.with_context(|| format!("cannot list the journal {}", directory.display()))?.file_name();
        epochs.extend(
            name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|epoch| epoch.parse::<i64>().ok()),
        );
    }
    epochs.sort_unstable();
    Ok(epochs)
}

/// The header of an epoch's file; `None` if the epoch was begun and nothing was ever written in it.
pub(super) fn header(directory: &Path, epoch: i64) -> anyhow::Result<Option<Header>> {
    let path = path(directory, epoch);
    let mut start = Vec::new();
    let read = openat::read(&path).and_then(|file| file.take(HEADER_BYTES_MAX).read_to_end(&mut start));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    match record::read_frame(&start, 0) {
        Frame::Whole(payload, _) => parse(payload).with_context(|| format!("cannot use {}", path.display())).map(Some),
        Frame::End | Frame::Broken => Ok(Contents::read(directory, epoch)?.map(|contents| contents.header)),
    }
}

/// A file and how far it was read.
pub(super) struct Contents {
    pub header: Header,
    path: PathBuf,
    epoch: i64,
    bytes: Vec<u8>,
    at: usize,
    next: i64,
}

/// What is behind the last group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// What a write left that was cut off. It was never acknowledged.
    Torn,
    /// A damaged group, since a later one is whole.
    Damaged {
        /// The number of the later one.
        later: i64,
    },
}

impl Contents {
    /// Reads the file of an epoch; `None` if nothing was ever written in it.
    pub(super) fn read(directory: &Path, epoch: i64) -> anyhow::Result<Option<Self>> {
        let path = path(directory, epoch);
        let bytes = openat::bytes(&path, FILE_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(path, epoch, bytes)
    }

    /// The file at a path, by its bytes.
    pub(super) fn of(path: PathBuf, epoch: i64, bytes: Vec<u8>) -> anyhow::Result<Option<Self>> {
        let (payload, at) = match record::read_frame(&bytes, 0) {
            Frame::Whole(payload, at) => (payload, at),
            // The header is on disk before anything else is written.
            Frame::End => return Ok(None),
            Frame::Broken if record::group_after(&bytes, 0, epoch).is_none() => return Ok(None),
            Frame::Broken => bail!(
                "{} is damaged: its header cannot be read; move it out of its directory and start again to see which \
                 groups are lost",
                path.display()
            ),
        };
        let header = parse(payload).with_context(|| format!("cannot use {}", path.display()))?;
        let next = header.first;
        Ok(Some(Self { header, path, epoch, bytes, at, next }))
    }

    pub(super) fn next_group(&mut self) -> Option<Group> {
        let Frame::Whole(payload, after) = record::read_frame(&self.bytes, self.at) else { return None };
        let group = Group::decode(payload, self.epoch).filter(|group| group.number == self.next)?;
        (self.at, self.next) = (after, self.next + 1);
        Some(group)
    }

    pub(super) fn last(&self) -> i64 {
        self.next - 1
    }

    /// Where the last group that was read ends, in bytes.
    pub(super) fn end(&self) -> u64 {
        self.at as u64
    }

    /// What is behind the last group that was read, which is the last that is whole.
    pub(super) fn tail(&self) -> Tail {
        match record::read_frame(&self.bytes, self.at) {
            Frame::End => Tail::Clean,
            // Whole, and not the next: numbers do not jump.
            Frame::Whole(..) => Tail::Damaged { later: self.next },
            Frame::Broken => match record::group_after(&self.bytes, self.at, self.epoch) {
                Some(later) => Tail::Damaged { later },
                None => Tail::Torn,
            },
        }
    }

    /// The file, as messages name it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn parse(payload: &[u8]) -> anyhow::Result<Header> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    // The format first: a newer one must be called that, not malformed.
    let Format { format } = serde_json::from_slice(payload).context("its header is malformed")?;
    ensure!(format == FORMAT, "its format is {format}, but this program reads {FORMAT}; use a newer version");
    serde_json::from_slice(payload).context("its header is malformed")
}

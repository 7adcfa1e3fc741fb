//! The copy of a snapshot: one thread reads its pages through SQLite, another writes and hashes them.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use std::{mem, thread};

use jiff::Timestamp;
use rusqlite::Connection;

use crate::Error;
use crate::content::{Content, Holdings};
use crate::digest::{self, Digests, OfDatabase};
use crate::durable::WriteBack;
use crate::limits::{Limits, Progress};
use crate::pages::{self, CHUNK_BYTES};
use crate::rollback::Turns;
use crate::source::{self, Snapshot};

/// Chunks between the two threads, which bounds the memory.
const CHUNKS: usize = 4;

/// A snapshot that was copied: the one asked for, or a later one.
pub(crate) struct Copied {
    pub created_at: Timestamp,
    pub content: Content,
    pub holdings: Holdings,
    pub change_counter: Option<u32>,
    /// Of what was read.
    pub digests: Digests,
    /// How long others were kept from committing at most; `None` in WAL mode, where nobody is.
    pub held: Option<Duration>,
}

/// Copies a snapshot into the file `target` of this path, which must be new or empty, and ends it. If somebody committed
/// meanwhile who does not use WAL, what is copied in the end is a later snapshot. The file is complete but not yet on disk
/// when this returns.
pub(crate) fn snapshot(
    snapshot: Snapshot,
    path: &Path,
    target: (&File, &Path),
    limits: Limits<'_>,
    report: &mut dyn FnMut(Progress),
) -> Result<Copied, Error> {
    let Some(turns) = &snapshot.turns else {
        let digests = pages((&snapshot.connection, path), target, limits, report)?;
        return Ok(Copied::of(snapshot, digests, None));
    };
    let mut hashes = Vec::new();
    let (one_state, digests) = through(target, report, |each| {
        snapshot.each_chunk(path, limits, |chunk, progress| {
            hashes.push(turns.hash(chunk));
            each(chunk, progress)
        })
    })?;
    let mut held = turns.held_max();
    if one_state {
        return Ok(Copied::of(snapshot, digests, Some(held)));
    }
    // The disk is done with the copy before it is written to while others wait.
    target.0.sync_all().map_err(Error::io("sync", target.1))?;
    let later = source::hold(snapshot.connection, path, limits.deadline.limit)?;
    let began = Instant::now();
    turns.copy_changed((&later.connection, path), &later.content, target, &mut hashes, limits)?;
    later.connection.execute_batch("COMMIT").map_err(Error::sqlite("read", path))?;
    held = held.max(began.elapsed());
    tracing::info!(
        "{} was written during the copy; its writers had to wait for {:.2} s",
        path.display(),
        held.as_secs_f64()
    );
    let digests = read_back(target, turns, &hashes)?;
    Ok(Copied::of(later, digests, Some(held)))
}

impl Copied {
    fn of(snapshot: Snapshot, digests: Digests, held: Option<Duration>) -> Self {
        let Snapshot { created_at, content, holdings, change_counter, .. } = snapshot;
        Self { created_at, content, holdings, change_counter, digests, held }
    }
}

/// The digests of a copy that was not written in order, which proves to consist of the chunks with these hashes.
fn read_back((mut file, path): (&File, &Path), turns: &Turns, hashes: &[u64]) -> Result<Digests, Error> {
    let reads = || Error::io("read", path);
    file.rewind().map_err(reads())?;
    let (mut digest, mut hashes) = (OfDatabase::default(), hashes.iter());
    let read = digest::each_chunk(&mut file, |chunk| {
        if hashes.next() != Some(&turns.hash(chunk)) {
            return Err(io::Error::other("reading it back gave other data than was written; check the disk"));
        }
        digest.update(chunk);
        Ok(())
    });
    read.map_err(|failed| reads()(failed.into()))?;
    Ok(digest.finish())
}

/// Copies the snapshot that `source` holds into the file `target` of this path, which must be new or empty, and gives the
/// digests of what was read. The file is complete but not yet on disk when this returns.
pub(crate) fn pages(
    source: (&Connection, &Path),
    target: (&File, &Path),
    limits: Limits<'_>,
    report: &mut dyn FnMut(Progress),
) -> Result<Digests, Error> {
    through(target, report, |each| pages::each_chunk(source, limits, each)).map(|((), digests)| digests)
}

/// Writes in another thread what `read` gives away.
fn through<T>(
    target: (&File, &Path),
    report: &mut dyn FnMut(Progress),
    read: impl FnOnce(&mut dyn FnMut(&mut Vec<u8>, Progress) -> ControlFlow<()>) -> Result<T, Error>,
) -> Result<(T, Digests), Error> {
    let (filled, to_write) = mpsc::channel();
    let (written, empty) = mpsc::channel();
    for _ in 0..CHUNKS {
        // The receiver is just below.
        let _ = written.send(Vec::with_capacity(CHUNK_BYTES));
    }
    thread::scope(|scope| {
        let writer = scope.spawn(move || write(target, &to_write, &written));
        let read = read(&mut |chunk, progress| {
            // The other thread is gone if it failed: then that is what is to be told.
            let Ok(buffer) = empty.recv() else { return ControlFlow::Break(()) };
            let Ok(()) = filled.send(mem::replace(chunk, buffer)) else { return ControlFlow::Break(()) };
            report(progress);
            ControlFlow::Continue(())
        });
        drop(filled);
        let digests = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        read.map(|read| (read, digests))
    })
}

fn write(
    (mut file, path): (&File, &Path),
    chunks: &Receiver<Vec<u8>>,
    written: &Sender<Vec<u8>>,
) -> Result<Digests, Error> {
    let (mut digest, mut write_back) = (OfDatabase::default(), WriteBack::default());
    for chunk in chunks {
        file.write_all(&chunk).map_err(Error::io("write", path))?;
        write_back.follow(file, chunk.len());
        digest.update(&chunk);
        // Whoever reads may have failed.
        let _ = written.send(chunk);
    }
    Ok(digest.finish())
}

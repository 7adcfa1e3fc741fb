//! The copy of a snapshot: one thread reads its pages through SQLite, another writes and hashes them.

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::{mem, thread};

use rusqlite::Connection;

use crate::Error;
use crate::digest::{Digests, OfDatabase};
use crate::durable::WriteBack;
use crate::pages::{self, CHUNK_BYTES, Limits, Progress};

/// Chunks between the two threads, which bounds the memory.
const CHUNKS: usize = 4;

/// Copies the snapshot that `source` holds into the file `target`, which must be new or empty, and gives the digests of
/// what was read. The file is complete but not yet on disk when this returns.
pub(crate) fn pages(
    source: (&Connection, &Path),
    target: &Path,
    limits: Limits<'_>,
    report: &mut dyn FnMut(Progress),
) -> Result<Digests, Error> {
    let (filled, to_write) = mpsc::channel();
    let (written, empty) = mpsc::channel();
    for _ in 0..CHUNKS {
        // The receiver is just below.
        let _ = written.send(Vec::with_capacity(CHUNK_BYTES));
    }
    thread::scope(|scope| {
        let writer = scope.spawn(move || write(target, &to_write, &written));
        let read = pages::each_chunk(source, limits, |chunk, progress| {
            // The other thread is gone if it failed: then that is what is to be told.
            let Ok(buffer) = empty.recv() else { return ControlFlow::Break(()) };
            let Ok(()) = filled.send(mem::replace(chunk, buffer)) else { return ControlFlow::Break(()) };
            report(progress);
            ControlFlow::Continue(())
        });
        drop(filled);
        let digests = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        read.map(|()| digests)
    })
}

fn write(target: &Path, chunks: &Receiver<Vec<u8>>, written: &Sender<Vec<u8>>) -> Result<Digests, Error> {
    let mut file = File::options().write(true).open(target).map_err(Error::io("open", target))?;
    let (mut digest, mut write_back) = (OfDatabase::default(), WriteBack::default());
    for chunk in chunks {
        file.write_all(&chunk).map_err(Error::io("write", target))?;
        write_back.follow(&file, chunk.len());
        digest.update(&chunk);
        // Whoever reads may have failed.
        let _ = written.send(chunk);
    }
    Ok(digest.finish())
}

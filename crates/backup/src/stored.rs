//! The stored file of a restore point: the database file as it is, or compressed with zstd.

use std::fs::File;
use std::io::{self, Read, Seek, Take, Write};
use std::path::Path;

use crate::manifest::Compressed;
use crate::{Error, Manifest, belongings, bounds, digest, openat};

/// Calls `each` with the bytes of the database file, a chunk at a time, and compares what was read, and what came of it,
/// with the manifest. No more is read than the manifest says there is.
///
/// # Errors
/// [`Error::Damaged`] if the stored file is not what the manifest says or cannot be read; those of `each`, by which time
/// nothing is known of the file.
pub(crate) fn read(
    path: &Path,
    manifest: &Manifest,
    each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    read_open((&openat::read(path).map_err(unreadable(path))?, path), manifest, each)
}

/// The same for a file that is open, from its beginning.
pub(crate) fn read_open(
    (mut file, path): (&File, &Path),
    manifest: &Manifest,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let unreadable = unreadable(path);
    file_size(path, manifest, file.metadata().map_err(&unreadable)?.len())?;
    file.rewind().map_err(&unreadable)?;
    // One byte more tells that it grows.
    let reader = file.take(manifest.stored_bytes().saturating_add(1));
    let mut stored = Hashing { reader, hasher: blake3::Hasher::new() };
    if manifest.compressed.is_none() {
        chunks(&mut stored, &unreadable, each)?;
        return file_digest(path, manifest, stored.digest().as_str());
    }
    let mut database = blake3::Hasher::new();
    // One byte more than there should be tells that there are too many; a disk need not be filled with them.
    let mut decoder = zstd::Decoder::new(&mut stored).map_err(&unreadable)?;
    decoder.window_log_max(bounds::WINDOW_LOG).map_err(&unreadable)?;
    let mut decoder = decoder.take(manifest.size_bytes.saturating_add(1));
    let unpacked = chunks(&mut decoder, &unreadable, |chunk| {
        database.update(chunk);
        each(chunk)
    });
    drop(decoder);
    // A failure to unpack is told by what is wrong with the file, where that can be told.
    if let Err(Error::Damaged { .. }) = unpacked {
        io::copy(&mut stored, &mut io::sink()).map_err(&unreadable)?;
        file_digest(path, manifest, stored.digest().as_str())?;
    }
    unpacked?;
    file_digest(path, manifest, stored.digest().as_str())?;
    let found = database.finalize().to_hex();
    expect(path, "BLAKE3 of what it unpacks to", &manifest.blake3.as_str(), &found.as_str())
}

/// Compresses the database file of a restore point, whose manifest is otherwise complete, and proves from what was
/// written that it is still in there. On disk when this returns.
pub(crate) fn compress(
    (mut plain, plain_path): (&File, &Path),
    target: &Path,
    manifest: &Manifest,
    level: i32,
) -> Result<Compressed, Error> {
    let fails = |error: io::Error| Error::io("compress to", target)(error);
    let file = belongings::create_copy(plain_path, target)?;
    plain.rewind().map_err(Error::io("read", plain_path))?;
    let mut encoder = zstd::Encoder::new(&file, level).map_err(fails)?;
    digest::each_chunk(&mut plain, |chunk| encoder.write_all(chunk)).map_err(|failed| fails(failed.into()))?;
    encoder.finish().and_then(File::sync_all).map_err(fails)?;
    let bytes = file.metadata().map_err(Error::io("look at", target))?.len();
    let compressed = Compressed { bytes, blake3: digest::of_file((&file, target))? };
    let manifest = Manifest { compressed: Some(compressed.clone()), ..manifest.clone() };
    read_open((&file, target), &manifest, |_| Ok(()))?;
    Ok(compressed)
}

/// What it means that the stored file cannot be read.
pub(crate) fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| match error.kind() {
        // It may well be good, for those who may read it.
        io::ErrorKind::PermissionDenied => Error::io("read", path)(error),
        _ => Error::damaged(path, format!("it cannot be read: {error}")),
    }
}

fn chunks(
    reader: &mut impl Read,
    unreadable: &impl Fn(io::Error) -> Error,
    each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    digest::each_chunk(reader, each).map_err(|failed| match failed {
        digest::Failed::Read(error) => unreadable(error),
        digest::Failed::Each(error) => error,
    })
}

pub(crate) fn file_size(path: &Path, manifest: &Manifest, found: u64) -> Result<(), Error> {
    expect(path, "size in bytes", &manifest.stored_bytes(), &found)
}

pub(crate) fn file_digest(path: &Path, manifest: &Manifest, found: &str) -> Result<(), Error> {
    expect(path, "BLAKE3", &manifest.stored_blake3(), &found)
}

pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(
    path: &Path,
    what: &str,
    expected: &T,
    found: &T,
) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::damaged(path, format!("{what}: expected {expected:?}, found {found:?}")))
}

/// Hashes what is read through it.
struct Hashing<'a> {
    reader: Take<&'a File>,
    hasher: blake3::Hasher,
}

impl Hashing<'_> {
    fn digest(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

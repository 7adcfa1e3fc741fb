//! The digests: that of a file finds every flipped bit, where SQLite's own checks find one in ten; that of a content
//! tells whether a database is still what was copied.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::ops::Range;
use std::path::Path;

use crate::Error;

const BUFFER_BYTES: usize = 256 * 1024;

/// The fields of the first page that a commit sets by itself, and SQLite's backup API in a copy, and that say nothing of
/// what a database holds: the change counter, the schema cookie, and which version wrote last. See
/// <https://www.sqlite.org/fileformat.html#the_database_header>.
const OF_THE_COPY: [Range<usize>; 3] = [24..28, 40..44, 92..100];

/// Why going through a file ended.
pub(crate) enum Failed<E> {
    Read(io::Error),
    Each(E),
}

impl From<Failed<io::Error>> for io::Error {
    fn from(failed: Failed<io::Error>) -> Self {
        match failed {
            Failed::Read(error) | Failed::Each(error) => error,
        }
    }
}

/// The BLAKE3 of all of a file in hexadecimal.
pub(crate) fn of_file((mut file, path): (&File, &Path)) -> Result<String, Error> {
    file.rewind().map_err(Error::io("read", path))?;
    let mut hasher = blake3::Hasher::new();
    each_chunk(&mut file, |chunk| {
        hasher.update(chunk);
        Ok::<_, io::Error>(())
    })
    .map_err(|failed| Error::io("read", path)(failed.into()))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// The digests of a database, in hexadecimal.
pub(crate) struct Digests {
    pub file: String,
    /// See [`OfContent`].
    pub content: String,
}

/// Both digests of a database, fed with its bytes in order.
#[derive(Default)]
pub(crate) struct OfDatabase {
    file: blake3::Hasher,
    content: OfContent,
}

impl OfDatabase {
    /// Adds the bytes that follow; the header must not be cut.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.file.update(bytes);
        self.content.update(bytes);
    }

    pub(crate) fn finish(&self) -> Digests {
        Digests { file: self.file.finalize().to_hex().to_string(), content: self.content.finish() }
    }
}

/// The digest of the content of a database, fed with its bytes in order. A database and its copy have the same.
#[derive(Default)]
pub(crate) struct OfContent {
    hasher: blake3::Hasher,
    begun: bool,
}

impl OfContent {
    /// Adds the bytes that follow; the header must not be cut.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if self.begun {
            self.hasher.update(bytes);
            return;
        }
        self.begun = true;
        let mut at = 0;
        for Range { start, end } in OF_THE_COPY.map(|range| range.start.min(bytes.len())..range.end.min(bytes.len())) {
            self.hasher.update(&bytes[at..start]);
            at = end;
        }
        self.hasher.update(&bytes[at..]);
    }

    /// In hexadecimal.
    pub(crate) fn finish(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

/// Calls `each` with all the bytes of `reader`, a chunk at a time. The first chunk holds the header of a database.
pub(crate) fn each_chunk<E>(
    reader: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), Failed<E>> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match fill(reader, &mut buffer).map_err(Failed::Read)? {
            0 => return Ok(()),
            read => each(&buffer[..read]).map_err(Failed::Each)?,
        }
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

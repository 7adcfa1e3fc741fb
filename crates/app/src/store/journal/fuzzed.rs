//! What may be in a file of the journal, for the fuzzer.

use std::path::PathBuf;

use super::file::Contents;
use super::record;

/// The epoch of the file.
const EPOCH: i64 = 3;

/// Reads a file with these payloads, a byte that is in no text between them, in frames that fit; then the bytes as they are.
/// What was read is where it says.
pub(crate) fn journal(bytes: &[u8]) {
    let framed: Vec<u8> = bytes.split(|byte| *byte == 0xff).flat_map(record::frame).collect();
    for file in [framed, bytes.to_vec()] {
        let length = file.len() as u64;
        let Ok(Some(mut contents)) = Contents::of(PathBuf::new(), EPOCH, file) else { continue };
        while let Some(group) = contents.next_group() {
            assert_eq!(group.number, contents.last());
        }
        assert!(contents.end() <= length);
        contents.tail();
    }
}

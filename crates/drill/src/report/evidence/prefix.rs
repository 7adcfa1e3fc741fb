//! How far a file that only grows was known, as the history is.

use backup::signature::hex;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// The beginning of a file of lines, up to a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prefix {
    /// How many lines it has.
    pub lines: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Prefix {
    pub(crate) fn of(file: &[u8]) -> Self {
        let lines = file.iter().filter(|byte| **byte == b'\n').count();
        Self { lines: lines as u64, bytes: file.len() as u64, sha256: hex(digest(&SHA256, file).as_ref()) }
    }

    /// Whether a file begins with it: whatever was added since, nothing of it was changed, removed or put elsewhere.
    pub(crate) fn begins(&self, file: &[u8]) -> bool {
        let bytes = usize::try_from(self.bytes).ok();
        bytes.and_then(|bytes| file.get(..bytes)).is_some_and(|beginning| Self::of(beginning) == *self)
    }
}

//! What `backup push --json` prints, as far as it matters here.

use serde::Deserialize;

/// A push that was done.
#[derive(Deserialize)]
pub(super) struct Pushed {
    /// None where nothing is there, or of a version that knew none.
    head: Option<Head>,
}

#[derive(Deserialize)]
struct Head {
    index: u64,
    blake3: String,
}

impl Pushed {
    /// How far the remote repository is, as `backup pull --expect-head` takes it.
    pub(super) fn head(self) -> Option<String> {
        self.head.map(|Head { index, blake3 }| format!("{index}:{blake3}"))
    }
}

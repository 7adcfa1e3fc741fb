//! Limits on everything that is read from places where others can write: files, stores, databases.
//! `docs/en/src/bounds.md` lists them in a table, and a test compares the two.

use std::time::Duration;

/// Bytes of the manifest of a local restore point. One of 10,000 tables, which is as many as are listed, has 2 MiB.
pub const MANIFEST_BYTES: u64 = 4 << 20;

/// Bytes of the database that a manifest tells of: as many as SQLite can write, in round numbers.
pub const DATABASE_BYTES: u64 = 1 << 48;

/// Bytes of all manifests of one listing that are kept in memory.
pub const LISTING_BYTES: u64 = 256 << 20;

/// Names of restore points in one directory. One a minute makes as many in ten weeks, without any rule that removes some.
pub const NAMES: usize = 100_000;

/// Bytes of what a repository remembers beside its restore points: rehearsals and restores, one for each database.
pub const RECORD_BYTES: u64 = 8 << 20;

/// Letters of one line that is printed or logged. What follows in a text of others is left out.
pub const LINE_LETTERS: usize = 16_384;

/// Bytes of a file of keys, tokens or certificates.
pub const SECRET_BYTES: u64 = 1 << 20;

/// Bytes of the file of a key that signs or verifies, with any comments; what follows is not read.
pub const SIGNATURE_KEY_BYTES: u64 = 64 << 10;

/// Bytes of the signature of a report, a summary or a history.
pub const ENVELOPE_BYTES: u64 = 16 << 20;

/// Bytes of a file that such a signature is of.
pub const SIGNED_FILE_BYTES: u64 = 4 << 30;

/// Bytes of a file of the drill's: a report, its history, a log.
pub const REPORT_BYTES: u64 = 256 << 20;

/// Bytes of the manifest of a remote restore point, which names its pieces: one of a terabyte has 32 MiB.
pub const REMOTE_MANIFEST_BYTES: u64 = 64 << 20;

/// Bytes of any one answer of a store. Nothing that is asked for has more than a manifest.
pub const ANSWER_BYTES: u64 = REMOTE_MANIFEST_BYTES;

/// Bytes of an answer about versions and locks: more than a page of a thousand versions has, whose keys have 1,024 at most.
pub const VERSIONS_BYTES: u64 = 16 << 20;

/// Bytes of one piece of a remote restore point as it is stored: 8 MiB, and what encryption adds to them.
pub const PIECE_BYTES: u64 = 9 << 20;

/// Pages of the listings of a store, over a run of the program. Each has 1,000 objects at most.
pub const PAGES: usize = 10_000;

/// How often a run of the program asks for the same page: more often than it is asked again after failures.
pub const SAME_PAGE: usize = 100;

/// Objects of ours that one listing of a store may have: those of 8 TB.
pub const OBJECTS: usize = 1_000_000;

/// What unpacking may look back upon: the logarithm of 128 MiB. It is as much as the highest level writes.
pub const WINDOW_LOG: u32 = 27;

/// Bytes written of a restore between two looks at what its volume has free.
pub const WRITTEN_UNSEEN_BYTES: u64 = 8 << 20;

/// Bytes that SQLite may make of what is in a database, where twice the file is not more.
pub const COMPUTED_BYTES: u64 = 16 << 20;

/// How long SQLite may check or read a restore point or a copy, beside a second for each [`CHECK_BYTES_A_SECOND`] of it. After
/// that it could not be checked, which is a verdict of its own.
pub const CHECK_TIME: Duration = Duration::from_secs(5);

/// See [`CHECK_TIME`]: less than the slowest disk reads.
pub const CHECK_BYTES_A_SECOND: u64 = 256 << 10;

/// Steps of SQLite's machine between two looks at the time.
pub const STEPS_UNSEEN: i32 = 100;

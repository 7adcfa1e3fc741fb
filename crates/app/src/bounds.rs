//! All limits on what clients can consume, in one place.
//!
//! What runs out is memory, so that what is bounded is bytes: those of one client in each state that it can be in, times
//! how many may be in it. A client of any behaviour is in these states and no others:
//!
//! | state | bytes of memory | clients | when one more comes |
//! | --- | --- | --- | --- |
//! | connected, and has sent nothing | 3 KiB | `--connections-max` | whoever has been silent for longest is cut off |
//! | connected, and waits or is answered | 27 KiB | the same | it gets 503 |
//! | its request is longer than [`REQUEST_BYTES`] | 64 KiB | [`LARGE_REQUESTS_MAX`] | whoever has been at it for longest is cut off |
//! | sends a body | 32 KiB | [`BODIES_MAX`] | the same |
//! | does not take its answer as fast as it comes | 96 KiB | [`STALLED_MAX`] | whoever has taken nothing for longest is cut off |
//! | takes a long answer with wide buffers | 512 KiB | [`WIDE_MAX`] | it gets the answer in small pieces |
//! | watches `/events` | one bulletin for all | two thirds of `--connections-max` | it gets 503 |
//!
//! With the defaults that is 41 + 8 + 4 + 12 + 8 MiB, beside about 15 MiB of the process itself: less than 96 MiB. No answer is
//! built whole if it can be longer than [`PIECE_BYTES`] or [`WIDE_PIECE_BYTES`], and a piece is read from the database once
//! the one before it was taken. The kernel keeps [`SEND_BUFFER_BYTES`] and [`RECEIVE_BUFFER_BYTES`] for each connection, at
//! most, which a container's limit counts too.
//!
//! Nobody is cut off within [`GRACE`], and nobody while there is room.

use std::time::Duration;

/// The most bytes of a request line with its headers: the longest message, each byte of it percent-encoded, and as much
/// again. Also what hyper keeps of an answer before it writes.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// The longest message in a form, each byte of it percent-encoded, and some room beside it.
pub const FORM_BYTES_MAX: usize = 16 * 1024;

/// How much of a request is read at once.
pub const READ_BYTES: usize = 2 * 1024;

/// The most bytes of a request that every client may send; more are for [`LARGE_REQUESTS_MAX`] at once.
pub const REQUEST_BYTES: usize = 8 * 1024;

/// How many requests may be longer than [`REQUEST_BYTES`] at once.
pub const LARGE_REQUESTS_MAX: usize = 128;

/// How many requests with a body may be under way at once.
pub const BODIES_MAX: usize = 128;

/// How many clients may be behind with their answers at once.
pub const STALLED_MAX: usize = 128;

/// An answer that can grow is sent in pieces of this size, each longer by the last message in it at most.
pub const PIECE_BYTES: usize = 32 * 1024;

/// How many connections may have wide buffers, for as long as they last: what a long answer costs is mostly to send it in small
/// pieces, but a client that takes nothing leaves what it was sent in the kernel even after the answer has ended.
pub const WIDE_MAX: usize = 16;

/// [`PIECE_BYTES`] for those.
pub const WIDE_PIECE_BYTES: usize = 256 * 1024;

/// [`SEND_BUFFER_BYTES`] for those.
pub const WIDE_SEND_BUFFER_BYTES: usize = 512 * 1024;

/// The most bytes of a message that are read at once. Longer than any that clients can store.
pub const MESSAGE_BYTES_AT_ONCE: usize = 16 * 1024;

/// What a client that is behind has to take of its answer within the time that it has, or it is cut off.
pub const TAKEN_BYTES_MIN: usize = 32 * 1024;

/// An answer that takes longer than so many times the time that a client has is cut off, whoever takes it how fast.
pub const ANSWER_TIMES_MAX: u32 = 15;

/// How long a client may be in a crowded state before another one takes its place.
pub const GRACE: Duration = Duration::from_millis(250);

/// The same for one that has sent a part of a request: it may be all of it, and nobody had time to read it yet.
pub const BEGUN: Duration = Duration::from_secs(2);

/// How long a connection may be kept without a request before another client takes its place. Clients that keep connections
/// know that one may be closed while nothing is under way on it.
pub const IDLE: Duration = Duration::from_secs(3);

/// What the kernel keeps of what was sent and not taken. It doubles the number, for what it needs itself.
pub const SEND_BUFFER_BYTES: u32 = 32 * 1024;

/// What the kernel keeps of what came and was not read. It doubles this one too.
pub const RECEIVE_BUFFER_BYTES: u32 = 16 * 1024;

/// How many connections the kernel may hold until they are accepted, if its own limit allows.
pub const BACKLOG: u32 = 4096;

/// How many clients that found no place are told so at once.
pub const REFUSALS_MAX: usize = 128;

/// How many clients may ask on the port for probes at once.
pub const PROBES_MAX: u32 = 64;

/// The most threads that answer. SQLite has one writer, and reads take microseconds: more would only cost memory.
pub const THREADS_MAX: usize = 8;

/// What a connection to the database keeps of it in memory.
pub const CACHE_KIBIBYTES: i64 = 512;

//! Takes, lists, verifies, restores and prunes restore points of a SQLite database.
//!
//! A [`Repository`] is a directory of restore points: copies of a database, each beside its [`Manifest`]. Readers
//! take no lock; only a [`Writer`] may add or remove restore points, and there is one at a time.

#![warn(unreachable_pub)]

mod at_rest;
pub mod authenticity;
pub mod belongings;
pub mod bounds;
mod checked;
pub mod clock;
mod confirm;
mod content;
mod copy;
mod digest;
pub mod durable;
mod error;
pub mod exit;
#[cfg(all(any(test, fuzzing), feature = "remote"))]
#[doc(hidden)]
pub mod fuzzed;
pub mod identity;
mod in_use;
mod json;
mod limits;
pub mod lineage;
mod manifest;
mod name;
pub mod opaque;
pub mod openat;
mod pages;
pub mod paths;
pub mod presence;
pub mod prune;
mod records;
mod rehearsal;
#[cfg(feature = "remote")]
pub mod remote;
mod repository;
pub mod restore;
pub mod retention;
mod rollback;
pub mod said;
mod self_digest;
pub mod signature;
mod source;
pub mod space;
mod steps;
mod stored;
mod suspicion;
mod tables;
pub mod take;
pub mod text;
mod untrusted;
pub mod verify;
mod versions;
mod writer;

pub use content::Table;
pub use error::{Error, IdentitySummary, Rejected};
pub use identity::Source;
pub use lineage::Identity;
pub use manifest::{Compressed, Durations, Kind, Manifest, SCHEMA_VERSION, Suspicion};
pub use name::Name;
pub use rehearsal::{Rehearsal, rehearse};
pub use repository::{Entry, Repository, State};
pub use restore::Restored;
pub use writer::Writer;

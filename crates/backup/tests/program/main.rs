//! The shipped program, from outside: real files, real processes, real signals.

// Clippy knows the functions with #[test] for tests, but not what they call.
#![allow(clippy::unwrap_used)]
// A test that fails says at which fault, and one that is skipped says why.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod at_rest;
mod bounds;
mod cases;
mod clock;
mod committed;
mod compressed;
mod contract;
mod damage;
mod disk;
mod disturbed;
mod errors;
mod faults;
mod flipped;
mod histories;
mod identities;
mod if_missing;
mod kill;
mod lineages;
mod live;
mod mounts;
mod names;
mod opaque;
mod owners;
mod pages;
mod plan;
mod planted;
mod power;
#[path = "../preload/mod.rs"]
mod preload;
mod process_1;
mod prune;
mod rehearsal;
mod remote;
mod restore;
mod rollback;
mod sources;
mod space;
mod stage;
mod suspicion;
mod take;
mod terminal;
mod together;
mod unchanged;
mod usage;
mod verdicts;

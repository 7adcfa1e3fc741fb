//! The pipeline as its users type it. The programs that it runs are scripted stand-ins: what is tested is which ones it
//! runs, in which order, with which arguments, and what it makes of their answers.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

mod cluster;
mod deploy;
mod doctor;
mod image;
mod place;
mod platform;
mod setup;
mod support;
mod tests;
mod usage;

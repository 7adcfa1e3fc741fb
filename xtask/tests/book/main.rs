//! The README, the other pages of the root and the book: their links lead somewhere, and their commands are understood.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is how a failure is reported")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

mod commands;
mod links;
mod pages;
#[expect(dead_code, reason = "the tests of the pipeline need more of it")]
#[path = "../program/support.rs"]
mod support;

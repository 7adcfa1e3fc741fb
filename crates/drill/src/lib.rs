//! Breaks a service or its data on purpose, brings it back, and measures what that took and what was lost.
//!
//! Every figure comes from writes that the service acknowledged, held against what is there after the recovery. A
//! [`scenario`] says what is broken, and its [`runbook`] what is done about it, on a [`platform`]; the [`witness`] writes
//! and reads through the public URL and keeps what happened, the [`judge`] alone decides, the [`report`] shows it.

#![warn(unreachable_pub)]

pub mod cli;

mod durable;
mod execute;
mod exit;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzed;
mod intents;
mod interrupt;
mod judge;
mod platform;
mod progress;
mod report;
mod resolution;
mod runbook;
mod scenario;
mod terminal;
mod witness;

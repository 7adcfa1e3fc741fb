//! Breaks a service or its data on purpose, brings it back, and measures what that took and what was lost.
//!
//! Every figure comes from writes that the service acknowledged, held against what is there after the recovery:
//! `probe` writes and reads through the public URL, `record` keeps what happened, `judge` alone decides.

pub mod clock;
pub mod durable;
pub mod event;
pub mod evidence;
pub mod execute;
pub mod exit;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzed;
pub mod history;
pub mod interrupt;
pub mod journal;
pub mod judge;
pub mod objectives;
pub mod platform;
pub mod probe;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stop;

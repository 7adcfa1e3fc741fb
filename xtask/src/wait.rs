//! Waiting for a condition, with a bound.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::programs::say;

/// What a look at the condition found.
pub enum Status {
    Done,
    /// Not yet; the text says how things stand.
    NotYet(String),
}

const PAUSE: Duration = Duration::from_millis(500);

/// Looks until it is done. An error of the look ends the wait: only a status may change by itself.
pub fn wait_for(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Status>) -> Result<()> {
    say(&format!("waiting for {what}, at most {} s", limit.as_secs()));
    let begin = Instant::now();
    loop {
        let Status::NotYet(status) = look()? else {
            return Ok(());
        };
        if begin.elapsed() >= limit {
            bail!("waited {} s for {what}; last status: {status}", limit.as_secs());
        }
        thread::sleep(PAUSE);
    }
}

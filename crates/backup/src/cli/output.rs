//! Results on stdout.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use backup::take::Progress;
use backup::text;
use comfy_table::Table;
use indicatif::{DecimalBytes, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

/// Whether nothing is to be printed.
static IS_SILENT: AtomicBool = AtomicBool::new(false);

/// Prints nothing from now on.
pub(super) fn silence() {
    IS_SILENT.store(true, Ordering::Relaxed);
}

/// Prints one JSON document.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout().lock(), "{}", text::printable_json(&serde_json::to_string_pretty(value)?))?)
}

/// Prints a line, whoever wrote what is in it.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    if IS_SILENT.load(Ordering::Relaxed) {
        return Ok(());
    }
    Ok(writeln!(io::stdout().lock(), "{}", text::printable(text))?)
}

/// Prints a table, whoever wrote what is in its cells, which have no lines of their own.
pub(super) fn table(table: &Table) -> anyhow::Result<()> {
    table.trim_fmt().lines().try_for_each(line)
}

/// Whether it failed because nobody reads the output any more, as `head` does: no fault of ours.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A size for people, `104.86 MB`.
pub(super) fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

/// A bar on stderr, and only if that is a terminal; gone when it is dropped.
pub(super) struct ProgressBar(indicatif::ProgressBar);

impl ProgressBar {
    pub(super) fn of_pages() -> Self {
        Self::new("{bar:30} {pos}/{len} pages  {eta}")
    }

    pub(super) fn of_bytes() -> Self {
        Self::new("{bar:30} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}")
    }

    fn new(template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(indicatif::ProgressBar::new(0).with_style(style))
    }

    pub(super) fn show(&self, progress: Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The time since `then` for people, in one unit; a clock that went back shows as `0s`.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        let then: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        for (seconds, expected) in
            [(-5, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (86_400, "1d"), (8_640_000, "100d")]
        {
            assert_eq!(age(then, then + jiff::SignedDuration::from_secs(seconds)), expected);
        }
    }
}

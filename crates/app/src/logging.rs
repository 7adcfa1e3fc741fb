//! Structured logs on stderr; stdout is kept for results.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

use crate::config::LogFormat;

/// Sends the log records of this process to stderr. Call it once, first.
pub fn start(format: LogFormat, level: LevelFilter) {
    let logs = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).fmt_fields(backup::text::log_fields()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

//! Structured logs on stderr; stdout is kept for results.

use std::io;

use backup::text::{self, Color};
use tracing::level_filters::LevelFilter;

use crate::config::LogFormat;

/// Sends the log records of this process to stderr. Call it once, first.
pub fn start(format: LogFormat, color: Color, level: LevelFilter) {
    let logs = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    match format {
        LogFormat::Text => logs.with_ansi(color.is_wanted(&io::stderr())).fmt_fields(text::log_fields()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

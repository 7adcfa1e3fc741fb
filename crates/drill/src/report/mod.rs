//! The report of a drill: for machines, for reading, and for the terminal. And of several beside each other.

pub mod comparison;
mod markdown;
mod schema;
mod table;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

pub use schema::{Facts, Report};
pub use table::{side_by_side, tables};

use crate::clock::Clock;
use crate::record::{Outcome, Record};

/// Creates the folder of a report. Its name tells run, scenario and platform.
pub fn create_folder(reports: &Path, run: &str, scenario: &str, platform: &str) -> Result<PathBuf> {
    let folder = reports.join(format!("{run}-{scenario}-{platform}"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create the report folder {}", folder.display()))?;
    Ok(folder)
}

/// Removes the folder of a report that there is nothing to write to.
pub fn remove_empty_folder(folder: &Path) -> Result<()> {
    fs::remove_dir(folder).with_context(|| format!("cannot remove the empty folder {}", folder.display()))
}

/// Writes `report.json`, `report.md` and the raw ledger, `ledger.jsonl`, into the report's folder.
pub fn write(folder: &Path, report: &Report, record: &Record, clock: Clock) -> Result<()> {
    save(folder, "report.json", &(serde_json::to_string_pretty(report)? + "\n"))?;
    save(folder, "report.md", &markdown::render(report))?;
    write_ledger(&folder.join("ledger.jsonl"), record, clock)
}

fn save(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// A line of the raw ledger.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    token: &'a str,
    sent: String,
    done: String,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn write_ledger(path: &Path, record: &Record, clock: Clock) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let mut file = BufWriter::new(File::create(path).with_context(context)?);
    for write in &record.writes {
        let utc = |moment| format!("{:.6}", clock.utc(moment));
        let (sent, done) = (utc(write.sent), utc(write.done));
        let line = Line { seq: write.seq, token: &write.token, sent, done, outcome: &write.outcome };
        serde_json::to_writer(&mut file, &line).with_context(context)?;
        file.write_all(b"\n").with_context(context)?;
    }
    file.flush().with_context(context)
}

/// Seconds for people: milliseconds where they matter, a dash where nothing was measured.
fn seconds(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.3} s"))
}

/// An interval of seconds for people.
fn interval(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) if format!("{min:.3}") == format!("{max:.3}") => seconds(Some(max)),
        (Some(min), Some(max)) => format!("{min:.3} to {max:.3} s"),
        _ => seconds(None),
    }
}

/// What is left of an objective, negative if it was missed.
fn margin(objective: f64, actual: Option<f64>) -> String {
    seconds(actual.map(|actual| objective - actual))
}

/// Whether an objective was met.
fn met(objective: f64, actual: Option<f64>) -> &'static str {
    match actual {
        Some(actual) if actual <= objective => "met",
        Some(_) => "MISSED",
        None => "not measured",
    }
}

/// Joins lines to a text.
fn lines<T: std::fmt::Display>(lines: impl IntoIterator<Item = T>) -> String {
    lines.into_iter().fold(String::new(), |mut text, line| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
        text
    })
}

//! Where reports are kept: a folder a run.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{Report, Summary, markdown};
use crate::clock::Clock;
use crate::record::{Outcome, Record};

/// The directory of reports, and what is said and done about each.
pub struct Archive {
    /// The directory.
    pub directory: PathBuf,
    /// The commit that is drilled, if it is known.
    pub commit: Option<String>,
}

impl Archive {
    /// Creates the folder of a report. Its name tells run, scenario and platform.
    pub fn create_folder(&self, run: &str, scenario: &str, platform: &str) -> Result<PathBuf> {
        let folder = self.directory.join(format!("{run}-{scenario}-{platform}"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create the report folder {}", folder.display()))?;
        Ok(folder)
    }

    /// Removes the folder of a report that there is nothing to write to.
    pub fn remove_empty_folder(&self, folder: &Path) -> Result<()> {
        fs::remove_dir(folder).with_context(|| format!("cannot remove the empty folder {}", folder.display()))
    }

    /// Writes `report.json`, `report.md` and the raw ledger, `ledger.jsonl`, into the report's folder.
    pub fn keep(&self, folder: &Path, report: &Report, record: &Record, clock: Clock) -> Result<()> {
        save(folder, "report.json", &(serde_json::to_string_pretty(report)? + "\n"))?;
        save(folder, "report.md", &markdown::render(report))?;
        write_ledger(&folder.join("ledger.jsonl"), record, clock)
    }

    /// Writes `summary.json` and `summary.md` into a folder beside those of the reports, and gives the folder.
    pub fn keep_summary(&self, summary: &Summary) -> Result<PathBuf> {
        let folder = self.create_folder(&summary.first_run, "summary", &summary.platform)?;
        save(&folder, "summary.json", &(serde_json::to_string_pretty(summary)? + "\n"))?;
        save(&folder, "summary.md", &summary.markdown())?;
        Ok(folder)
    }
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

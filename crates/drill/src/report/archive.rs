//! Where reports are kept: a folder a run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::picture::Picture;
use super::view::View;
use super::{Report, Summary, folder_name, junit, markdown, page, raw};
use crate::durable;
use crate::report::evidence::{self, Predicate, SignedRun, SigningKey};
use crate::report::history::{self, History};
use crate::witness::clock::Clock;
use crate::witness::record::Record;

/// Widths in which the time line is drawn: for a screen or a sheet of paper, and for a telephone.
const WIDE: f64 = 980.0;
const NARROW: f64 = 350.0;

/// The directory of reports, and what is said and done about each.
pub(crate) struct Archive {
    pub directory: PathBuf,
    /// The commit that is drilled, if it is known.
    pub commit: Option<String>,
    /// File that shows the newest run of each series to Prometheus, if one is wanted.
    pub textfile: Option<PathBuf>,
    /// Key that signs reports, summaries and the history, if they are to be signed.
    pub key: Option<SigningKey>,
}

impl Archive {
    /// Creates the folder of a report. Its name tells run, scenario and platform.
    pub(crate) fn create_folder(&self, run: &str, scenario: &str, platform: &str) -> Result<PathBuf> {
        let folder = self.directory.join(folder_name(run, scenario, platform));
        fs::create_dir_all(&folder).with_context(|| format!("cannot create the report folder {}", folder.display()))?;
        Ok(folder)
    }

    /// Removes the folder of a report that there is nothing to write to.
    pub(crate) fn remove_empty_folder(&self, folder: &Path) -> Result<()> {
        fs::remove_dir(folder).with_context(|| format!("cannot remove the empty folder {}", folder.display()))
    }

    /// Writes the report in all its forms into its folder, with what was recorded, and adds the run to the history.
    pub(crate) fn keep(&self, folder: &Path, report: &Report, record: &Record, clock: Clock) -> Result<()> {
        raw::write_ledger(&folder.join("ledger.jsonl"), record, clock)?;
        raw::write_reads(&folder.join("reads.jsonl"), record, clock)?;
        let (view, wide) = (View::of(report), Picture::of(report, record, WIDE));
        save(folder, "report.json", &(serde_json::to_string_pretty(report)? + "\n"))?;
        save(folder, "report.md", &markdown::render(&view))?;
        save(folder, "junit.xml", &junit::render(report))?;
        save(folder, "timeline.svg", &wide.file(report))?;
        let narrow = Picture::of(report, record, NARROW);
        let mut files = names(folder)?;
        files.extend(self.key.as_ref().map(|_| evidence::FILE.to_owned()));
        save(folder, "report.html", &page::render(&view, &wide, &narrow, &files))?;
        let essence = report.essence();
        if let Some(key) = &self.key {
            let history = Some(history::prefix(&self.directory)?);
            let run = SignedRun { essence: essence.clone(), history, remote_head: record.remote_head.clone() };
            evidence::sign_folder(folder, Predicate::Report(Box::new(run)), key)?;
        }
        let appended = History::append(&self.directory, &essence, self.key.as_ref());
        if let Some(file) = &self.textfile {
            history::write_textfile(file, &History::read(&self.directory)?)?;
        }
        appended
    }

    /// Writes `summary.json`, `summary.md` and `summary.html` into a folder beside those of the reports, and gives the folder.
    pub(crate) fn keep_summary(&self, summary: &Summary) -> Result<PathBuf> {
        let folder = self.create_folder(&summary.first_run, "summary", &summary.platform)?;
        save(&folder, "summary.json", &(serde_json::to_string_pretty(summary)? + "\n"))?;
        save(&folder, "summary.md", &summary.markdown())?;
        save(&folder, "summary.html", &summary.page())?;
        if let Some(key) = &self.key {
            evidence::sign_folder(&folder, Predicate::Summary(summary.brief()), key)?;
        }
        Ok(folder)
    }
}

fn save(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    durable::write(&path, text.as_bytes())
}

/// The files of a folder, by name.
fn names(folder: &Path) -> Result<Vec<String>> {
    let context = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        names.push(entry.with_context(context)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

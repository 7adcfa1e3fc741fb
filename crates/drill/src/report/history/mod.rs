//! What came of every run, a line each, in the order in which they ended: `history.jsonl` beside the reports.

mod baselines;
mod chart;
mod page;
mod regression;
mod score;
mod signed;
mod textfile;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use backup::{bounds, openat};

pub(crate) use baselines::Baselines;
pub(crate) use regression::{Comparison, Tolerance};
pub(crate) use score::Score;
pub(crate) use signed::{Audit, audit, check_head, prefix};
pub(crate) use textfile::write as write_textfile;

use crate::durable;
use crate::report::evidence::SigningKey;
use crate::report::{Essence, Report, Series};

/// Every run that is known.
pub(crate) struct History {
    directory: PathBuf,
    /// In the order in which they ended.
    pub runs: Vec<Essence>,
    /// Lines that could not be read, and why. A power cut may tear the last one.
    pub unreadable: Vec<String>,
}

impl History {
    /// Adds a run and brings it to disk; no line is ever changed. With a key, all that is there by then is signed.
    ///
    /// # Errors
    /// Also if what was signed before is not there any more, or not so: the run is added all the same, and is not signed.
    pub(crate) fn append(directory: &Path, run: &Essence, key: Option<&SigningKey>) -> Result<()> {
        let (path, line) = (path(directory), serde_json::to_string(run)?);
        let locked = durable::lock(&path, LOCK_PATIENCE);
        let head = key
            .map(|key| locked.as_ref().map_err(|error| anyhow!("{error:#}")).and_then(|_| check_head(directory, key)));
        durable::append_line(&path, &line)?;
        match key.zip(head) {
            None => Ok(()),
            Some((key, Ok(head))) => signed::sign(directory, head, key),
            Some((_, Err(error))) => {
                Err(error.context(format!("run {} is in the history, which is not signed", run.run)))
            }
        }
    }

    /// Reads what is there; no file is an empty history.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let (path, bytes) = (path(directory), bytes(directory)?);
        let mut history = Self { directory: directory.to_owned(), runs: Vec::new(), unreadable: Vec::new() };
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(run) => history.runs.push(run),
                Err(error) => {
                    history.unreadable.push(format!("{}, line {number} is passed over: {error}", path.display()));
                }
            }
        }
        Ok(history)
    }

    /// The series that there are, in order.
    pub(crate) fn series(&self) -> Vec<Series> {
        let mut series: Vec<Series> = self.runs.iter().map(|run| run.series.clone()).collect();
        series.sort();
        series.dedup();
        series
    }

    /// The runs of a series.
    pub(crate) fn of(&self, series: &Series) -> impl Iterator<Item = &Essence> {
        self.runs.iter().filter(move |run| run.series == *series)
    }

    /// The newest run of each series.
    pub(crate) fn newest(&self) -> Vec<&Essence> {
        self.series().iter().filter_map(|series| self.runs.iter().rev().find(|run| run.series == *series)).collect()
    }

    /// The score of each series.
    pub(crate) fn scores(&self) -> Vec<Score> {
        self.series().iter().map(|series| Score::of(series, self.of(series))).collect()
    }

    /// Finds a run by its name, by the folder of its report, as the `latest`, or as the one `previous` to that in its series.
    ///
    /// # Errors
    /// If there is none; the error says where it was looked for.
    pub(crate) fn find(&self, wanted: &str) -> Result<Essence> {
        let file = Path::new(wanted).join("report.json");
        if file.is_file() {
            let report = openat::bytes(&file, bounds::REPORT_BYTES)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let report: Report = serde_json::from_slice(&report)
                .with_context(|| format!("{} is not a report of schema version 1", file.display()))?;
            return Ok(report.essence());
        }
        let found = match wanted {
            "latest" => self.runs.last(),
            "previous" => self
                .runs
                .split_last()
                .and_then(|(latest, before)| before.iter().rev().find(|run| run.series == latest.series)),
            name => self.runs.iter().rev().find(|run| run.run == name),
        };
        match found {
            Some(run) => Ok(run.clone()),
            None => bail!(
                "no run {wanted:?} in {} and no report in a folder of that name; `drill history` names the newest",
                path(&self.directory).display()
            ),
        }
    }

    /// The page of trends.
    pub(crate) fn page(&self) -> String {
        page::render(self)
    }
}

const FILE: &str = "history.jsonl";

/// How long another drill may take to add its line.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The history by now, unless it is a link or no file; none is an empty one.
fn bytes(directory: &Path) -> Result<Vec<u8>> {
    let path = path(directory);
    match openat::bytes(&path, bounds::REPORT_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read {}", path.display())),
    }
}

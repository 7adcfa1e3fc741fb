//! The run of each series that others are held against: `baselines.json` beside the reports.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use backup::{bounds, openat};

use crate::durable;
use crate::report::{Essence, Series};

/// One run a series.
pub(crate) struct Baselines {
    path: PathBuf,
    runs: Vec<Essence>,
}

impl Baselines {
    /// Reads what is stored.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("baselines.json");
        let runs = match openat::bytes(&path, bounds::REPORT_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => {
                let bytes = read.with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged; remove it and save the baselines anew", path.display()))?
            }
        };
        Ok(Self { path, runs })
    }

    /// The baseline of a series, if one is stored.
    pub(crate) fn of(&self, series: &Series) -> Option<&Essence> {
        self.runs.iter().find(|run| run.series == *series)
    }

    /// Makes a run the baseline of its series.
    pub(crate) fn save(mut self, run: Essence) -> Result<()> {
        self.runs.retain(|other| other.series != run.series);
        self.runs.push(run);
        durable::replace(&self.path, &(serde_json::to_string_pretty(&self.runs)? + "\n"))
    }
}

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{Reports, print, print_json};
use crate::report::history::Score;
use crate::{durable, exit};

/// Show how each scenario did over all its runs: passes, medians and trends
#[derive(Args)]
pub(super) struct History {
    #[command(flatten)]
    reports: Reports,
    /// Write a page of trends that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the scores and every run as JSON
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn run(self) -> Result<u8> {
        let history = self.reports.history()?;
        if let Some(file) = &self.html {
            durable::replace(file, &history.page())?;
        }
        let scores = history.scores();
        if self.json {
            let all = serde_json::json!({ "schema_version": 1, "series": scores, "runs": history.runs });
            print_json(&all)?;
        } else if scores.is_empty() {
            print("no drill was run yet")?;
        } else {
            let texts: Vec<String> = scores.iter().map(Score::text).collect();
            print(&texts.join("\n"))?;
        }
        Ok(exit::PASS)
    }
}

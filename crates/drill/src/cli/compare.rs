use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use super::{Reports, print, print_json, usage};
use crate::exit;
use crate::report::history::{Baselines, Comparison, History, Tolerance};
use crate::report::{Essence, comparison};

/// Compare a run with another one of its kind, or with the baseline
#[derive(Args)]
#[command(
    after_help = "A RUN is the name of a run, the folder of its report, `latest`, or `previous`: the one\nbefore the latest of its kind.\n\nExit codes:
  0  no regression
  1  regression: a worse verdict, or a figure that is worse beyond the tolerance or is not measured any more
  2  usage: no such run, no baseline, or runs of different kinds"
)]
pub(super) struct Compare {
    /// The older run and the newer one; with --baseline or --save-baseline one run
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    runs: Vec<String>,
    /// Compare the run with the baseline of its kind
    #[arg(long)]
    baseline: bool,
    /// Make the run the baseline of its kind
    #[arg(long, conflicts_with = "baseline")]
    save_baseline: bool,
    /// How much worse a figure may be; the resolution of both runs comes on top
    #[arg(long, value_name = "PERCENT", default_value = "25%")]
    tolerance: Tolerance,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reports: Reports,
}

impl Compare {
    pub(super) fn run(self) -> Result<u8> {
        let history = self.reports.history()?;
        let baselines = Baselines::read(&self.reports.reports)?;
        match self.choose(&history, &baselines) {
            Err(error) => Ok(usage(&error)),
            Ok((None, run)) => {
                let said = format!("{} is the baseline of {}", run.run, run.series);
                baselines.save(run)?;
                print(&said)?;
                Ok(exit::PASS)
            }
            Ok((Some(before), after)) => self.compare(&before, &after),
        }
    }

    /// The run to compare with, unless a baseline is to be saved, and the run that is meant.
    fn choose(&self, history: &History, baselines: &Baselines) -> Result<(Option<Essence>, Essence)> {
        let alone = self.baseline || self.save_baseline;
        match &self.runs[..] {
            [run] if self.save_baseline => Ok((None, history.find(run)?)),
            [run] if self.baseline => {
                let run = history.find(run)?;
                let baseline = baselines.of(&run.series).with_context(|| {
                    format!("there is no baseline of {}; drill compare --save-baseline RUN makes one", run.series)
                })?;
                Ok((Some(baseline.clone()), run))
            }
            [before, after] if !alone => Ok((Some(history.find(before)?), history.find(after)?)),
            [_] => Err(anyhow!("two runs are compared, or one with --baseline")),
            _ => Err(anyhow!("--baseline and --save-baseline take one run")),
        }
    }

    fn compare(&self, before: &Essence, after: &Essence) -> Result<u8> {
        let compared = match Comparison::of(before, after, self.tolerance) {
            Ok(compared) => compared,
            Err(refused) => return Ok(usage(&anyhow!(refused))),
        };
        match self.json {
            true => print_json(&compared)?,
            false => print(&comparison(&after.series, &compared))?,
        }
        Ok(if compared.regression { exit::FAIL } else { exit::PASS })
    }
}

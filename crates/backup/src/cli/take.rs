use std::time::Duration;

use anyhow::Context;
use backup::prune::{self, Mode};
use backup::take::{self, Progress, Taken};
use backup::verify::Check;
use backup::{Manifest, exit};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::prune::PolicyArgs;
use super::{DatabaseArg, RepositoryArg, duration, output};

/// Take a restore point of a database, which may be in use
#[derive(Debug, Args)]
pub struct Take {
    #[command(flatten)]
    database: DatabaseArg,
    #[command(flatten)]
    repository: RepositoryArg,
    /// How thoroughly SQLite checks the copy
    #[arg(long, value_enum, default_value_t)]
    check: Check,
    /// How long to wait while another take or prune is at work
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "0s")]
    wait: Duration,
    /// How long the copy may take; the WAL of the database grows meanwhile
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    deadline: Duration,
    /// Prunes after the restore point is published, if given
    #[command(flatten)]
    policy: PolicyArgs,
}

impl Take {
    pub fn run(&self, json: bool) -> anyhow::Result<u8> {
        let writer = self.repository.open().writer(self.wait)?;
        let request =
            take::Request { database: self.database.database.clone(), check: self.check, deadline: self.deadline };
        let bar = progress_bar();
        let taken = take::run(&writer, &request, &mut |progress| show(&bar, progress));
        bar.finish_and_clear();
        let restore_point = taken?;
        let name = &restore_point.name;
        let prune = || prune::run(&writer, self.policy.policy(), Some(name), Mode::Remove);
        let pruned = self.policy.is_given().then(prune).transpose();
        let pruned = pruned.with_context(|| format!("{name} was taken and published, but pruning failed"))?;
        // Old damage must not make a good take look failed: it is a warning here, and an exit code of `prune`.
        pruned.iter().flat_map(|pruned| &pruned.unprotected).for_each(super::prune::warn);
        let code = if restore_point.is_suspect() { exit::SUSPECT } else { exit::OK };
        print(&Taken { restore_point, pruned }, json)?;
        Ok(code)
    }
}

fn print(taken: &Taken, json: bool) -> anyhow::Result<()> {
    if json {
        return output::json(taken);
    }
    let Manifest { name, sequence, size_bytes, durations, .. } = &taken.restore_point;
    let seconds = durations.copy_seconds + durations.verify_seconds;
    output::line(&format!("took {name} (sequence {sequence}, {}) in {seconds:.2} s", output::size(*size_bytes)))?;
    taken.restore_point.suspicions.iter().try_for_each(|suspicion| output::line(&format!("suspect, {suspicion}")))?;
    taken.pruned.iter().flat_map(|pruned| &pruned.removed).try_for_each(|name| output::line(&format!("removed {name}")))
}

/// On stderr, and only if that is a terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} pages  {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.copied);
}

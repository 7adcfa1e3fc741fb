use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use backup::prune::{self, Mode};
use backup::take::{self, Taken};
use backup::verify::Check;
use backup::{Manifest, Repository, exit, said, space};
use clap::Args;

use super::keys::SignArgs;
use super::prune::PolicyArgs;
use super::{DatabaseArg, RepositoryArg, output};

/// Take a restore point of a database, even while it is in use
#[derive(Debug, Args)]
pub(crate) struct Take {
    #[command(flatten)]
    database: DatabaseArg,
    #[command(flatten)]
    repository: RepositoryArg,
    /// Name of the database in the repository [default: its previous name there]. Identifies a database without a
    /// lineage, which is otherwise identified by its path
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How thoroughly SQLite checks the copy
    #[arg(long, value_enum, default_value_t)]
    check: Check,
    /// Time to wait for another take or prune to finish
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "0s")]
    wait: Duration,
    /// Longest time for the copy, during which the database's WAL grows. Without WAL, a commit during the copy makes
    /// writers wait while the file is read again from memory
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "10m")]
    deadline: Duration,
    /// Maximum growth of the WAL during the copy, such as 200MiB; never more than half of the volume's free space
    #[arg(long, value_name = "SIZE", value_parser = said::size, default_value = "1GiB")]
    wal_growth: u64,
    /// Copy the database even if it has not changed since its newest restore point; without this option, that restore
    /// point is confirmed, which counts as taking it now
    #[arg(long)]
    copy_unchanged: bool,
    /// Compress with zstd, at LEVEL if given
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "1",
          value_parser = clap::value_parser!(i32).range(1..=19))]
    compress: Option<i32>,
    #[command(flatten)]
    sign: SignArgs,
    /// Prunes after the restore point is published, if given
    #[command(flatten)]
    policy: PolicyArgs,
}

impl Take {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let sign_key = self.sign.read()?;
        let writer = self.repository.open().writer(self.wait)?.signing(sign_key);
        let request = take::Request {
            database: self.database.database.clone(),
            name: self.name.clone(),
            check: self.check,
            confirm: !self.copy_unchanged,
            compress: self.compress,
            deadline: self.deadline,
            wal_growth_max: self.wal_growth,
        };
        let bar = output::ProgressBar::of_pages();
        let taken = take::run(&writer, &request, &mut |progress| bar.show(progress));
        drop(bar);
        let taken = taken?;
        let name = &taken.restore_point.name;
        let prune = || prune::run(&writer, self.policy.policy(), self.policy.max_space, Some(name), Mode::Remove);
        let pruned = self.policy.is_given().then(prune).transpose();
        let pruned = pruned.with_context(|| format!("{name} was taken and published, but pruning failed"))?;
        let is_first = taken.restore_point.sequence == 1 && !taken.confirmed;
        warn_of_one_volume(&request.database, writer.repository(), is_first).unwrap_or_else(|error| {
            tracing::warn!("cannot tell whether database and repository are on different volumes: {error:#}");
        });
        // Old damage must not make a good take look failed: it is a warning here, and an exit code of `prune`.
        match &pruned {
            Some(pruned) => super::prune::warn(pruned),
            // It is published, whatever else fails.
            None => warn_of_little_space(writer.repository(), &taken.restore_point)
                .unwrap_or_else(|error| tracing::warn!("{error:#}")),
        }
        print(&Taken { pruned, ..taken }, json)
    }
}

/// What is lost together protects nothing. That both are on one file system is said once, as it may not be for ever.
fn warn_of_one_volume(database: &Path, repository: &Repository, is_first: bool) -> anyhow::Result<()> {
    let (database, repository) = (database.canonicalize()?, repository.path().canonicalize()?);
    let directory = database.parent().unwrap_or(&database);
    if repository.starts_with(directory) {
        tracing::warn!(
            "the repository {} is in the directory of the database and would be lost with it; choose one on another \
             volume with --repository",
            repository.display()
        );
    } else if is_first && fs::metadata(directory)?.dev() == fs::metadata(&repository)?.dev() {
        tracing::warn!(
            "the repository {} is on the same file system as the database and would be lost with it; choose one on \
             another volume with --repository, or push restore points off this machine",
            repository.display()
        );
    }
    Ok(())
}

/// Nothing is removed to make room, so people have to.
fn warn_of_little_space(repository: &Repository, newest: &Manifest) -> anyhow::Result<()> {
    let (free, wanted) = (space::free(repository.path())?, space::wanted(newest));
    if free < wanted {
        let (path, free, wanted) = (repository.path().display(), output::size(free), output::size(wanted));
        tracing::warn!(
            "{path} has {free} free, but the next restore points need {wanted}; prune it or enlarge the volume"
        );
    }
    Ok(())
}

fn print(taken: &Taken, json: bool) -> anyhow::Result<u8> {
    let code = if taken.restore_point.is_suspect() { exit::SUSPECT } else { exit::OK };
    if json {
        return output::json(taken).map(|()| code);
    }
    let Manifest { name, sequence, durations, .. } = &taken.restore_point;
    let seconds = durations.copy_seconds + durations.verify_seconds;
    let size = output::size(taken.restore_point.stored_bytes());
    output::line(&match taken.confirmed {
        true => format!("confirmed {name} (sequence {sequence}): nothing has changed since"),
        false => format!("took {name} (sequence {sequence}, {size}) in {seconds:.2} s"),
    })?;
    if taken.restore_point.is_suspect() {
        taken
            .restore_point
            .suspicions
            .iter()
            .try_for_each(|suspicion| output::line(&format!("suspect, {suspicion}")))?;
        output::line(&format!("if the database is as it should be, run once: backup trust {name}"))?;
    }
    let removed = taken.pruned.iter().flat_map(|pruned| &pruned.removed);
    removed.into_iter().try_for_each(|name| output::line(&format!("removed {name}")))?;
    Ok(code)
}

use std::time::Duration;

use backup::prune::{self, Mode, Pruned, Unprotected};
use backup::remote::prune::Locked;
use backup::remote::{self, Remote};
use backup::retention::Policy;
use backup::{Error, exit, said};
use clap::Args;

use super::keys::{IdentityArgs, VerifyArgs};
use super::remote::{InsteadArg, LockArgs};
use super::{RepositoryArg, output};

/// Remove restore points that no --keep rule keeps
///
/// Rules apply to each lineage separately. The newest restore point of each lineage and its newest good one are always
/// kept.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("policy").args(PolicyArgs::NAMES).multiple(true).required(true)))]
pub(crate) struct Prune {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    remote: InsteadArg,
    #[command(flatten)]
    verify: VerifyArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    lock: LockArgs,
    /// Only print what would be removed, and why the rest is kept
    #[arg(long)]
    dry_run: bool,
    /// Time to wait for another take or prune to finish
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "0s")]
    wait: Duration,
}

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    /// Keep the newest N
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep the newest of each hour (UTC), for the last N hours with restore points
    #[arg(long, value_name = "N")]
    keep_hourly: Option<u32>,
    /// Keep the newest of each day (UTC), for the last N days with restore points
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Keep the newest of each ISO week (UTC), for the last N weeks with restore points
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Keep all that were current within this time, such as 36h or 7d, before the newest of their lineage
    #[arg(long, value_name = "DURATION", value_parser = said::days)]
    keep_within: Option<Duration>,
    /// Space limit, such as 200MiB, for restore points, room for two more, and other files in the repository, such as a
    /// service's journal; the size of the volume limits it too. Removes the oldest restore points first, even if a
    /// --keep rule keeps them
    #[arg(long, value_name = "SIZE", value_parser = said::size)]
    pub max_space: Option<u64>,
}

impl PolicyArgs {
    const NAMES: [&str; 5] = ["keep_last", "keep_hourly", "keep_daily", "keep_weekly", "keep_within"];

    pub(super) fn is_given(&self) -> bool {
        let counts = self.keep_last.or(self.keep_hourly).or(self.keep_daily).or(self.keep_weekly);
        counts.is_some() || self.keep_within.is_some()
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            last: self.keep_last.unwrap_or(0),
            hourly: self.keep_hourly.unwrap_or(0),
            daily: self.keep_daily.unwrap_or(0),
            weekly: self.keep_weekly.unwrap_or(0),
            within: self.keep_within,
            since_sequence: 0,
        }
    }
}

impl Prune {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let mode = if self.dry_run { Mode::DryRun } else { Mode::Remove };
        if let Some(remote) = self.remote.open(Some(&self.lock))? {
            let remote = remote.believing(self.verify.read()?).reading(self.identity.read()?);
            return self.prune_remote(&remote, mode, json);
        }
        if self.lock.is_given() {
            let reason = "only remote repositories have locks; add --remote or omit --lock-for".into();
            return Err(Error::RemoteAddress { reason }.into());
        }
        let writer = self.repository.open().writer(self.wait)?;
        let pruned = prune::run(&writer, self.policy.policy(), self.policy.max_space, None, mode)?;
        warn(&pruned);
        if json {
            output::json(&pruned)?;
        } else {
            self.print(&pruned)?;
        }
        Ok(if pruned.unprotected.is_empty() { exit::OK } else { exit::DAMAGED })
    }

    fn prune_remote(&self, remote: &Remote, mode: Mode, json: bool) -> anyhow::Result<u8> {
        if self.policy.max_space.is_some() {
            let reason = "its capacity is unknown; omit --max-space".into();
            return Err(Error::RemoteAddress { reason }.into());
        }
        let pruned = remote::prune::run(remote, self.policy.policy(), mode)?;
        if json {
            output::json(&pruned)?;
            return Ok(exit::OK);
        }
        warn(&pruned.pruned);
        self.print(&pruned.pruned)?;
        for Locked { name, until } in &pruned.locked {
            output::line(&format!("kept {name}: it is locked until {until}"))?;
        }
        if pruned.keeps_versions {
            output::line(
                "the bucket keeps old versions of removed objects until its own lifecycle rules delete them; --as-of \
                 reads them",
            )?;
        }
        let (verb, objects) = (if self.dry_run { "would sweep" } else { "swept" }, pruned.swept_objects);
        if objects > 0 {
            output::line(&format!("{verb} {objects} objects left by unfinished pushes"))?;
        }
        Ok(exit::OK)
    }

    fn print(&self, pruned: &Pruned) -> anyhow::Result<()> {
        let verb = if self.dry_run { "would remove" } else { "removed" };
        pruned.removed.iter().try_for_each(|name| output::line(&format!("{verb} {name}")))?;
        if self.dry_run {
            for kept in &pruned.kept {
                let reasons: Vec<String> = kept.reasons.iter().map(ToString::to_string).collect();
                output::line(&format!("would keep {} ({})", kept.name, reasons.join(", ")))?;
            }
        }
        output::line(&format!("{verb} {} of {}", pruned.removed.len(), pruned.removed.len() + pruned.kept.len()))
    }
}

/// Says what people should do something about, long before backups fail.
pub(super) fn warn(pruned: &Pruned) {
    pruned.unprotected.iter().for_each(nothing_good);
    for name in &pruned.ahead {
        tracing::warn!(%name, "its time is in the future: the clock was wrong when it was taken, or is now; no rule \
        counts from this restore point");
    }
    if !pruned.for_space.is_empty() {
        let gone = pruned.for_space.len();
        tracing::warn!(
            "space is short: removed {gone} restore points that a rule would keep; enlarge the volume or keep fewer"
        );
    }
    if pruned.missing_bytes > 0 {
        let (missing, others) = (output::size(pruned.missing_bytes), output::size(pruned.others_bytes));
        tracing::warn!(
            "the next restore points need {missing} more space; enlarge the volume, or remove files from it that are \
             neither restore points nor a journal (other files: {others})"
        );
    }
}

/// Says that a lineage has nothing good left.
fn nothing_good(unprotected: &Unprotected) {
    let lineage = &unprotected.identity;
    let faults: Vec<String> = unprotected.rejected.iter().map(ToString::to_string).collect();
    tracing::warn!(lineage, "no good restore point; nothing of its lineage was removed: {}", faults.join("; "));
}

//! The runbooks: steady state, fault, recovery, verdict. Each reads as one would do it by hand.

mod about;
mod bad_newest_backup;
mod corrupt_database;
mod drain_node;
mod full_disk;
mod human_error;
mod interrupted_restore;
mod kill_backup_volume;
mod kill_pod;
mod kill_pvc;
mod lose_both_volumes;
mod poisoned_backup;
mod stolen_credentials;
mod stop_node;
mod stuck_backups;

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

pub use about::{About, Expectation, Expected, Step};

use crate::platform::{Fault, Platform};
use crate::run::{Run, Settings};
use crate::stop::Stop;

/// A scenario that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// The service is killed in the middle of a write; nothing that it acknowledged may be missing
    KillPod,
    /// The volume with the database is destroyed under load; the newest good restore point is restored
    KillPvc,
    /// The database is overwritten under the running service
    CorruptDatabase,
    /// The newest restore point is damaged before the volume is lost
    BadNewestBackup,
    /// The restore is killed half-way, and run again
    InterruptedRestore,
    /// A service that came up empty is backed up
    PoisonedBackup,
    /// Everything is deleted by mistake, under the running service
    HumanError,
    /// The volume with the database is full
    FullDisk,
    /// No restore point is taken any more
    StuckBackups,
    /// The volume with the restore points is destroyed
    KillBackupVolume,
    /// Both volumes are destroyed
    LoseBothVolumes,
    /// The remote repository is robbed with the service's own credentials, and both volumes are destroyed
    StolenCredentials,
    /// The node of the service is drained
    DrainNode,
    /// The node of the service is stopped
    StopNode,
}

/// How the service comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// The drill does what a person with a runbook would do.
    Runbook,
    /// The platform does it alone.
    Automatic,
    /// It does not.
    None,
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runbook => "runbook",
            Self::Automatic => "automatic",
            Self::None => "none",
        })
    }
}

impl Scenario {
    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillPod => "kill-pod",
            Self::KillPvc => "kill-pvc",
            Self::CorruptDatabase => "corrupt-database",
            Self::BadNewestBackup => "bad-newest-backup",
            Self::InterruptedRestore => "interrupted-restore",
            Self::PoisonedBackup => "poisoned-backup",
            Self::HumanError => "human-error",
            Self::FullDisk => "full-disk",
            Self::StuckBackups => "stuck-backups",
            Self::KillBackupVolume => "kill-backup-volume",
            Self::LoseBothVolumes => "lose-both-volumes",
            Self::StolenCredentials => "stolen-credentials",
            Self::DrainNode => "drain-node",
            Self::StopNode => "stop-node",
        }
    }

    /// What is known of it before it runs.
    pub fn about(self) -> &'static About {
        match self {
            Self::KillPod => &kill_pod::ABOUT,
            Self::KillPvc => &kill_pvc::ABOUT,
            Self::CorruptDatabase => &corrupt_database::ABOUT,
            Self::BadNewestBackup => &bad_newest_backup::ABOUT,
            Self::InterruptedRestore => &interrupted_restore::ABOUT,
            Self::PoisonedBackup => &poisoned_backup::ABOUT,
            Self::HumanError => &human_error::ABOUT,
            Self::FullDisk => &full_disk::ABOUT,
            Self::StuckBackups => &stuck_backups::ABOUT,
            Self::KillBackupVolume => &kill_backup_volume::ABOUT,
            Self::LoseBothVolumes => &lose_both_volumes::ABOUT,
            Self::StolenCredentials => &stolen_credentials::ABOUT,
            Self::DrainNode => &drain_node::ABOUT,
            Self::StopNode => &stop_node::ABOUT,
        }
    }

    /// Runs it.
    pub async fn run<P: Platform>(self, run: &mut Run<P>) -> Result<(), Stop> {
        match self {
            Self::KillPod => kill_pod::run(run).await,
            Self::KillPvc => kill_pvc::run(run).await,
            Self::CorruptDatabase => corrupt_database::run(run).await,
            Self::BadNewestBackup => bad_newest_backup::run(run).await,
            Self::InterruptedRestore => interrupted_restore::run(run).await,
            Self::PoisonedBackup => poisoned_backup::run(run).await,
            Self::HumanError => human_error::run(run).await,
            Self::FullDisk => full_disk::run(run).await,
            Self::StuckBackups => stuck_backups::run(run).await,
            Self::KillBackupVolume => kill_backup_volume::run(run).await,
            Self::LoseBothVolumes => lose_both_volumes::run(run).await,
            Self::StolenCredentials => stolen_credentials::run(run).await,
            Self::DrainNode => drain_node::run(run).await,
            Self::StopNode => stop_node::run(run).await,
        }
    }

    /// What it comes to where all is as it should be.
    pub fn expected(self, settings: &Settings) -> Expected {
        match self {
            Self::LoseBothVolumes if settings.has_remote => Expected::Pass,
            other => other.about().expected,
        }
    }

    /// Whether the fault may cost data at all. A journal gives back what is lost with the volume of the database alone.
    pub fn may_lose(self, is_journaled: bool) -> bool {
        let is_given_back = matches!(self, Self::KillPvc | Self::BadNewestBackup | Self::InterruptedRestore);
        self.about().may_lose && !(is_journaled && is_given_back)
    }

    /// The RTO where none is given. A service that is poisoned answers until a backup of it was taken, for which the
    /// recovery waits.
    pub fn default_rto(self, backup_interval: Duration) -> Duration {
        let poison = if self == Self::PoisonedBackup { backup_interval * 2 } else { Duration::ZERO };
        Duration::from_secs(60) + poison
    }

    /// The RPO where none is given: for backups each minute, and none where the volume survives. Where the backups are on
    /// trial, what two of their intervals cost.
    pub fn default_rpo(self, backup_every: Duration, is_journaled: bool) -> Duration {
        match (self.may_lose(is_journaled), self.about().backups_on_trial) {
            (_, true) => backup_every * 2,
            (true, false) => Duration::from_secs(75),
            (false, false) => Duration::ZERO,
        }
    }

    /// Why a platform does not offer it; `None` if it does.
    pub fn refusal<P: Platform>(self) -> Option<&'static str> {
        self.about().faults().find_map(P::refusal)
    }

    /// The steps that would be taken, for `--dry-run`, with the objects that each fault would hit.
    pub fn plan(self, targets: impl Fn(Fault) -> Vec<String>) -> Vec<String> {
        let steps = self.about().steps.iter().map(|step| match step {
            Step::Break(fault) => format!("{} {}", fault.verb(), targets(*fault).join(", ")),
            Step::Then(what) => (*what).to_owned(),
        });
        let before = [
            "make sure that the service is up, write the sentinel, start backups, writer and reader",
            "wait for steady state and for verified restore points that hold the sentinel",
        ];
        let after = [
            "wait for an unbroken run of correct reads and acknowledged writes",
            "read every message and compare it with the ledger",
            "wait for a new verified restore point, then leave nothing of the drill behind",
        ];
        before.map(str::to_owned).into_iter().chain(steps).chain(after.map(str::to_owned)).collect()
    }
}

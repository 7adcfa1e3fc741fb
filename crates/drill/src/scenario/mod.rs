//! The runbooks: steady state, fault, recovery, verdict. Each reads as one would do it by hand.

mod kill_pod;
mod kill_pvc;

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

/// A scenario that can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// The service is killed in the middle of a write; nothing that it acknowledged may be missing
    KillPod,
    /// The volume with the database is destroyed under load; the newest good restore point is restored
    KillPvc,
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
        }
    }

    /// What it does and what it proves, in two lines.
    pub fn summary(self) -> [&'static str; 2] {
        match self {
            Self::KillPod => [
                "Availability: kills the service in the middle of a write; the platform restarts it.",
                "Nothing that was acknowledged may be missing. No restore is needed.",
            ],
            Self::KillPvc => [
                "Disaster recovery: destroys the volume while clients write; restores the newest good",
                "restore point. What came after it is lost, and measured.",
            ],
        }
    }

    /// What it breaks.
    pub fn fault(self) -> Fault {
        match self {
            Self::KillPod => Fault::KillService,
            Self::KillPvc => Fault::DestroyVolume,
        }
    }

    /// Whether the fault may cost data at all.
    pub fn may_lose(self) -> bool {
        match self {
            Self::KillPod => false,
            Self::KillPvc => true,
        }
    }

    /// The RPO where none is given: for backups each minute, and none where the volume survives.
    pub fn default_rpo(self) -> Duration {
        if self.may_lose() { Duration::from_secs(75) } else { Duration::ZERO }
    }

    /// How the service comes back.
    pub fn recovery(self) -> Recovery {
        match self {
            Self::KillPod => Recovery::Automatic,
            Self::KillPvc => Recovery::Runbook,
        }
    }

    /// The steps that would be taken, for `--dry-run`.
    pub fn plan(self, targets: &[String]) -> Vec<String> {
        let targets = targets.join(", ");
        let mut steps = vec![
            "make sure that the service is up, write the sentinel, start backups, writer and reader".to_owned(),
            "wait for steady state and for verified restore points that hold the sentinel".to_owned(),
        ];
        match self {
            Self::KillPod => {
                steps.extend([format!("kill {targets}"), "wait until the platform has brought it back".to_owned()]);
            }
            Self::KillPvc => steps.extend([
                format!("destroy {targets}"),
                "wait until clients see the outage, then stop the service and the backups".to_owned(),
                "create an empty volume and restore the newest good restore point to it".to_owned(),
                "start the service, and once it is correct, the backups".to_owned(),
            ]),
        }
        steps.extend([
            "wait for an unbroken run of correct reads and acknowledged writes".to_owned(),
            "read every message and compare it with the ledger".to_owned(),
            "wait for a new verified restore point, then leave nothing of the drill behind".to_owned(),
        ]);
        steps
    }

    /// Runs it.
    pub async fn run<P: Platform>(self, run: &mut Run<P>) -> Result<(), Stop> {
        match self {
            Self::KillPod => kill_pod::run(run).await,
            Self::KillPvc => kill_pvc::run(run).await,
        }
    }
}

//! What can be chosen about a drill.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::InjectAt;
use crate::resolution::Resolution;

/// What can be chosen about a drill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Operations a second of the writer, and of the reader.
    pub rate: u32,
    pub backup_every: Duration,
    /// How long steady state may take to come about, beyond the backups that are waited for.
    pub patience: Duration,
    /// How long the service may take to be correct again before the drill gives up.
    pub give_up: Duration,
    pub recovery: Recovery,
    /// When the fault strikes, if not when the scenario has it.
    pub inject_at: Option<InjectAt>,
    /// What [`InjectAt::Random`] is decided by.
    pub seed: u32,
    /// How old the newest restore point may become.
    pub rpo: Duration,
    /// Whether restore points are kept elsewhere too.
    pub has_remote: bool,
    pub protect: Protect,
    /// How many writers write without a pause when the fault strikes, if not as many as the scenario has.
    pub writers: Option<usize>,
    /// How long the system stays as it is after the last step.
    pub linger: Option<Duration>,
}

impl Settings {
    /// No moment of an outage is known better: the streams of reads and writes are half an interval apart.
    pub(crate) fn resolution(&self) -> Resolution {
        Resolution::of(0.5 / f64::from(self.rate))
    }
}

/// How the service protects what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protect {
    /// Restore points only
    None,
    /// A journal on the other volume, written before each acknowledgement
    Sync,
}

/// How the service comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Recovery {
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

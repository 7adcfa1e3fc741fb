//! Where the system runs. Only here is known how a thing is broken and how it is repaired.

pub(crate) mod abandoned;
pub(crate) mod content;
pub(crate) mod kubernetes;
pub(crate) mod local;
mod placement;
mod pushed;
mod theft;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use backup::lineage::Lineage;
use backup::{Manifest, Restored};
use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};

pub(crate) use kubernetes::Kubernetes;
pub(crate) use local::Local;
pub(crate) use placement::{Placed, Placement, Stage};
pub(crate) use theft::{Deed, DeedKind, Theft};

/// One thing broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The service is killed at once, in the middle of whatever it does.
    KillService,
    /// The volume with the database is destroyed while clients write.
    DestroyVolume,
    /// The database is overwritten in place, under the running service.
    OverwriteDatabase,
    /// Bytes of the newest restore point are changed.
    DamageNewestRestorePoint,
    /// A restore is begun, and killed while it writes.
    KillRestore,
    /// The service is started on a new, empty volume.
    StartEmpty,
    /// Every row is deleted, by SQL, under the running service.
    DeleteRows,
    /// Not a byte is free on the volume with the database.
    FillVolume,
    /// No restore point is taken any more.
    StopBackups,
    /// The volume with the restore points is destroyed.
    DestroyRepository,
    DestroyBothVolumes,
    /// All is done to what is kept elsewhere that the service's own credentials allow.
    StealCredentials,
    /// The node of the service is taken out of service.
    DrainNode,
    /// The node of the service loses its power.
    StopNode,
}

impl Fault {
    /// What is done to its targets.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::KillService => "kill",
            Self::DestroyVolume | Self::DestroyRepository | Self::DestroyBothVolumes => "destroy",
            Self::OverwriteDatabase => "overwrite",
            Self::DamageNewestRestorePoint => "damage",
            Self::KillRestore => "kill half-way:",
            Self::StartEmpty => "start the service on an empty",
            Self::DeleteRows => "delete every row of",
            Self::FillVolume => "fill",
            Self::StealCredentials => "overwrite, delete and forge, with the credentials of the service,",
            Self::StopBackups | Self::StopNode => "stop",
            Self::DrainNode => "drain",
        }
    }
}

/// What a restore finds in its place, and what it does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// No database.
    Missing,
    /// A database that is not wanted any more; it is kept as a safety copy.
    Replace,
    /// A database in use, whose content is to be that of before a time.
    IntoLive {
        /// The time.
        at: Timestamp,
    },
}

impl Manner {
    /// The arguments of `backup restore` that say so.
    pub(crate) fn arguments(self) -> Vec<String> {
        match self {
            Self::Missing => vec!["--latest".to_owned()],
            Self::Replace => vec!["--latest".to_owned(), "--force".to_owned()],
            // The rows that have the keys of now are put back afterwards.
            Self::IntoLive { at } => {
                ["--into-live", "--reuse-keys", "--at", &at.to_string()].map(str::to_owned).to_vec()
            }
        }
    }
}

/// How clients reach the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    /// At the URL that was given, or that the platform has itself.
    Url(String),
    /// Through the port that each node of the cluster opens for the service.
    NodePort(String),
    /// Through a tunnel, which breaks with the pod that it leads to.
    Tunnel,
}

impl Access {
    /// Its name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::NodePort(_) => "node-port",
            Self::Tunnel => "tunnel",
        }
    }
}

/// What a runbook asks of the place where the system runs.
///
/// Each method returns once its effect is confirmed, within a bound of its own; the error says what was waited for
/// and its last state. Scenarios are generic over this trait.
pub(crate) trait Platform {
    /// The platform's name in reports.
    const NAME: &'static str;

    /// Why a fault is not to be had here; `None` if it is.
    fn refusal(fault: Fault) -> Option<&'static str>;

    /// The objects that a fault will hit, as one finds them on the platform. Never empty.
    fn targets(&self, fault: Fault) -> Vec<String>;

    /// How many restore points that hold the sentinel steady state asks for.
    fn restore_points_wanted(&self) -> usize;

    /// How often the platform takes a restore point by itself.
    fn backup_interval(&self) -> Duration;

    /// How often restore points are taken by a schedule that is not the drill's, if that is known.
    fn schedule(&self) -> Option<Duration>;

    /// Checks what must hold before anything is started or broken, and changes nothing.
    async fn preflight(&mut self) -> Result<()>;

    /// Makes sure that the service is up, and gives its public URL.
    async fn start(&mut self) -> Result<Url>;

    /// How clients reach the service; known once it was started.
    fn access(&self) -> Option<Access>;

    /// Remembers which database this is, for a clean-up that has to restore it.
    fn remember(&mut self, lineage: &Lineage) -> Result<()>;

    /// Takes a verified copy of the database where no fault reaches, and says where that is.
    async fn safety_copy(&mut self) -> Result<String>;

    /// Breaks one thing and returns once it is broken, with the evidence for that.
    async fn inject(&mut self, fault: Fault) -> Result<String>;

    /// Undoes a fault that can be undone, and says what is there now.
    async fn relieve(&mut self, fault: Fault) -> Result<String>;

    /// Waits until the platform calls the service ready, and says by what.
    async fn ready(&mut self) -> Result<String>;

    /// Stops service and backups: after that, nobody uses the volume.
    async fn quiesce(&mut self) -> Result<()>;

    /// Puts a new, empty volume in the place of the lost one.
    async fn replace_volume(&mut self) -> Result<()>;

    /// What a thief did where restore points are kept too, if there was one.
    fn theft(&self) -> Option<&Theft> {
        None
    }

    /// Gets the restore points from where they are kept too, as they were before a theft if there was one.
    async fn fetch(&mut self) -> Result<String>;

    /// The name of the other program that protects the database in the place of restore points, if one does.
    fn protector(&self) -> Option<&str>;

    /// What can be had back now where another program protects the database: restored out of the way, checked, and
    /// described. `None` where there are restore points, which are their own proof.
    async fn try_out(&mut self) -> Result<Option<Manifest>>;

    /// Restores the newest good restore point of a lineage to the volume; `None` where another program restored what it
    /// had.
    async fn restore(&mut self, lineage: &Lineage, manner: Manner) -> Result<Option<Restored>>;

    /// Puts the rows of a safety copy that are not in the database back into it, while it is used.
    async fn bring_back(&mut self, safety_copy: &Path) -> Result<String>;

    async fn start_service(&mut self) -> Result<()>;

    /// What the platform restored by itself before it started the service; `None` where it cannot do that.
    async fn restored_by_itself(&mut self) -> Result<Option<Restored>>;

    /// Starts or resumes the backups, the first one at once.
    async fn resume_backups(&mut self) -> Result<()>;

    /// Where the volumes are, those that exist.
    async fn placed(&self) -> Result<Vec<Placed>>;

    /// Keeps the logs of service and backups with the report.
    async fn keep_logs(&self, report: &Path) -> Result<()>;

    /// What a person types where [`Platform::clean_up`] fails; none where there is nothing to put right.
    fn by_hand(&self) -> Vec<String>;

    /// Leaves nothing of the drill behind, and says what was proven. May be called at any time, and again after it
    /// failed.
    async fn clean_up(&mut self) -> Result<String>;
}

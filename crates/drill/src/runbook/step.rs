//! The steps that a runbook is written in, and what each is called. They are described and performed from the same value,
//! so that a plan cannot say anything else than what is done.

use std::borrow::Cow;

use super::{InjectAt, Settings};
use crate::platform::Fault;

/// A step of a runbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything is brought up, and shown to work.
    SteadyState,
    /// A verified copy is kept where no fault reaches.
    SafetyCopy,
    /// The fault strikes then, where nobody asked for another moment.
    Moment(InjectAt),
    /// So many writers write without a pause from now on, where nobody asked for another number.
    Volley(usize),
    /// The fault that is measured.
    Break(Fault),
    /// A fault beside the one that is measured.
    Worsen(Fault),
    /// Waits until the fault is noticed.
    Notice(Sign),
    /// Somebody decides to recover.
    Decide(&'static str),
    /// Service and backups stop: after that, nobody uses the volume.
    StopAll,
    /// A new, empty volume takes the place of the lost one.
    NewVolume,
    /// A fault is undone that can be undone.
    Undo(Fault),
    /// The restore points are fetched from where they are kept too, if they are.
    Fetch,
    /// The newest good restore point of the lost database is restored.
    Restore(Onto),
    /// The restore must have met a damaged restore point, and passed over it.
    DamagePassedOver,
    /// What was written between a mistake and the restore that undid it is put back.
    BringBack,
    /// The service is started, and called ready.
    StartService,
    /// The platform, left alone, calls the service ready.
    Ready,
    /// What the platform restored by itself must be of the lost database.
    RestoredByItself,
    /// Clients get right answers again.
    CorrectAgain,
    ResumeBackups,
    /// Everything is read, and held against what was acknowledged.
    Reconcile,
    /// There is a new verified restore point.
    ProtectedAgain,
}

/// What a fault is noticed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Operations of clients fail, or a backup does.
    Failures,
    /// The platform watches the service itself.
    Platform,
    /// The age of the newest restore point.
    Age,
    /// A restore point of another database than the lost one: no sign for anybody, until it is looked for.
    Poison,
}

/// What a restore finds in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onto {
    /// No database.
    EmptyVolume,
    /// A database that is not wanted any more.
    Unwanted,
    /// A database in use, whose content is to be that of before the fault.
    Live,
}

impl Step {
    /// The fault that the step brings about.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Self::Break(fault) | Self::Worsen(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether the step does something to the system, which is written down before it is done.
    pub(crate) fn changes_something(self) -> bool {
        matches!(
            self,
            Self::SteadyState
                | Self::SafetyCopy
                | Self::Break(_)
                | Self::Worsen(_)
                | Self::StopAll
                | Self::NewVolume
                | Self::Undo(_)
                | Self::Fetch
                | Self::Restore(_)
                | Self::BringBack
                | Self::StartService
                | Self::ResumeBackups
        )
    }

    /// What is done, with the objects that a fault hits; `None` for what is not done under these settings.
    pub(crate) fn described(
        self,
        settings: &Settings,
        targets: impl Fn(Fault) -> Vec<String>,
    ) -> Option<Cow<'static, str>> {
        let hit = |fault: Fault| format!("{} {}", fault.verb(), targets(fault).join(", "));
        Some(Cow::Borrowed(match self {
            Self::SteadyState => {
                "make sure that the service is up, write the sentinel, start backups, writer and reader; wait for steady \
                 state and for verified restore points that hold the sentinel"
            }
            Self::SafetyCopy => "take a safety copy out of the fault's reach",
            Self::Moment(at) => {
                let at = settings.inject_at.unwrap_or(at);
                return Some(format!("wait for the moment of the fault: {at}").into());
            }
            Self::Volley(writers) => match settings.writers.unwrap_or(writers) {
                0 => return None,
                writers => return Some(format!("have {writers} writers write without a pause").into()),
            },
            Self::Break(fault) | Self::Worsen(fault) => return Some(hit(fault).into()),
            Self::Notice(Sign::Failures) => "wait until clients see the outage, or a backup fails",
            Self::Notice(Sign::Platform) => "wait until the platform sees it",
            Self::Notice(Sign::Age) => "wait until the newest restore point is older than the RPO",
            Self::Notice(Sign::Poison) => "wait until the empty database has been backed up",
            Self::Decide(_) => "decide to recover",
            Self::StopAll => "stop the service and the backups",
            Self::NewVolume => "create a new, empty volume",
            Self::Undo(fault) => return Some(format!("undo: {}", hit(fault)).into()),
            Self::Fetch if settings.has_remote => "fetch the restore points from where they are kept too",
            Self::Fetch => return None,
            Self::Restore(Onto::EmptyVolume) => "restore the newest good restore point of the lost database",
            Self::Restore(Onto::Unwanted) => {
                "restore the newest good restore point of the lost database in the place of what is there, which is kept"
            }
            Self::Restore(Onto::Live) => {
                "restore the newest good restore point of before the fault into the database in use"
            }
            Self::DamagePassedOver => "make sure that the damaged restore point was passed over",
            Self::BringBack => "put back what was written since the fault, from the safety copy that the restore made",
            Self::StartService => "start the service",
            Self::Ready => "wait until the platform calls the service ready",
            Self::RestoredByItself => "ask the platform what it restored",
            Self::CorrectAgain => "wait for an unbroken run of correct reads and acknowledged writes",
            Self::ResumeBackups => "resume the backups",
            Self::Reconcile => "read every message and compare it with the ledger",
            Self::ProtectedAgain => "wait for a new verified restore point",
        }))
    }
}

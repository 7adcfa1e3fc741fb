//! A backup that cannot be trusted: the newest restore point is damaged, and nobody knows until it is needed.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "bad-newest-backup",
    fault: "The newest restore point is damaged before the volume is lost",
    summary: [
        "A bad backup: damages the newest restore point, then destroys the volume. The restore must",
        "notice, fall back to the one before, and say so; the loss grows by a backup interval.",
    ],
    cost: Cost::RecentWithoutJournal,
    rto: seconds(60),
    rpo: ONE_BACKUP_LOST,
    expected: Expected::Pass,
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::SafetyCopy,
                Step::Moment(InjectAt::Midway),
                Step::Worsen(Fault::DamageNewestRestorePoint),
                Step::Break(Fault::DestroyVolume),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::NewVolume,
                Step::Restore(Onto::EmptyVolume),
                Step::DamagePassedOver,
                Step::StartService,
                Step::CorrectAgain,
                Step::ResumeBackups,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};

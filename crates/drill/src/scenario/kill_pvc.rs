//! Disaster recovery: the volume is lost, a restore point is all there is.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-pvc",
    fault: "The volume with the database is destroyed under load; the newest good restore point is restored",
    summary: [
        "Disaster recovery: destroys the volume while clients write; restores the newest good",
        "restore point. What came after it is lost, and measured.",
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
                Step::Volley(0),
                Step::Break(Fault::DestroyVolume),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::NewVolume,
                // Before the service starts: one that comes up empty would answer, and be backed up.
                Step::Restore(Onto::EmptyVolume),
                Step::StartService,
                Step::CorrectAgain,
                Step::ResumeBackups,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
        Runbook {
            recovery: Recovery::Automatic,
            steps: &[
                Step::SteadyState,
                Step::SafetyCopy,
                Step::Moment(InjectAt::Midway),
                Step::Volley(0),
                Step::Break(Fault::DestroyVolume),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::NewVolume,
                Step::StartService,
                Step::RestoredByItself,
                Step::CorrectAgain,
                Step::ResumeBackups,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: true,
};

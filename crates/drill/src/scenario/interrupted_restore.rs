//! A recovery that is interrupted: the restore is killed half-way, and run again.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "interrupted-restore",
    fault: "The restore is killed half-way, and run again",
    summary: [
        "An interrupted recovery: destroys the volume, kills the restore while it writes, runs it",
        "again. Half a restore must not be served, nor stand in the way of a whole one.",
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
                Step::Break(Fault::DestroyVolume),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::NewVolume,
                Step::Worsen(Fault::KillRestore),
                Step::Restore(Onto::EmptyVolume),
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

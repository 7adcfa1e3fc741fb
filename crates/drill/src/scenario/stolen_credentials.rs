//! A thief who has the credentials by which restore points leave the machine, and then the volumes are gone.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stolen-credentials",
    fault: "The remote repository is robbed with the service's own credentials, and both volumes are destroyed",
    summary: [
        "Stolen credentials: with those of the service everything in the remote is overwritten, deleted,",
        "forged; then both volumes are destroyed. What was locked before must come back (--remote s3://).",
    ],
    cost: Cost::Recent,
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
                Step::Worsen(Fault::StealCredentials),
                Step::Break(Fault::DestroyBothVolumes),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::NewVolume,
                Step::Undo(Fault::DestroyRepository),
                Step::Fetch,
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

//! The disaster that takes the volume and the restore points with it.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::judge::Cause;
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lose-both-volumes",
    fault: "Both volumes are destroyed",
    summary: [
        "Everything at once: destroys both volumes. Fails by design where restore points are kept",
        "beside the data; with --remote they are fetched from there, and it must pass.",
    ],
    cost: Cost::Recent,
    rto: seconds(60),
    rpo: ONE_BACKUP_LOST,
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "restore points beside the data are lost with it, and no other copy is configured: keep them on another \
                machine (backup push --remote), and drill that with --remote URL",
        lifted_by_remote: true,
    },
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::SafetyCopy,
                Step::Moment(InjectAt::Midway),
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

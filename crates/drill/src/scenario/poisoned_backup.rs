//! Poison: a service that came up empty is backed up too, and its restore points are the newest.

use super::{Cost, Expected, Runbook, Scenario, Allowance, ONE_BACKUP_LOST};
use crate::judge::Cause;
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "poisoned-backup",
    fault: "A service that came up empty is backed up",
    summary: [
        "Poison: destroys the volume and starts the service empty while backups go on. The recovery",
        "must choose a restore point of the lost database, not the newest; fails by design.",
    ],
    cost: Cost::Recent,
    // A service that is poisoned answers until a backup of it was taken, for which the recovery waits.
    rto: Allowance { seconds: 60, intervals: 2 },
    rpo: ONE_BACKUP_LOST,
    expected: Expected::Limit {
        causes: &[Cause::LostAfterFault],
        limit: "what an empty service acknowledged is lost with it, though the right database came back: a service must \
                not start empty where there is something to restore (app --restore-first, backup restore --if-missing)",
        lifted_by_remote: false,
    },
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::SafetyCopy,
                Step::Moment(InjectAt::Midway),
                Step::Break(Fault::DestroyVolume),
                Step::Worsen(Fault::StartEmpty),
                Step::Notice(Sign::Failures),
                Step::Notice(Sign::Poison),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::Restore(Onto::Unwanted),
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

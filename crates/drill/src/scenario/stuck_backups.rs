//! Backups that stop: the objective is missed before any disaster, and nobody's service is down.

use super::{Cost, Expected, Runbook, Scenario, Allowance, seconds};
use crate::judge::Cause;
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stuck-backups",
    fault: "No restore point is taken any more",
    summary: [
        "Stuck backups: stops the schedule and waits until the newest restore point is older than the",
        "RPO. The objective is missed before any disaster, and the drill says so; fails by design.",
    ],
    cost: Cost::Protection,
    rto: seconds(60),
    rpo: Allowance { seconds: 0, intervals: 2 },
    expected: Expected::Limit {
        causes: &[Cause::Exposed],
        limit: "a backup that does not run is noticed by its age alone: watch backup_age_seconds of /status and raise the \
                alarm before it reaches the RPO",
        lifted_by_remote: false,
    },
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::Moment(InjectAt::Now),
                Step::Break(Fault::StopBackups),
                Step::Notice(Sign::Age),
                Step::Decide(NOBODY),
                Step::ResumeBackups,
                Step::ProtectedAgain,
                Step::CorrectAgain,
                Step::Reconcile,
            ],
        },
    ],
    allows_protector: false,
};

//! Human error: nothing is broken, and the data is gone all the same.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "human-error",
    fault: "Everything is deleted by mistake, under the running service",
    summary: [
        "Human error: a DELETE without WHERE, under the running service. The state of just before is",
        "restored into the live database; what was written since the mistake is kept.",
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
                Step::Break(Fault::DeleteRows),
                Step::Notice(Sign::Failures),
                Step::Decide("whoever made the mistake"),
                Step::Restore(Onto::Live),
                Step::BringBack,
                Step::CorrectAgain,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};

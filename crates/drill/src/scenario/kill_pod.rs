//! Availability: the service dies, its data does not.

use super::{Cost, Expected, Runbook, Scenario, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-pod",
    fault: "The service is killed in the middle of a write; nothing that it acknowledged may be missing",
    summary: [
        "Availability: kills the service in the middle of a write; the platform restarts it.",
        "Nothing that was acknowledged may be missing. No restore is needed.",
    ],
    cost: Cost::Nothing,
    rto: seconds(60),
    rpo: seconds(0),
    expected: Expected::Pass,
    runbooks: &[
        Runbook {
            recovery: Recovery::Automatic,
            steps: &[
                Step::SteadyState,
                Step::Moment(InjectAt::Now),
                Step::Volley(8),
                Step::Break(Fault::KillService),
                Step::Notice(Sign::Platform),
                Step::Ready,
                Step::CorrectAgain,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: true,
};

//! The other volume: no data is lost, only what protects it.

use super::{Cost, Expected, Runbook, Scenario, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "kill-backup-volume",
    fault: "The volume with the restore points is destroyed",
    summary: [
        "Lost protection: destroys the volume with the restore points. Nothing is lost, but until the",
        "next backup works, a second fault would cost everything; that time is measured.",
    ],
    cost: Cost::Nothing,
    rto: seconds(60),
    rpo: seconds(0),
    expected: Expected::Pass,
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::Moment(InjectAt::Now),
                Step::Break(Fault::DestroyRepository),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::Undo(Fault::DestroyRepository),
                Step::ProtectedAgain,
                Step::CorrectAgain,
                Step::Reconcile,
            ],
        },
    ],
    allows_protector: false,
};

//! A full disk: nothing can be written, and nothing may be lost for that.

use super::{Cost, Expected, Runbook, Scenario, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "full-disk",
    fault: "The volume with the database is full",
    summary: [
        "A full disk: fills the volume with the database. The service must refuse writes, go on",
        "answering reads, lose nothing, and recover by itself once there is space again.",
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
                Step::Break(Fault::FillVolume),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::Undo(Fault::FillVolume),
                Step::CorrectAgain,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};

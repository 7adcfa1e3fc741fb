//! A node is lost, as by a power cut, and the volume with it.

use super::{Cost, Expected, Runbook, Scenario, seconds};
use crate::judge::Cause;
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stop-node",
    fault: "The node of the service is stopped",
    summary: [
        "A dead node: stops the node of the service by a command of yours. The cluster notices late, and",
        "a volume that lives on that node cannot follow; fails by design, and names the cause.",
    ],
    cost: Cost::Nothing,
    rto: seconds(60),
    rpo: seconds(0),
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "the volume is on the node that was stopped, and the service cannot start without it: what must survive a \
                node needs storage that is not tied to one",
        lifted_by_remote: false,
    },
    runbooks: &[
        Runbook {
            recovery: Recovery::Automatic,
            steps: &[
                Step::SteadyState,
                Step::Moment(InjectAt::Now),
                Step::Break(Fault::StopNode),
                Step::Notice(Sign::Failures),
                Step::Ready,
                Step::CorrectAgain,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};

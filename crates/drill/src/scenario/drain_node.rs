//! A node is taken out of service, and the volume cannot follow.

use super::{Cost, Expected, Runbook, Scenario, seconds};
use crate::judge::Cause;
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "drain-node",
    fault: "The node of the service is drained",
    summary: [
        "A lost node: drains the node of the service. A volume that lives on one node pins the service",
        "to it, so that it does not come back elsewhere; fails by design, and names the cause.",
    ],
    cost: Cost::Nothing,
    rto: seconds(60),
    rpo: seconds(0),
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "the volume is on the node that was drained, and the service cannot start without it: what must survive \
                a node needs storage that is not tied to one",
        lifted_by_remote: false,
    },
    runbooks: &[
        Runbook {
            recovery: Recovery::Automatic,
            steps: &[
                Step::SteadyState,
                Step::Moment(InjectAt::Now),
                Step::Break(Fault::DrainNode),
                Step::Notice(Sign::Platform),
                Step::Ready,
                Step::CorrectAgain,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};

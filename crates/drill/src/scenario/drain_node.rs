//! A node is taken out of service, and the volume cannot follow.

use super::{About, Expected, Recovery, Step};
use crate::judge::Cause;
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "A lost node: drains the node of the service. A volume that lives on one node pins the service",
        "to it, so that it does not come back elsewhere; fails by design, and names the cause.",
    ],
    steps: &[
        Step::Break(Fault::DrainNode),
        Step::Then("wait until the platform has brought the service back on another node, if it can"),
        Step::Then("give the node back"),
    ],
    may_lose: false,
    backups_on_trial: false,
    recovery: Recovery::Automatic,
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "the volume is on the node that was drained, and the service cannot start without it: what must survive \
                a node needs storage that is not tied to one",
    },
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.inject(Fault::DrainNode).await?;
    run.noticed_by_the_platform();
    run.ready().await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

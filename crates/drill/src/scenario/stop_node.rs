//! A node is lost, as by a power cut, and the volume with it.

use super::{About, Expected, Recovery, Step};
use crate::judge::Cause;
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "A dead node: stops the node of the service by a command of yours. The cluster notices late, and",
        "a volume that lives on that node cannot follow; fails by design, and names the cause.",
    ],
    steps: &[
        Step::Break(Fault::StopNode),
        Step::Then(
            "wait until clients see the outage, and the platform has brought the service back elsewhere, if it can",
        ),
        Step::Then("start the node again"),
    ],
    may_lose: false,
    backups_on_trial: false,
    recovery: Recovery::Automatic,
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "the volume is on the node that was stopped, and the service cannot start without it: what must survive a \
                node needs storage that is not tied to one",
    },
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.inject(Fault::StopNode).await?;
    run.detected().await;
    run.ready().await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

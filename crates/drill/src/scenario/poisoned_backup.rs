//! Poison: a service that came up empty is backed up too, and its restore points are the newest.

use super::{About, Expected, Recovery, Step};
use crate::judge::Cause;
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Poison: destroys the volume and starts the service empty while backups go on. The recovery",
        "must choose a restore point of the lost database, not the newest; fails by design.",
    ],
    steps: &[
        Step::Break(Fault::DestroyVolume),
        Step::Break(Fault::StartEmpty),
        Step::Then("wait until the empty database has been backed up"),
        Step::Then("stop the service and the backups"),
        Step::Then("restore the newest good restore point of the lost database, not of the empty one"),
        Step::Then("start the service, and once it is correct, the backups"),
    ],
    may_lose: true,
    backups_on_trial: false,
    recovery: Recovery::Runbook,
    expected: Expected::Limit {
        causes: &[Cause::LostAfterFault],
        limit: "what an empty service acknowledged is lost with it, though the right database came back: a service must \
                not start empty where there is something to restore (app --restore-first, backup restore --if-missing)",
    },
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.safety_copy().await?;
    run.until_the_moment(Some(InjectAt::Midway)).await?;
    run.inject(Fault::DestroyVolume).await?;
    run.make_worse(Fault::StartEmpty).await?;
    run.detected().await;
    run.poisoned().await?;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.restore(Manner::Replace).await?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

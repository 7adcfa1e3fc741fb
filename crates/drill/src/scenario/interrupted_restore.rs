//! A recovery that is interrupted: the restore is killed half-way, and run again.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "An interrupted recovery: destroys the volume, kills the restore while it writes, runs it",
        "again. Half a restore must not be served, nor stand in the way of a whole one.",
    ],
    steps: &[
        Step::Break(Fault::DestroyVolume),
        Step::Then("wait until clients see the outage, then stop the service and the backups"),
        Step::Then("create an empty volume and begin to restore"),
        Step::Break(Fault::KillRestore),
        Step::Then("restore again"),
        Step::Then("start the service, and once it is correct, the backups"),
    ],
    may_lose: true,
    backups_on_trial: false,
    recovery: Recovery::Runbook,
    expected: Expected::Pass,
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.safety_copy().await?;
    run.until_the_moment(Some(InjectAt::Midway)).await?;
    run.inject(Fault::DestroyVolume).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    run.make_worse(Fault::KillRestore).await?;
    run.restore(Manner::Missing).await?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

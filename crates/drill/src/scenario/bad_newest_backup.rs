//! A backup that cannot be trusted: the newest restore point is damaged, and nobody knows until it is needed.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "A bad backup: damages the newest restore point, then destroys the volume. The restore must",
        "notice, fall back to the one before, and say so; the loss grows by a backup interval.",
    ],
    steps: &[
        Step::Break(Fault::DamageNewestRestorePoint),
        Step::Break(Fault::DestroyVolume),
        Step::Then("wait until clients see the outage, then stop the service and the backups"),
        Step::Then("create an empty volume and restore the newest good restore point: the one before"),
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
    run.make_worse(Fault::DamageNewestRestorePoint).await?;
    run.inject(Fault::DestroyVolume).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    run.restore(Manner::Missing).await?;
    run.damage_was_passed_over()?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

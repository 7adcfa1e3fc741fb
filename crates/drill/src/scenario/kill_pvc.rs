//! Disaster recovery: the volume is lost, a restore point is all there is.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Disaster recovery: destroys the volume while clients write; restores the newest good",
        "restore point. What came after it is lost, and measured.",
    ],
    steps: &[
        Step::Break(Fault::DestroyVolume),
        Step::Then("wait until clients see the outage, then stop the service and the backups"),
        Step::Then("create an empty volume and restore the newest good restore point to it"),
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
    if run.settings().writers.is_some() {
        run.writes_without_a_pause().await?;
    }
    run.inject(Fault::DestroyVolume).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    if run.settings().recovery == Recovery::Automatic {
        run.start_service().await?;
        run.restored_by_itself().await?;
    } else {
        // Before the service starts: one that comes up empty would answer, and be backed up.
        run.restore(Manner::Missing).await?;
        run.start_service().await?;
    }
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

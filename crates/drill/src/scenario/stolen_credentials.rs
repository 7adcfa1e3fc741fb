//! A thief who has the credentials by which restore points leave the machine, and then the volumes are gone.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Stolen credentials: with those of the service everything in the remote is overwritten, deleted,",
        "forged; then both volumes are destroyed. What was locked before must come back (--remote s3://).",
    ],
    steps: &[
        Step::Break(Fault::StealCredentials),
        Step::Break(Fault::DestroyBothVolumes),
        Step::Then("wait until clients see the outage, then stop the service and the backups"),
        Step::Then("create empty volumes and fetch the restore points as of the last time before the theft"),
        Step::Then("restore the newest good restore point"),
        Step::Then("start the service, and once it is correct, the backups, under another prefix"),
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
    run.make_worse(Fault::StealCredentials).await?;
    run.inject(Fault::DestroyBothVolumes).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    run.relieve(Fault::DestroyRepository).await?;
    run.fetch().await?;
    run.restore(Manner::Missing).await?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

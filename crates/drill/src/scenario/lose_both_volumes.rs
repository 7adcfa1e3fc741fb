//! The disaster that takes the volume and the restore points with it.

use super::{About, Expected, Recovery, Step};
use crate::judge::Cause;
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Everything at once: destroys both volumes. Fails by design where restore points are kept",
        "beside the data; with --remote they are fetched from there, and it must pass.",
    ],
    steps: &[
        Step::Break(Fault::DestroyBothVolumes),
        Step::Then("wait until clients see the outage, then stop the service and the backups"),
        Step::Then("create empty volumes; with --remote, fetch the restore points"),
        Step::Then("restore the newest good restore point, if there is one"),
        Step::Then("start the service, and once it is correct, the backups"),
    ],
    may_lose: true,
    backups_on_trial: false,
    recovery: Recovery::Runbook,
    expected: Expected::Limit {
        causes: &[Cause::NotRecovered],
        limit: "restore points beside the data are lost with it, and no other copy is configured: keep them on another \
                machine (backup push --remote), and drill that with --remote URL",
    },
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.safety_copy().await?;
    run.until_the_moment(Some(InjectAt::Midway)).await?;
    run.inject(Fault::DestroyBothVolumes).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    run.relieve(Fault::DestroyRepository).await?;
    if run.settings().has_remote {
        run.fetch().await?;
    }
    run.restore(Manner::Missing).await?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

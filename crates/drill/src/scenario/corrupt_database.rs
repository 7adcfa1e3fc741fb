//! Corruption: the file is there, its bytes are not. The service or the backups must notice.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Corruption: overwrites the database under the running service, which must notice and",
        "acknowledge nothing more; the newest good restore point takes the place of the damage.",
    ],
    steps: &[
        Step::Break(Fault::OverwriteDatabase),
        Step::Then("wait until clients see it, or a backup refuses to copy damage"),
        Step::Then("stop the service and the backups"),
        Step::Then("restore the newest good restore point in the place of the damaged file, which is kept"),
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
    run.inject(Fault::OverwriteDatabase).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.restore(Manner::Replace).await?;
    run.start_service().await?;
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

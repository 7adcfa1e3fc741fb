//! The other volume: no data is lost, only what protects it.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Lost protection: destroys the volume with the restore points. Nothing is lost, but until the",
        "next backup works, a second fault would cost everything; that time is measured.",
    ],
    steps: &[
        Step::Break(Fault::DestroyRepository),
        Step::Then("wait until a backup fails"),
        Step::Then("create an empty volume for restore points"),
    ],
    may_lose: false,
    backups_on_trial: false,
    recovery: Recovery::Runbook,
    expected: Expected::Pass,
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.inject(Fault::DestroyRepository).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.relieve(Fault::DestroyRepository).await?;
    run.protected_again().await?;
    run.correct_again().await?;
    run.reconcile().await
}

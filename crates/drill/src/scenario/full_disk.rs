//! A full disk: nothing can be written, and nothing may be lost for that.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "A full disk: fills the volume with the database. The service must refuse writes, go on",
        "answering reads, lose nothing, and recover by itself once there is space again.",
    ],
    steps: &[
        Step::Break(Fault::FillVolume),
        Step::Then("wait until clients see that writes are refused"),
        Step::Then("make space; touch nothing else"),
    ],
    may_lose: false,
    backups_on_trial: false,
    recovery: Recovery::Runbook,
    expected: Expected::Pass,
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.inject(Fault::FillVolume).await?;
    run.detected().await;
    run.decide("the drill, without a person to ask");
    run.relieve(Fault::FillVolume).await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

//! Human error: nothing is broken, and the data is gone all the same.

use super::{About, Expected, Recovery, Step};
use crate::event::Event;
use crate::platform::{Fault, Manner, Platform};
use crate::run::{InjectAt, Run};
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Human error: a DELETE without WHERE, under the running service. The state of just before is",
        "restored into the live database; what was written since the mistake is kept.",
    ],
    steps: &[
        Step::Break(Fault::DeleteRows),
        Step::Then("wait until readers miss what they know"),
        Step::Then("restore the newest good restore point of before the mistake into the database in use"),
        Step::Then("put back what was written since the mistake, from the safety copy that the restore made"),
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
    run.inject(Fault::DeleteRows).await?;
    run.detected().await;
    run.decide("whoever made the mistake");
    let before = run.utc_of(Event::D0)?;
    run.restore(Manner::IntoLive { at: before }).await?;
    run.bring_back().await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

//! Availability: the service dies, its data does not.

use super::{About, Expected, Recovery, Step};
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Availability: kills the service in the middle of a write; the platform restarts it.",
        "Nothing that was acknowledged may be missing. No restore is needed.",
    ],
    steps: &[Step::Break(Fault::KillService), Step::Then("wait until the platform has brought it back")],
    may_lose: false,
    backups_on_trial: false,
    recovery: Recovery::Automatic,
    expected: Expected::Pass,
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.writes_without_a_pause().await?;
    run.inject(Fault::KillService).await?;
    run.noticed_by_the_platform();
    run.ready().await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

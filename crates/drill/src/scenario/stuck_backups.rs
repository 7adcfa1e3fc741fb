//! Backups that stop: the objective is missed before any disaster, and nobody's service is down.

use super::{About, Expected, Recovery, Step};
use crate::judge::Cause;
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub const ABOUT: About = About {
    summary: [
        "Stuck backups: stops the schedule and waits until the newest restore point is older than the",
        "RPO. The objective is missed before any disaster, and the drill says so; fails by design.",
    ],
    steps: &[
        Step::Break(Fault::StopBackups),
        Step::Then("wait until the newest restore point is older than the RPO"),
        Step::Then("resume the backups"),
    ],
    may_lose: false,
    backups_on_trial: true,
    recovery: Recovery::Runbook,
    expected: Expected::Limit {
        causes: &[Cause::Exposed],
        limit: "a backup that does not run is noticed by its age alone: watch backup_age_seconds of /status and raise the \
                alarm before it reaches the RPO",
    },
};

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.until_the_moment(None).await?;
    run.inject(Fault::StopBackups).await?;
    run.exposed().await?;
    run.decide("the drill, without a person to ask");
    run.resume_backups().await?;
    run.protected_again().await?;
    run.correct_again().await?;
    run.reconcile().await
}

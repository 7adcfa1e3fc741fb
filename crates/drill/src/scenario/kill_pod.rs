//! Availability: the service dies, its data does not.

use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.writes_without_a_pause().await?;
    run.inject(Fault::KillService).await?;
    run.noticed_by_the_platform();
    run.ready().await?;
    run.correct_again().await?;
    run.reconcile().await?;
    run.protected_again().await
}

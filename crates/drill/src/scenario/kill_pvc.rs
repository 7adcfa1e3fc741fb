//! Disaster recovery: the volume is lost, a restore point is all there is.

use super::Recovery;
use crate::platform::{Fault, Platform};
use crate::run::Run;
use crate::stop::Stop;

pub async fn run<P: Platform>(run: &mut Run<P>) -> Result<(), Stop> {
    run.steady_state().await?;
    run.midway().await;
    run.inject(Fault::DestroyVolume).await?;
    run.detected_by_clients().await;
    run.decide("the drill, without a person to ask");
    run.quiesce().await?;
    run.replace_volume().await?;
    if run.settings().recovery == Recovery::Automatic {
        run.start_service().await?;
        run.restored_by_itself().await?;
    } else {
        // Before the service starts: one that comes up empty would answer, and be backed up.
        run.restore().await?;
        run.start_service().await?;
    }
    run.correct_again().await?;
    run.resume_backups().await?;
    run.reconcile().await?;
    run.protected_again().await
}

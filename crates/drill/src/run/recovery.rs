//! The steps of a recovery.

use anyhow::Context as _;
use backup::Restored;

use super::Run;
use crate::event::Event;
use crate::judge::{Outage, RUN_LENGTH};
use crate::platform::Platform;
use crate::probe::Floor;
use crate::record::Record;
use crate::stop::Stop;

impl<P: Platform> Run<P> {
    /// Decides to recover.
    pub fn decide(&mut self, by: &str) {
        self.happened(Event::B, by);
    }

    /// Stops service and backups.
    pub async fn quiesce(&mut self) -> Result<(), Stop> {
        self.step("stop the service and the backups")?;
        self.platform.quiesce().await?;
        self.happened(Event::R0, "");
        Ok(())
    }

    /// Puts a new volume in the place of the lost one.
    pub async fn replace_volume(&mut self) -> Result<(), Stop> {
        self.step("create a new volume")?;
        // How much of what was acknowledged comes back is known once the restore point is; the sentinel must.
        self.traffic()?.expected.set_floor(Floor::AtLeast(1));
        self.platform.replace_volume().await?;
        self.happened(Event::R1, "");
        Ok(())
    }

    /// Restores the newest good restore point of the database that was lost.
    pub async fn restore(&mut self) -> Result<(), Stop> {
        let lineage = self.lineage()?;
        self.step("restore")?;
        self.happened(Event::R2, "");
        let restored = self.platform.restore(&lineage).await.map_err(not_recovered)?;
        self.happened(Event::R3, restored.restore_point.name.to_string());
        self.accept(restored)
    }

    /// Asks what the platform restored before it started the service.
    pub async fn restored_by_itself(&mut self) -> Result<(), Stop> {
        let restored = self.platform.restored_by_itself().await.map_err(not_recovered)?;
        self.accept(restored.context("this platform restores nothing by itself")?)
    }

    /// From now on, the service must have what that restore point held.
    fn accept(&mut self, restored: Restored) -> Result<(), Stop> {
        for rejected in &restored.rejected {
            self.progress.line(&format!("passed over {}: {}", rejected.name, rejected.reason));
        }
        let began = self.clock().moment(restored.restore_point.current_at());
        let least = self.recorder.look(|record| record.acknowledged_before(began));
        self.traffic()?.expected.set_floor(Floor::AtLeast(least));
        self.restored = Some(restored);
        Ok(())
    }

    /// Starts the service and waits until the platform calls it ready.
    pub async fn start_service(&mut self) -> Result<(), Stop> {
        self.step("start the service")?;
        self.platform.start_service().await.map_err(not_recovered)?;
        self.ready().await
    }

    /// Waits until the platform calls the service ready.
    pub async fn ready(&mut self) -> Result<(), Stop> {
        self.progress.waiting("waiting for the platform to call the service ready");
        let by = self.platform.ready().await.map_err(not_recovered)?;
        self.happened(Event::S1, by);
        self.end_volley();
        Ok(())
    }

    /// Waits until clients get right answers again.
    pub async fn correct_again(&mut self) -> Result<(), Stop> {
        self.progress.waiting(format!("waiting for {RUN_LENGTH} correct reads and acknowledged writes in a row"));
        let (requested, effective) = self.fault_moments()?;
        let correct = |record: &Record| Outage::of(record, requested, effective, RUN_LENGTH).correct;
        match self.recorder.wait_for(self.settings.give_up, correct).await {
            Some(_) => Ok(()),
            None => Err(Stop::NotRecovered(format!(
                "not correct again within {} s: {}",
                self.settings.give_up.as_secs_f64(),
                self.last_seen()
            ))),
        }
    }

    /// Resumes the backups.
    pub async fn resume_backups(&mut self) -> Result<(), Stop> {
        self.step("resume the backups")?;
        Ok(self.platform.resume_backups().await?)
    }
}

/// A step of the recovery itself that fails is the system's failure, not the drill's.
fn not_recovered(error: anyhow::Error) -> Stop {
    Stop::NotRecovered(format!("not recovered: {error:#}"))
}

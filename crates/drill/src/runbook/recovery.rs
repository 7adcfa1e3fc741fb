//! The steps of a recovery.

use anyhow::Context as _;
use backup::Restored;
use jiff::Timestamp;

use super::{Drill, Protect};
use crate::judge::{Outage, RUN_LENGTH};
use crate::platform::{Fault, Manner, Platform};
use crate::witness::Stop;
use crate::witness::event::Event;
use crate::witness::probe::Floor;
use crate::witness::record::Record;

impl<P: Platform> Drill<P> {
    /// Stops service and backups.
    pub(crate) async fn quiesce(&mut self) -> Result<(), Stop> {
        self.platform.quiesce().await?;
        self.happened(Event::R0, "");
        Ok(())
    }

    /// Puts a new volume in the place of the lost one.
    pub(crate) async fn replace_volume(&mut self) -> Result<(), Stop> {
        // How much of what was acknowledged comes back is known once the restore point is; the sentinel must.
        self.traffic()?.expected.set_floor(Floor::AtLeast(1));
        self.platform.replace_volume().await?;
        self.happened(Event::R1, "");
        Ok(())
    }

    /// Restores the newest good restore point of the database that was lost.
    pub(crate) async fn restore(&mut self, manner: Manner) -> Result<(), Stop> {
        let lineage = self.lineage()?;
        self.traffic()?.expected.set_floor(Floor::AtLeast(1));
        self.happened(Event::R2, "");
        let Some(restored) = self.platform.restore(&lineage, manner).await.map_err(not_recovered)? else {
            self.happened(Event::R3, "by another program, which does not say what it restored");
            self.copy_restored = self.tried.clone();
            return Ok(());
        };
        self.happened(Event::R3, restored.restore_point.name.to_string());
        self.accept(restored)
    }

    /// Undoes a fault that can be undone: gives the space back, the node, or a volume for restore points.
    pub(crate) async fn relieve(&mut self, fault: Fault) -> Result<(), Stop> {
        let done = self.platform.relieve(fault).await.map_err(not_recovered)?;
        self.happened(Event::R1, done);
        Ok(())
    }

    /// Gets the restore points from where they are kept too.
    pub(crate) async fn fetch(&mut self) -> Result<(), Stop> {
        if !self.settings.has_remote {
            return Ok(());
        }
        let done = self.platform.fetch().await.map_err(not_recovered)?;
        self.progress.line(&done);
        Ok(())
    }

    /// Puts back what was written between a mistake and the restore that undid it.
    pub(crate) async fn bring_back(&mut self) -> Result<(), Stop> {
        let copy = self.restored.as_ref().and_then(|restored| restored.safety_copy.clone());
        let copy = copy.context("the restore left no safety copy")?;
        let done = self.platform.bring_back(&copy).await.map_err(not_recovered)?;
        self.happened(Event::R4, done);
        Ok(())
    }

    /// Makes sure that a damaged restore point was met by the restore, and not taken for a good one.
    pub(crate) fn damage_was_passed_over(&self) -> Result<(), Stop> {
        let (restored, damaged) = (self.restored.as_ref(), self.timeline.at(Event::D2));
        let (restored, damaged) = restored.zip(damaged).context("nothing was damaged, or nothing restored")?;
        let name = &restored.restore_point.name;
        if !restored.rejected.is_empty() {
            Ok(())
        } else if self.clock().moment(restored.restore_point.verified_at) < damaged {
            Err(Stop::NotRecovered(format!("{name} was restored, although it had been damaged")))
        } else {
            Err(Stop::Inconclusive(format!("{name} came after the damage, which was therefore not met")))
        }
    }

    /// Asks what the platform restored before it started the service.
    pub(crate) async fn restored_by_itself(&mut self) -> Result<(), Stop> {
        let restored = self.platform.restored_by_itself().await.map_err(not_recovered)?;
        self.accept(restored.context("this platform restores nothing by itself")?)
    }

    /// From now on, the service must have what that restore point held.
    fn accept(&mut self, restored: Restored) -> Result<(), Stop> {
        for rejected in &restored.rejected {
            self.progress.line(&format!("passed over {}: {}", rejected.name, rejected.reason));
        }
        let began = self.clock().moment(restored.restore_point.current_at(Timestamp::now()));
        // With a journal, all that was acknowledged before the fault.
        let journaled = self.timeline.at(Event::D0).filter(|_| self.settings.protect == Protect::Sync);
        let least = self.recorder.look(|record| record.acknowledged_before(journaled.unwrap_or(began)));
        self.traffic()?.expected.set_floor(Floor::AtLeast(least));
        self.restored = Some(restored);
        Ok(())
    }

    /// Starts the service and waits until the platform calls it ready.
    pub(crate) async fn start_service(&mut self) -> Result<(), Stop> {
        self.platform.start_service().await.map_err(not_recovered)?;
        self.ready().await
    }

    /// Waits until the platform calls the service ready.
    pub(crate) async fn ready(&mut self) -> Result<(), Stop> {
        self.progress.waiting("waiting for the platform to call the service ready");
        let by = self.platform.ready().await.map_err(not_recovered)?;
        self.happened(Event::S1, by);
        self.end_volley();
        Ok(())
    }

    /// Waits until clients get right answers again.
    pub(crate) async fn correct_again(&mut self) -> Result<(), Stop> {
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
    pub(crate) async fn resume_backups(&mut self) -> Result<(), Stop> {
        Ok(self.platform.resume_backups().await?)
    }
}

/// A step of the recovery itself that fails is the system's failure, not the drill's.
fn not_recovered(error: anyhow::Error) -> Stop {
    Stop::NotRecovered(format!("not recovered: {error:#}"))
}

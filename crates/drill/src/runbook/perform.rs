//! Performs the steps of a runbook, each after it was written down.

use super::{Drill, Onto, Sign, Step};
use crate::platform::{Manner, Platform};
use crate::witness::Stop;
use crate::witness::event::Event;

impl<P: Platform> Drill<P> {
    /// Goes through a runbook until its end, or until a step says that there is no going on.
    pub(crate) async fn perform(&mut self, steps: &[Step]) -> Result<(), Stop> {
        for step in steps {
            if step.changes_something()
                && let Some(described) = step.described(&self.settings, |fault| self.platform.targets(fault))
            {
                self.intents.about_to(described)?;
            }
            self.take(*step).await?;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::SteadyState => self.steady_state().await?,
            Step::SafetyCopy => self.safety_copy().await?,
            Step::Moment(at) => self.until_the_moment(at).await?,
            Step::Volley(writers) => self.writes_without_a_pause(writers).await?,
            Step::Break(fault) => self.inject(fault).await?,
            Step::Worsen(fault) => self.make_worse(fault).await?,
            Step::Notice(Sign::Failures) => self.detected().await,
            Step::Notice(Sign::Platform) => self.happened(Event::A, "the platform saw the process end"),
            Step::Notice(Sign::Age) => self.exposed().await?,
            Step::Notice(Sign::Poison) => self.poisoned().await?,
            Step::Decide(by) => self.happened(Event::B, by),
            Step::StopAll => self.quiesce().await?,
            Step::NewVolume => self.replace_volume().await?,
            Step::Undo(fault) => self.relieve(fault).await?,
            Step::Fetch => self.fetch().await?,
            Step::Restore(Onto::EmptyVolume) => self.restore(Manner::Missing).await?,
            Step::Restore(Onto::Unwanted) => self.restore(Manner::Replace).await?,
            Step::Restore(Onto::Live) => self.restore(Manner::IntoLive { at: self.utc_of(Event::D0)? }).await?,
            Step::DamagePassedOver => self.damage_was_passed_over()?,
            Step::BringBack => self.bring_back().await?,
            Step::StartService => self.start_service().await?,
            Step::Ready => self.ready().await?,
            Step::RestoredByItself => self.restored_by_itself().await?,
            Step::CorrectAgain => self.correct_again().await?,
            Step::ResumeBackups => self.resume_backups().await?,
            Step::Reconcile => self.reconcile().await?,
            Step::ProtectedAgain => self.protected_again().await?,
        }
        Ok(())
    }
}

//! The fault, and how it is noticed.

use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::Run;
use crate::event::Event;
use crate::judge::{DETECTION_FAILURES, Outage, RUN_LENGTH, failures_in_a_row};
use crate::platform::{Fault, Platform};
use crate::record::Record;
use crate::stop::Stop;

/// How long clients may take to see the outage. After that the runbook goes on without them: the fault is known.
const DETECTION_LIMIT: Duration = Duration::from_secs(10);

/// Writers that write without a pause where a fault must strike in the middle of a write.
const VOLLEY_WRITERS: usize = 8;

impl<P: Platform> Run<P> {
    /// Makes sure that writes are under way at every moment from now until the fault.
    pub async fn writes_without_a_pause(&mut self) -> Result<(), Stop> {
        let before = self.recorder.look(|record| record.writes.len());
        let streams = self.traffic()?.streams.as_mut().context("the clients were stopped")?;
        streams.volley(VOLLEY_WRITERS);
        let engaged = |record: &Record| (record.writes.len() > before + 10 * VOLLEY_WRITERS).then_some(());
        let seen = self.recorder.wait_for(self.settings.patience, engaged).await;
        seen.ok_or_else(|| Stop::Inconclusive(format!("the writers came to a stand: {}", self.last_seen())))
    }

    /// Breaks one thing.
    pub async fn inject(&mut self, fault: Fault) -> Result<(), Stop> {
        let targets = self.platform.targets(fault);
        if targets.is_empty() {
            return Err(Stop::Preflight(anyhow!("the fault would hit nothing")));
        }
        self.still_steady()?;
        self.step(&format!("break: {}", targets.join(", ")))?;
        self.happened(Event::D0, format!("{fault:?}"));
        let evidence = self
            .platform
            .inject(fault)
            .await
            .map_err(|error| Stop::Inconclusive(format!("the fault did not take effect: {error:#}")))?;
        self.happened(Event::D1, evidence);
        Ok(())
    }

    /// An outage that began by itself would be taken for the fault's.
    fn still_steady(&self) -> Result<(), Stop> {
        let since =
            self.steady_since.ok_or_else(|| Stop::Inconclusive("steady state was not established".to_owned()))?;
        match self.recorder.look(|record| Outage::of(record, since, since, RUN_LENGTH).first_failure) {
            None => Ok(()),
            Some(at) => Err(Stop::Inconclusive(format!("steady state did not last: an operation failed at {at:.3?}"))),
        }
    }

    /// The platform watches the service itself and noticed the fault when it took effect.
    pub fn noticed_by_the_platform(&mut self) {
        self.happened(Event::A, "the platform saw the process end");
    }

    /// Waits until clients see the outage.
    pub async fn detected_by_clients(&mut self) {
        let Some(requested) = self.timeline.at(Event::D0) else { return };
        self.progress.waiting("waiting for clients to see the outage");
        let failing = |record: &Record| failures_in_a_row(record, requested, DETECTION_FAILURES).then_some(());
        let seen = self.recorder.wait_for(DETECTION_LIMIT, failing).await;
        let rule = match seen {
            Some(()) => format!("{DETECTION_FAILURES} operations in a row failed"),
            None => format!("no client noticed within {} s", DETECTION_LIMIT.as_secs()),
        };
        self.happened(Event::A, rule);
    }
}

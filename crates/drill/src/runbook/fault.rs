//! The fault, and how it is noticed.

use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::Drill;
use crate::judge::{DETECTION_FAILURES, failures_in_a_row, first_failure};
use crate::platform::{Fault, Platform};
use crate::witness::Stop;
use crate::witness::clock::Moment;
use crate::witness::event::{Event, seconds_between};
use crate::witness::record::{Protected, Record};

/// How long the outage may take to be seen, beside two intervals of the backups. After that the runbook goes on: the
/// fault is known.
const DETECTION_LIMIT: Duration = Duration::from_secs(10);

impl<P: Platform> Drill<P> {
    /// Makes sure that writes are under way at every moment from now until the fault.
    pub(super) async fn writes_without_a_pause(&mut self, of_scenario: usize) -> Result<(), Stop> {
        let writers = self.settings.writers.unwrap_or(of_scenario);
        if writers == 0 {
            return Ok(());
        }
        let before = self.recorder.look(|record| record.writes.len());
        let streams = self.traffic()?.streams.as_mut().context("the clients were stopped")?;
        streams.volley(writers);
        let engaged = |record: &Record| (record.writes.len() > before + 10 * writers).then_some(());
        let seen = self.recorder.wait_for(self.settings.patience, engaged).await;
        seen.ok_or_else(|| Stop::Inconclusive(format!("the writers stopped making progress: {}", self.last_seen())))
    }

    /// Breaks one thing.
    pub(crate) async fn inject(&mut self, fault: Fault) -> Result<(), Stop> {
        if self.platform.targets(fault).is_empty() {
            return Err(Stop::Preflight(anyhow!("the fault has no target")));
        }
        self.still_steady()?;
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
        match self.recorder.look(|record| first_failure(record, since)) {
            None => Ok(()),
            Some((at, seen)) => Err(Stop::Inconclusive(format!("steady state did not last: {seen}, at {at:.3?}"))),
        }
    }

    /// Breaks one thing more than the fault that is measured.
    pub(crate) async fn make_worse(&mut self, fault: Fault) -> Result<(), Stop> {
        let evidence = self
            .platform
            .inject(fault)
            .await
            .map_err(|error| Stop::Inconclusive(format!("the fault did not take effect: {error:#}")))?;
        self.happened(Event::D2, evidence);
        Ok(())
    }

    /// Waits until clients see the outage, or a backup fails.
    pub(crate) async fn detected(&mut self) {
        let Some(requested) = self.timeline.at(Event::D0) else { return };
        self.progress.waiting("waiting until the fault is noticed");
        let limit = DETECTION_LIMIT + self.settings.backup_every * 2;
        let noticed = |record: &Record| {
            let failing = failures_in_a_row(record, requested, DETECTION_FAILURES);
            let by_clients = failing.map(|what| format!("{DETECTION_FAILURES} {what} in a row failed"));
            by_clients.or_else(|| {
                let mut failed = record.failed_backups.iter().filter(|(at, _)| *at >= requested);
                failed.next().map(|(_, why)| format!("a backup failed: {why}"))
            })
        };
        let seen = self.recorder.wait_for(limit, noticed).await;
        let rule = seen.unwrap_or_else(|| format!("no failure was noticed within {} s", limit.as_secs_f64()));
        self.happened(Event::A, rule);
    }

    /// Waits until the newest restore point is older than the RPO, which is noticed by its age alone.
    pub(crate) async fn exposed(&mut self) -> Result<(), Stop> {
        let rpo = self.settings.rpo;
        self.progress.waiting("waiting until the newest restore point is older than the RPO");
        let newest = |record: &Record| record.restore_points.iter().map(|point| point.began).max();
        let (_, stopped) = self.fault_moments()?;
        let mut began = Moment::ZERO;
        // The last one from before may be noticed late.
        while let Some(newer) = self.recorder.look(newest).filter(|newer| *newer > began) {
            if newer > stopped {
                return Err(Stop::Inconclusive("a restore point came although the backups were stopped".to_owned()));
            }
            began = newer;
            // Judged is not this moment, but the age that the next restore point finds.
            tokio::time::sleep_until(self.clock().instant(began + rpo)).await;
        }
        let age = seconds_between(began, self.clock().now());
        self.happened(
            Event::A,
            format!("the newest restore point is {age:.1} s old, objective {} s", rpo.as_secs_f64()),
        );
        Ok(())
    }

    /// Waits until a restore point of another database than the lost one was published.
    pub(crate) async fn poisoned(&mut self) -> Result<(), Stop> {
        self.progress.waiting("waiting until the empty database is backed up");
        let lineage = self.lineage()?;
        let limit = self.platform.backup_interval() * 3 + self.settings.patience;
        let poison = |record: &Record| {
            let other = |point: &&Protected| point.manifest.lineage.as_ref() != Some(&lineage);
            record.restore_points.iter().find(other).map(|point| point.manifest.name.clone())
        };
        let found = self.recorder.wait_for(limit, poison).await;
        let name = found.ok_or_else(|| Stop::Inconclusive("the empty database was not backed up".to_owned()))?;
        self.progress.line(&format!("{name} is of the empty database, and the newest"));
        Ok(())
    }
}

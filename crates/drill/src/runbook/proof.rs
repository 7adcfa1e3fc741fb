//! After the recovery: what is there, whether it is protected again, and that nothing is left behind.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::Drill;
use crate::judge::{Outage, RUN_LENGTH};
use crate::platform::Platform;
use crate::witness::Stop;
use crate::witness::clock::Moment;
use crate::witness::event::Event;
use crate::witness::probe::{Client, Message};
use crate::witness::record::{Record, Write};

/// How soon a read that got no answer is sent again.
const AGAIN: Duration = Duration::from_millis(500);

impl<P: Platform> Drill<P> {
    /// Stops the clients and reads everything that is there. With every operation ended, the moments of the outage
    /// are final.
    pub(crate) async fn reconcile(&mut self) -> Result<(), Stop> {
        self.progress.waiting("reading every message");
        let traffic = self.traffic()?;
        let client = traffic.client.clone();
        if let Some(streams) = traffic.streams.take() {
            streams.stop().await?;
        }
        self.outage()?;
        let found = self.final_read(&client).await?;
        let count = found.len();
        self.found = Some(found);
        self.happened(Event::V, format!("{count} messages read"));
        Ok(())
    }

    /// Reads everything. A read changes nothing, so that one which got no answer is sent again; without any, there is no
    /// verdict.
    async fn final_read(&self, client: &Client) -> Result<Vec<Message>, Stop> {
        let deadline = Instant::now() + self.settings.patience;
        loop {
            match client.messages().await {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() >= deadline => {
                    return Err(Stop::Inconclusive(format!("no final read: {error:#}")));
                }
                Err(error) => self.progress.line(&format!("the final read is sent again: {error:#}")),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Waits for a verified restore point of this database taken after the recovery.
    pub(crate) async fn protected_again(&mut self) -> Result<(), Stop> {
        self.progress.waiting("waiting for a new verified restore point");
        let lineage = self.lineage()?;
        let since = self.timeline.at(Event::R3).or(self.timeline.at(Event::D1)).unwrap_or_default();
        let limit = self.platform.backup_interval() * 2 + self.settings.patience;
        if self.platform.protector().is_some() {
            return self.given_back_again(since, limit).await;
        }
        let fresh = |record: &Record| {
            let mut points = record.restore_points.iter();
            points.find(|point| point.began > since && point.manifest.lineage.as_ref() == Some(&lineage)).cloned()
        };
        match self.recorder.wait_for(limit, fresh).await {
            Some(point) => self.found(Event::X, point.published, point.manifest.name.to_string()),
            // The judge makes a failure of it.
            None => {
                let why = self.recorder.look(Record::last_obstacle).map_or(String::new(), |why| format!("; {why}"));
                self.progress.line(&format!("no new restore point within {} s{why}", limit.as_secs_f64()));
            }
        }
        Ok(())
    }

    /// The same where another program protects the database: it gives back what was written since.
    async fn given_back_again(&mut self, since: Moment, limit: Duration) -> Result<(), Stop> {
        let first = |record: &Record| {
            record.writes.iter().filter(|write| write.sent > since).filter_map(Write::acknowledged).min()
        };
        let id = self.recorder.look(first).context("nothing was written since the recovery")?;
        match self.gives_back(id, limit).await {
            Ok(()) => self.happened(Event::X, format!("message {id} can be restored")),
            // The judge makes a failure of it.
            Err(error) => self.progress.line(&format!("{error:#}")),
        }
        Ok(())
    }

    /// Leaves nothing behind and proves it.
    pub(crate) async fn clean_up(&mut self) -> anyhow::Result<()> {
        self.progress.waiting("cleaning up");
        // Dropping the streams ends them; an operation under way has no one to report to any more.
        self.traffic = None;
        let proven = self.platform.clean_up().await?;
        self.happened(Event::Z, proven);
        Ok(())
    }

    fn outage(&mut self) -> Result<(), Stop> {
        let (requested, effective) = self.fault_moments()?;
        let outage = self.recorder.look(|record| Outage::of(record, requested, effective, RUN_LENGTH));
        let moments =
            [(Event::F1, outage.first_failure), (Event::S2, outage.first_answer), (Event::S3, outage.correct)];
        let mut moments: Vec<(Event, Moment)> =
            moments.into_iter().filter_map(|(event, moment)| Some((event, moment?))).collect();
        moments.sort_by_key(|(_, moment)| *moment);
        for (event, moment) in moments {
            self.found(event, moment, "");
        }
        Ok(())
    }
}

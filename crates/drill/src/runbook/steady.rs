//! Before the fault: the system is brought up and shown to work.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use reqwest::Url;

use super::protector::holds;
use super::{Drill, Protect, Traffic};
use crate::judge::{RUN_LENGTH, steady_since};
use crate::platform::{Platform, Stage};
use crate::witness::Stop;
use crate::witness::event::Event;
use crate::witness::probe::{Client, Expected, Streams, Writer};
use crate::witness::record::Record;

impl<P: Platform> Drill<P> {
    /// Brings everything up and waits until it demonstrably works: reads correct, writes acknowledged, and
    /// verified restore points of this database that hold the sentinel.
    pub(crate) async fn steady_state(&mut self) -> Result<(), Stop> {
        self.platform.preflight().await.map_err(Stop::Preflight)?;
        let url = self.platform.start().await.map_err(Stop::Preflight)?;
        self.progress.line(&format!("the service answers at {url}"));
        let sentinel = self.start_clients(url).await.map_err(Stop::Preflight)?;

        self.progress.waiting("waiting for steady state: reads correct, writes acknowledged");
        let limit = self.settings.patience;
        let steady = self.recorder.wait_for(limit, |record| steady_since(record, RUN_LENGTH)).await;
        let steady = steady.ok_or_else(|| {
            Stop::Inconclusive(format!("no steady state within {} s: {}", limit.as_secs_f64(), self.last_seen()))
        })?;
        self.protected(sentinel).await.map_err(Stop::Preflight)?;
        self.note_placement(Stage::Before).await;
        self.happened(Event::E0, format!("{RUN_LENGTH} reads, writes in a row; backed up"));
        self.steady_since = Some(steady);
        Ok(())
    }

    /// Writes the sentinel, then starts the backups, so that every restore point holds it, and writer and reader.
    /// Gives the sentinel's id.
    async fn start_clients(&mut self, url: Url) -> anyhow::Result<i64> {
        let client = Client::new(url)?;
        let writer = Writer::new(client.clone(), self.recorder.clone(), self.name.clone());
        let sentinel = writer.write().await;
        let id = sentinel.acknowledged().with_context(|| format!("the sentinel was not stored: {sentinel:?}"))?;
        self.platform.resume_backups().await?;
        let service = client.status().await?;
        if let Some(why) = &service.backup_error {
            bail!("the service says that there will be no restore point: {why}");
        }
        ensure!(
            self.settings.protect == Protect::None || service.is_journaled(),
            "the service does not protect what it acknowledges, see /status; start it with --protect sync"
        );
        self.service = Some(service);
        self.platform.remember(&self.lineage()?)?;
        let expected = Arc::new(Expected::new(id, sentinel.token));
        let (recorder, rate) = (self.recorder.clone(), self.settings.rate);
        let streams = Streams::start(client.clone(), recorder, writer, expected.clone(), rate);
        self.traffic = Some(Traffic { client, expected, streams: Some(streams) });
        Ok(id)
    }

    /// Waits for verified restore points of this database that hold the sentinel.
    async fn protected(&mut self, sentinel: i64) -> anyhow::Result<()> {
        let limit = self.platform.backup_interval() * 3 + self.settings.patience;
        if self.platform.protector().is_some() {
            self.progress.waiting("waiting until the sentinel can be restored");
            self.gives_back(sentinel, limit).await?;
            return self.copied_again(limit).await;
        }
        let (wanted, lineage) = (self.platform.restore_points_wanted(), self.lineage()?);
        self.progress.waiting(format!("waiting for verified restore points that hold the sentinel: {wanted}"));
        let holding = |record: &Record| {
            let points = record.restore_points.iter().filter(|point| holds(&point.manifest, sentinel, &lineage));
            let is_held = points.count() >= wanted;
            // What one backup could not do, the next cannot either, or the system is not steady.
            let failed = record.failed_backups.last().map(|(_, why)| Err(anyhow!("a backup failed: {why}")));
            if is_held { Some(Ok(())) } else { failed }
        };
        self.recorder.wait_for(limit, holding).await.unwrap_or_else(|| {
            let why = self.recorder.look(Record::last_obstacle).map_or(String::new(), |why| format!("; {why}"));
            Err(anyhow!("fewer than {wanted} restore points with the sentinel within {} s{why}", limit.as_secs_f64()))
        })
    }

    /// Where copies have a beginning, waits for the next: the moment of the fault counts from a copy, as from a restore point.
    async fn copied_again(&self, limit: Duration) -> anyhow::Result<()> {
        let before = self.recorder.look(|record| record.copies.len());
        if before == 0 {
            return Ok(());
        }
        let another = |record: &Record| (record.copies.len() > before).then_some(());
        let seen = self.recorder.wait_for(limit, another).await;
        seen.with_context(|| format!("no other copy was made within {} s", limit.as_secs_f64()))
    }

    /// Keeps a verified copy of the database where the fault does not reach: whatever the drill does, nobody is worse off.
    pub(crate) async fn safety_copy(&mut self) -> Result<(), Stop> {
        self.progress.waiting("taking a safety copy");
        let copy = self.platform.safety_copy().await.map_err(Stop::Preflight)?;
        self.progress.line(&format!("safety copy: {copy}"));
        self.safety_copy = Some(copy);
        Ok(())
    }
}

//! Takes a restore point at regular intervals.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use backup::take::Taken;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::{Folder, Programs};
use crate::record::{Protected, Recorder};

/// A take that lasts longer has failed.
const TAKE_LIMIT: Duration = Duration::from_secs(600);

/// How long a take under way may go on once the schedule is to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running schedule. Dropping it kills a take that is under way.
pub struct Schedule {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Schedule {
    /// Takes a restore point now and then at each interval, and keeps it elsewhere too if told where. What comes of it goes
    /// to the record.
    pub fn start(
        calls: Programs,
        folder: Folder,
        remote: Option<String>,
        every: Duration,
        recorder: Arc<Recorder>,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            // As a CronJob that forbids overlap: a tick that is missed is skipped.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    biased;
                    () = told(&mut stopped) => return,
                    _ = ticks.tick() => {}
                }
                let mut taking = pin!(calls.back_up(&folder, remote.as_deref(), TAKE_LIMIT));
                let taken = tokio::select! {
                    taken = &mut taking => Some(taken),
                    () = told(&mut stopped) => None,
                };
                let taken = match taken {
                    Some(taken) => taken,
                    // A take that is killed leaves the repository as it was.
                    None => match tokio::time::timeout(STOP_LIMIT, taking).await {
                        Ok(taken) => taken,
                        Err(_) => return,
                    },
                };
                let published = recorder.clock.now();
                recorder.add(|record| match taken {
                    Ok(Taken { restore_point: manifest, .. }) => {
                        let began = recorder.clock.moment(manifest.current_at());
                        record.restore_points.push(Protected { manifest, began, published });
                    }
                    Err(error) => record.failed_backups.push((published, format!("{error:#}"))),
                });
            }
        });
        Self { stop, task }
    }

    /// Stops the schedule; a take under way may finish if it does so soon.
    pub async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.task.await.context("the backup schedule failed")
    }
}

/// Ends when the schedule is told to stop, or whoever could tell it is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

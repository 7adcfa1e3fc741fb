//! Does something at regular intervals: takes restore points, or has another program protect the database.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use backup::take::Taken;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::protector::Protector;
use super::{Folder, Programs};
use crate::witness::record::{Protected, Recorder};

/// A take that lasts longer has failed.
const TAKE_LIMIT: Duration = Duration::from_secs(600);

/// How long a take under way may go on once the schedule is to stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running schedule. Dropping it kills a take that is under way.
pub(crate) struct Schedule {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Schedule {
    /// Takes a restore point now and then at each interval, and keeps it elsewhere too if told where. What comes of it goes
    /// to the record.
    pub(crate) fn start(
        calls: Programs,
        folder: Folder,
        remote: Option<String>,
        every: Duration,
        recorder: Arc<Recorder>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let take = async move || {
            let taken = calls.back_up(&folder, remote.as_deref(), TAKE_LIMIT).await;
            let published = recorder.clock.now();
            recorder.add(|record| match taken {
                Ok((Taken { restore_point: manifest, .. }, pushed)) => {
                    let began = recorder.clock.moment(manifest.current_at(Timestamp::now()));
                    if let Some(pushed) = pushed {
                        record.elsewhere.insert(manifest.sequence);
                        record.remote_head = pushed.head();
                    }
                    record.restore_points.push(Protected { manifest, began, published });
                }
                Err(error) => record.failed_backups.push((published, format!("{error:#}"))),
            });
        };
        Self { stop, task: tokio::spawn(repeat(take, every, STOP_LIMIT, stopped)) }
    }

    /// Has another program protect the database, now and then at each interval; one that runs all the time is started
    /// again if it ended.
    pub(crate) fn hand_over(protector: Protector, folder: Folder, every: Duration, recorder: Arc<Recorder>) -> Self {
        let (stop, stopped) = watch::channel(false);
        // Nobody waits for the end of what has none.
        let grace = if protector.is_periodic() { STOP_LIMIT } else { Duration::ZERO };
        let protect = async move || protector.protect(&folder, TAKE_LIMIT, &recorder).await;
        Self { stop, task: tokio::spawn(repeat(protect, every, grace, stopped)) }
    }

    /// Stops the schedule; a take under way may finish if it does so soon.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        self.task.await.context("the backup schedule failed")
    }
}

/// Does a job now and then at each interval, until it is told to stop; one that is under way then may take `grace`.
async fn repeat(job: impl AsyncFn(), every: Duration, grace: Duration, mut stopped: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(every);
    // As a CronJob that forbids overlap: a tick that is missed is skipped.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = told(&mut stopped) => return,
            _ = ticks.tick() => {}
        }
        let mut working = pin!(job());
        let done = tokio::select! {
            () = &mut working => true,
            () = told(&mut stopped) => false,
        };
        // A take that is killed leaves the repository as it was.
        if !done && tokio::time::timeout(grace, working).await.is_err() {
            return;
        }
    }
}

/// Ends when the schedule is told to stop, or whoever could tell it is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

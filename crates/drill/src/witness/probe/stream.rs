//! Streams of probes, from before the fault until after the recovery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{Client, Expected, Writer, reader};
use crate::witness::record::Recorder;

/// The running streams. Dropping them aborts what is under way, which then is missing from the ledger: only for a
/// drill that is given up.
pub(crate) struct Streams {
    stop: watch::Sender<bool>,
    stop_volley: watch::Sender<bool>,
    writer: Writer,
    tasks: JoinSet<()>,
}

impl Streams {
    /// Starts a writer and a reader, each at `rate` operations a second, half an interval apart.
    ///
    /// Each operation runs by itself, so that one that hangs does not hold back the next: an outage is seen with
    /// the resolution of the rate, not of the time-out.
    pub(crate) fn start(
        client: Client,
        recorder: Arc<Recorder>,
        writer: Writer,
        expected: Arc<Expected>,
        rate: u32,
    ) -> Self {
        let interval = Duration::from_secs(1) / rate;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let write = {
            let writer = writer.clone();
            move || {
                let writer = writer.clone();
                async move { drop(writer.write().await) }
            }
        };
        let read = move || reader::read(client.clone(), recorder.clone(), expected.clone());
        tasks.spawn(stream(interval, Duration::ZERO, stopped.clone(), write));
        tasks.spawn(stream(interval, interval / 2, stopped, read));
        Self { stop, stop_volley: watch::Sender::new(false), writer, tasks }
    }

    /// Adds `writers` that write without a pause, each until its first write that is not acknowledged: whatever
    /// breaks next, it breaks in the middle of a write.
    pub(crate) fn volley(&mut self, writers: usize) {
        for _ in 0..writers {
            let (writer, stopped) = (self.writer.clone(), self.stop_volley.subscribe());
            self.tasks.spawn(async move {
                while !*stopped.borrow() {
                    if writer.write().await.acknowledged().is_none() {
                        return;
                    }
                }
            });
        }
    }

    /// Ends the writers that write without a pause.
    pub(crate) fn end_volley(&self) {
        self.stop_volley.send_replace(true);
    }

    /// Stops all streams and waits until every operation under way has its outcome.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.end_volley();
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}

async fn stream<O, F>(interval: Duration, offset: Duration, mut stopped: watch::Receiver<bool>, operation: O)
where
    O: Fn() -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + offset, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            // An error means that whoever could stop the stream is gone.
            _ = stopped.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {}
        }
        under_way.spawn(operation());
        while under_way.try_join_next().is_some() {}
    }
    // Each operation has a time-out of its own.
    under_way.join_all().await;
}

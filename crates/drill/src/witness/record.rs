//! What was seen during a drill: every write tried (the ledger), every read, every restore point.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backup::Manifest;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use crate::witness::clock::{Clock, Moment, Offset};

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The service said it is stored, under this id.
    Acknowledged {
        /// The id the service gave it.
        id: i64,
    },
    /// It was certainly not stored: never sent, or turned down.
    Refused {
        /// What the service or the network said.
        reason: String,
    },
    /// It may or may not have been stored.
    Indeterminate {
        /// What went wrong.
        reason: String,
    },
}

/// One write, tried once.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Its number in the run; 0 is the sentinel.
    pub seq: u64,
    /// The message that was sent.
    pub token: String,
    pub sent: Moment,
    /// When its outcome was known.
    pub done: Moment,
    pub outcome: Outcome,
}

impl Write {
    /// The id under which it was acknowledged, if it was.
    pub(crate) fn acknowledged(&self) -> Option<i64> {
        match self.outcome {
            Outcome::Acknowledged { id } => Some(id),
            Outcome::Refused { .. } | Outcome::Indeterminate { .. } => None,
        }
    }
}

/// What a read showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "seen", content = "what", rename_all = "lowercase")]
pub(crate) enum Seen {
    /// The sentinel and at least the expected count.
    Correct,
    /// Status 200 with wrong data.
    Wrong(String),
    /// No answer, or not status 200.
    Failed(String),
}

/// One read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub sent: Moment,
    /// When it was answered or given up.
    pub done: Moment,
    /// What it showed.
    pub seen: Seen,
}

/// One restore point, as the drill saw it appear.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    pub manifest: Manifest,
    /// When its snapshot began, or the last one that found nothing changed.
    pub began: Moment,
    /// When it was verified and published.
    pub published: Moment,
}

/// Everything seen so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Every write, in the order in which their outcomes became known.
    pub writes: Vec<Write>,
    /// Every read, likewise.
    pub reads: Vec<Read>,
    /// When each operation was sent whose outcome is not known yet.
    pub under_way: Vec<Moment>,
    /// Every restore point, in the order in which they appeared.
    pub restore_points: Vec<Protected>,
    /// Which of them the drill itself asked for: the schedule would not have taken them.
    pub asked_for: BTreeSet<(u64, Timestamp)>,
    /// Which of them, by sequence, are known to be kept where no fault reaches too.
    pub elsewhere: BTreeSet<u64>,
    /// When a thief came to what is kept there: what was published later is not to be had back.
    pub robbed: Option<Moment>,
    /// How far the remote repository was, as the last push there printed its head: `INDEX:DIGEST`.
    pub remote_head: Option<String>,
    /// How long before the drill the newest restore point was current that the schedule had taken.
    pub age_at_start: Option<Duration>,
    /// When each copy began that another program made in the place of a restore point.
    pub copies: Vec<Moment>,
    /// Backups that failed: when, and what they said.
    pub failed_backups: Vec<(Moment, String)>,
    /// What the answers to writes tell of the service's clock.
    pub offset: Offset,
    /// From when until when the platform did not answer, so that calls of it were repeated.
    pub unanswered: Vec<(Moment, Moment)>,
    /// Why the repository could not be looked at the last time it was tried, if so.
    pub repository_unseen: Option<String>,
}

impl Protected {
    /// What tells it from others, and one confirmation of it from the next.
    pub(crate) fn key(&self) -> (u64, Timestamp) {
        (self.manifest.sequence, self.manifest.current_at(Timestamp::MAX))
    }
}

impl Record {
    /// Adds a write that was under way.
    pub(crate) fn wrote(&mut self, write: Write) {
        self.ended(write.sent);
        self.writes.push(write);
    }

    /// Adds a read that was under way.
    pub(crate) fn read(&mut self, read: Read) {
        self.ended(read.sent);
        self.reads.push(read);
    }

    fn ended(&mut self, sent: Moment) {
        if let Some(index) = self.under_way.iter().position(|moment| *moment == sent) {
            self.under_way.swap_remove(index);
        }
    }

    /// What is known to keep restore points from appearing.
    pub(crate) fn last_obstacle(&self) -> Option<String> {
        let failed = self.failed_backups.last().map(|(_, why)| format!("the last backup failed: {why}"));
        failed.or_else(|| self.repository_unseen.as_ref().map(|why| format!("the repository cannot be seen: {why}")))
    }

    /// When the newest restore point, or the newest copy of another program, began.
    pub(crate) fn newest_copy(&self) -> Option<Moment> {
        self.restore_points.iter().map(|point| point.began).chain(self.copies.iter().copied()).max()
    }

    /// How many writes were acknowledged before a moment.
    pub(crate) fn acknowledged_before(&self, moment: Moment) -> u64 {
        self.writes.iter().filter(|write| write.acknowledged().is_some() && write.done < moment).count() as u64
    }
}

/// Collects the record from the probes and the platform, and lets others wait for what they need to see in it.
pub(crate) struct Recorder {
    /// The drill's clock.
    pub clock: Clock,
    record: Mutex<Record>,
    changed: watch::Sender<()>,
}

impl Recorder {
    /// An empty record.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, record: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Adds to the record and wakes whoever waits.
    pub(crate) fn add(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    /// Notes that an operation is being sent, and gives the moment.
    pub(crate) fn sending(&self) -> Moment {
        let sent = self.clock.now();
        // Nobody waits for operations to begin.
        self.lock().under_way.push(sent);
        sent
    }

    /// Looks at the record as it is now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock())
    }

    /// Waits until `look` finds something, for `limit` at most.
    pub(crate) async fn wait_for<T>(&self, limit: Duration, mut look: impl FnMut(&Record) -> Option<T>) -> Option<T> {
        let mut changed = self.changed.subscribe();
        let search = async {
            loop {
                if let Some(found) = self.look(&mut look) {
                    return Some(found);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(limit, search).await.ok().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A probe that panicked while it held the lock had already pushed whole entries or none.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(at: u64) -> Read {
        let at = Duration::from_secs(at);
        Read { sent: at, done: at, seen: Seen::Correct }
    }

    #[tokio::test]
    async fn waiting_ends_as_soon_as_the_record_shows_it() {
        let recorder = std::sync::Arc::new(Recorder::new(Clock::start()));
        let waiting = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.wait_for(Duration::from_secs(20), |record| record.reads.get(1).cloned()).await }
        });
        recorder.add(|record| record.reads.push(read(1)));
        recorder.add(|record| record.reads.push(read(2)));
        assert_eq!(waiting.await.unwrap().unwrap().sent, Duration::from_secs(2));
    }

    #[tokio::test]
    async fn waiting_ends_with_nothing_when_time_is_out() {
        let recorder = Recorder::new(Clock::start());
        let seen = recorder.wait_for(Duration::from_millis(10), |record| record.reads.first().cloned()).await;
        assert!(seen.is_none());
    }
}

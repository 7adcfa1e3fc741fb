//! What a loss of the database would cost now.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use backup::lineage::Lineage;
use backup::{Manifest, Rehearsal, Repository, clock, space};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{sleep_until, timeout};

use crate::store::{Failure, Newer, Store, Summary};

/// The table whose rows are counted, as manifests name it.
const TABLE: &str = "message";

/// After a look, nobody looks for so many times as long as it took: the rest is for those who do something else.
const REST: u32 = 3;

/// But no longer than this.
const REST_MAX: Duration = Duration::from_secs(2);

const READ_WAIT: Duration = Duration::from_secs(20);

/// The database, what protects it, and what does not.
#[derive(Debug)]
pub(crate) struct Protection {
    pub summary: Summary,
    /// The newest restore point of *this* database: those of an earlier lineage do not protect it.
    pub newest: Option<Manifest>,
    /// Since the newest restore point that is not dated in the future: a wrong clock must not make an old one look fresh.
    pub age: Option<Duration>,
    /// The last restore of this database that was rehearsed and found good.
    pub rehearsed: Option<Rehearsal>,
    pub repository_error: Option<String>,
    pub no_room: Option<String>,
    /// Nothing while a journal protects all. `None` if the repository cannot be read: nobody knows then.
    pub exposure: Option<Exposure>,
}

/// What is in no restore point, nor in a journal that leads on from one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Exposure {
    /// How many messages; at most, since those deleted meanwhile are not told apart.
    pub messages: i64,
    /// Since the first of them was stored; zero if there is none, `None` if its timestamp is no time.
    pub seconds: Option<f64>,
}

/// The way to look, shared by whoever asks meanwhile: one look at a time, however many clients ask for how many restore points.
#[derive(Clone)]
pub(crate) struct Looks {
    store: Arc<Store>,
    repository: Option<Repository>,
    last: Arc<Mutex<Option<Look>>>,
    /// Held while the repository is read, which may take for ever.
    reading: Arc<Mutex<()>>,
}

struct Look {
    began: Instant,
    took: Duration,
    found: Result<Arc<Protection>, Failure>,
}

impl Looks {
    pub(crate) fn new(store: Arc<Store>, repository: Option<Repository>) -> Self {
        Self { store, repository, last: Arc::default(), reading: Arc::default() }
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref()
    }

    /// What is found by a look that was begun after this was asked. For those who ask while one is under way there is one more,
    /// together, and looks that take long leave some time between them to others.
    pub(crate) async fn look(&self) -> Result<Arc<Protection>, Failure> {
        let asked = Instant::now();
        let mut last = self.last.clone().lock_owned().await;
        if let Some(look) = last.as_ref().filter(|look| look.began >= asked) {
            return look.found.clone();
        }
        let looks = self.clone();
        // Goes on if the client is gone: it must not be able to begin another by that.
        let looking = tokio::spawn(async move {
            if let Some(Look { began, took, .. }) = &*last {
                sleep_until((*began + *took + (*took * REST).min(REST_MAX)).into()).await;
            }
            let began = Instant::now();
            let found = looks.look_now().await.map(Arc::new);
            *last = Some(Look { began, took: began.elapsed(), found: found.clone() });
            found
        });
        looking.await.unwrap_or(Err(Failure::Stopped))
    }

    /// Looks at the database and its repository. The repository first: a message that comes meanwhile counts as exposed.
    async fn look_now(&self) -> Result<Protection, Failure> {
        let summary = self.store.summary().await?;
        let (found, repository_error) = match self.newest(summary.lineage.as_ref()).await {
            Ok(found) => (found, None),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot read the repository of restore points");
                (None, Some(format!("{error:#}")))
            }
        };
        let Found { newest, current_at, rehearsed } = found.unwrap_or_default();
        let protected = newest.as_ref().and_then(|newest| newest.high_water.get(TABLE)).copied().unwrap_or(0);
        let is_journaled = self.store.protection().is_some_and(|status| status.is_protected());
        let newer = if is_journaled { None } else { self.store.newer(protected).await? };
        let exposure = repository_error.is_none().then(|| exposure(newer.as_ref(), Timestamp::now()));
        let no_room = self.repository.as_ref().and_then(|repository| no_room(repository.path(), summary.size_bytes));
        Ok(Protection { summary, newest, age: current_at.map(age), rehearsed, repository_error, no_room, exposure })
    }

    /// The newest restore point of a lineage, and its newest rehearsal.
    async fn newest(&self, lineage: Option<&Lineage>) -> anyhow::Result<Option<Found>> {
        let (Some(repository), Some(lineage)) = (self.repository.clone(), lineage.cloned()) else { return Ok(None) };
        let directory = repository.path().display();
        let reading = self.reading.clone().try_lock_owned();
        let reading = reading.with_context(|| format!("a previous read of {directory} has not finished"))?;
        let slow = format!("reading {directory} took more than {} s", READ_WAIT.as_secs());
        // A repository may be large, or on a slow disk.
        let found = tokio::task::spawn_blocking(move || {
            let _reading = reading;
            let rehearsed = |rehearsal: &Rehearsal| rehearsal.lineage.as_ref() == Some(&lineage);
            let rehearsed = repository.rehearsals()?.into_iter().find(rehearsed);
            let now = Timestamp::now();
            let (mut newest, mut current) = (None::<Manifest>, None);
            // Two of them are kept at a time: others may have made them large.
            repository.each_manifest(|manifest| {
                if manifest.lineage.as_ref() != Some(&lineage) {
                    return;
                }
                let (sequence, at) = (manifest.sequence, manifest.current_at(now));
                if !clock::is_ahead(at, now) {
                    current = current.max(Some((sequence, at)));
                }
                if newest.as_ref().is_none_or(|newest| newest.sequence <= sequence) {
                    newest = Some(manifest);
                }
            })?;
            Ok::<_, backup::Error>(Found { newest, current_at: current.map(|(_, at)| at), rehearsed })
        });
        Ok(Some(timeout(READ_WAIT, found).await.context(slow)???))
    }
}

/// The next restore point is a copy of the database, and whoever takes it can only say so to those who read its log.
fn no_room(directory: &Path, size_bytes: i64) -> Option<String> {
    // A directory that cannot be asked is told of by whoever reads it.
    let (free, needed) = (space::free(directory).ok()?, u64::try_from(size_bytes).unwrap_or(0));
    (free < needed).then(|| {
        format!(
            "no room for another restore point: the volume of {} has {free} bytes free, but a copy of the database \
             needs {needed}; enlarge it, or remove files from it that are neither restore points nor a journal",
            directory.display()
        )
    })
}

/// The time since then. Never negative: a clock that was set back makes a restore point new, not one of the future.
pub(crate) fn age(then: Timestamp) -> Duration {
    since(then, Timestamp::now())
}

/// What the repository holds of a lineage.
#[derive(Default)]
struct Found {
    newest: Option<Manifest>,
    /// Until when a restore point held what the database held, by a clock that is not ahead.
    current_at: Option<Timestamp>,
    rehearsed: Option<Rehearsal>,
}

fn exposure(newer: Option<&Newer>, now: Timestamp) -> Exposure {
    let Some(Newer { messages, since: stored }) = newer else { return Exposure { messages: 0, seconds: Some(0.0) } };
    let stored = stored.parse().ok();
    Exposure { messages: *messages, seconds: stored.map(|stored| since(stored, now).as_secs_f64()) }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_without_room_for_a_copy_is_told_by_its_figures() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(no_room(directory.path(), 0), None);
        let told = no_room(directory.path(), i64::MAX).unwrap();
        assert!(told.starts_with("no room for another restore point: the volume of /"), "{told}");
        assert!(told.contains(&format!("a copy of the database needs {}", i64::MAX)), "{told}");
        assert_eq!(no_room(Path::new("/nowhere"), i64::MAX), None);
    }

    #[test]
    fn the_first_message_outside_decides_on_the_seconds() {
        let now: Timestamp = "2026-11-22T18:10:00Z".parse().unwrap();
        let newer = |since: &str| Newer { messages: 3, since: since.to_owned() };
        for (newer, messages, seconds) in [
            (None, 0, Some(0.0)),
            (Some(newer("2026-11-22T18:09:58.500000Z")), 3, Some(1.5)),
            (Some(newer("2026-11-22T18:10:01.000000Z")), 3, Some(0.0)),
            (Some(newer("yesterday")), 3, None),
        ] {
            assert_eq!(exposure(newer.as_ref(), now), Exposure { messages, seconds }, "{newer:?}");
        }
    }
}

//! The restore point that a recovery would start from, and the journal files that no restore point needs any more.

use std::io;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use backup::take::{self, Request};

use super::Guard;
use crate::store::journal::{self, History, MARK_TABLE};

const REPOSITORY_WAIT: Duration = Duration::from_secs(5);

impl Guard {
    /// Looks for a restore point from which the journal leads on, and takes one if there is none. Waits for it where
    /// nothing would be stored meanwhile anyway.
    pub(super) fn find_base(&mut self) -> anyhow::Result<()> {
        if let Some(taking) = self.taking.take_if(|taking| taking.is_finished()) {
            taken(taking)?;
        }
        if self.has_base()? {
            return Ok(());
        }
        let taking = match self.taking.take() {
            Some(taking) => taking,
            None => self.take()?,
        };
        if !self.patient {
            self.taking = Some(taking);
            return Err(anyhow!("taking a restore point for the journal to continue from"));
        }
        taken(taking)?;
        anyhow::ensure!(self.has_base()?, "the new restore point is not in {}", self.repository.path().display());
        Ok(())
    }

    /// Removes the journal files that are older than what the oldest restore point needs, once in each epoch. What cannot
    /// be removed now is removed later.
    pub(super) fn prune(&mut self) {
        let Some((_, epoch)) = self.journal.position() else { return };
        if self.pruned == epoch {
            return;
        }
        self.pruned = epoch;
        match self.remove_needless() {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "removed journal files that no restore point needs"),
            Err(error) => tracing::warn!("cannot remove journal files that no restore point needs: {error:#}"),
        }
    }

    fn has_base(&self) -> anyhow::Result<bool> {
        let history = self.history()?;
        Ok(self.marks()?.into_iter().any(|mark| history.chain(mark).is_ok()))
    }

    fn take(&self) -> anyhow::Result<thread::JoinHandle<anyhow::Result<()>>> {
        let (repository, database) = (self.repository.clone(), self.identity.database().to_owned());
        let take = move || {
            let writer = repository.writer(REPOSITORY_WAIT)?;
            let taken = take::run(&writer, &Request::new(database), &mut |_| {})?;
            tracing::info!(name = %taken.restore_point.name, "took a restore point for the journal to continue from");
            Ok(())
        };
        thread::Builder::new()
            .name("take".to_owned())
            .spawn(take)
            .context("cannot start a thread to take a restore point")
    }

    /// The groups at which this database can be restored.
    fn marks(&self) -> anyhow::Result<Vec<i64>> {
        let lineage = self.journal.lineage();
        let mut marks = Vec::new();
        self.repository.each_manifest(|manifest| {
            if manifest.lineage.as_ref() == lineage {
                marks.extend(manifest.high_water.get(MARK_TABLE).copied());
            }
        })?;
        Ok(marks)
    }

    fn remove_needless(&self) -> anyhow::Result<usize> {
        // A mark of 0 is from before the first group: nothing leads on from there.
        let Some(oldest) = self.marks()?.into_iter().filter(|mark| *mark > 0).min() else { return Ok(0) };
        let history = self.history()?;
        let needless = history.needless(oldest);
        // Oldest first: whoever still writes one of them misses it before it misses what ended its epoch.
        for epoch in &needless {
            let path = journal::file_path(&history.directory, *epoch);
            match backup::openat::remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(needless.len())
    }

    fn history(&self) -> anyhow::Result<History> {
        History::read(self.journal.directory().context("the journal is not open")?)
    }
}

fn taken(taking: thread::JoinHandle<anyhow::Result<()>>) -> anyhow::Result<()> {
    let taken = taking.join().unwrap_or_else(|_| Err(anyhow!("its thread panicked")));
    taken.context("cannot take a restore point for the journal to continue from")
}

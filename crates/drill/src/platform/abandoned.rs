//! Drills that were killed before they could clean up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::Platform as _;
use super::kubernetes::{Kubernetes, Saved};
use super::local::{StateDir, remove};
use crate::intents;
use crate::progress::Progress;
use crate::witness::clock::Clock;
use crate::witness::record::Recorder;

/// What a drill that was killed left.
pub(crate) struct Abandoned {
    pub folder: PathBuf,
    /// What it was about to do when it was killed.
    pub last_step: String,
    saved: Option<Saved>,
}

/// Finds them. The lock on the directory is held, so whoever made a folder in it is gone.
pub(crate) fn find(state: &StateDir) -> Result<Vec<Abandoned>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(&state.path).with_context(|| format!("cannot read {}", state.path.display()))?;
    for entry in entries {
        let folder = entry?.path();
        // Whatever else people keep there is theirs.
        if is_of_a_drill(&folder) {
            let last_step = intents::last_step(&folder)?.map_or("start".to_owned(), |step| step.step);
            found.push(Abandoned { saved: Saved::load(&folder)?, last_step, folder });
        }
    }
    Ok(found)
}

/// Folders of drills are named after their run, and hold a journal before anything else.
fn is_of_a_drill(folder: &Path) -> bool {
    let named = folder.file_name().and_then(|name| name.to_str()).is_some_and(intents::is_run_name);
    named && folder.is_dir() && intents::path(folder).is_file()
}

/// Where on a cluster a drill ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cluster<'a> {
    /// The kubeconfig context.
    pub context: &'a str,
    pub namespace: &'a str,
}

impl Abandoned {
    /// The cluster that it may have left in pieces, if it ran on one.
    pub(crate) fn cluster(&self) -> Option<Cluster<'_>> {
        let Saved { context, namespace, .. } = self.saved.as_ref()?;
        Some(Cluster { context, namespace })
    }

    /// The run, which is what its folder is called.
    pub(crate) fn run(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Drops what is written down of a drill whose cluster is gone, and gives what a person would type if it is not.
    pub(crate) fn forget(self, progress: &Progress) -> Result<Vec<String>> {
        let Self { folder, saved, .. } = self;
        let saved = saved.context("it did not run on a cluster")?;
        let recorder = Arc::new(Recorder::new(Clock::start()));
        let by_hand = Kubernetes::left_behind(saved, folder.clone(), recorder, progress.clone()).by_hand();
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        Ok(by_hand)
    }

    /// Finishes what it began, and says what was done.
    pub(crate) async fn clean_up(self, progress: &Progress) -> Result<String> {
        let Self { folder, last_step, saved } = self;
        let shown = folder.display().to_string();
        let done = match saved {
            Some(saved) => {
                let recorder = Arc::new(Recorder::new(Clock::start()));
                Kubernetes::left_behind(saved, folder, recorder, progress.clone()).clean_up().await?
            }
            None => remove(&folder).await.map(|()| "removed".to_owned())?,
        };
        Ok(format!("{shown}: {done}; that drill was killed at the step: {last_step}"))
    }
}

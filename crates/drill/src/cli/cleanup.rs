use anyhow::{Result, anyhow};
use clap::Args;

use super::run::refuse;
use super::{State, print, usage};
use crate::exit;
use crate::platform::abandoned::{Abandoned, Cluster, find};
use crate::platform::local::StateDir;
use crate::progress::Progress;

/// Finish what drills that were killed left behind: processes, folders, a cluster half-way through a recovery. What was
/// deleted and deployed anew since is not the drill's, and is left alone
#[derive(Args)]
pub(super) struct Cleanup {
    #[command(flatten)]
    state: State,
    /// Only drop what is written down of this run, whose cluster is gone for good; no cluster is even asked
    #[arg(long, value_name = "RUN")]
    forget: Option<String>,
}

impl Cleanup {
    pub(super) async fn run(self) -> Result<u8> {
        let progress = Progress::new();
        let state = match StateDir::lock(&self.state.state_dir) {
            Ok(state) => state,
            Err(error) => return Ok(refuse(&progress, &error)),
        };
        let abandoned = find(&state)?;
        if let Some(run) = &self.forget {
            return self.forget(abandoned, run, &progress);
        }
        if abandoned.is_empty() {
            print("nothing was left behind")?;
        }
        let mut code = exit::PASS;
        for drill in abandoned {
            let (run, folder) = (drill.run(), drill.folder.display().to_string());
            let place = drill.cluster().map(|Cluster { context, namespace }| {
                let forget = format!("{} --forget {run}", self.state.cleanup());
                (
                    format!(" (context {context}, namespace {namespace})"),
                    format!("; if that cluster is gone for good: {forget}"),
                )
            });
            let (place, gone) = place.unwrap_or_default();
            match drill.clean_up(&progress).await {
                Ok(done) => print(&done)?,
                Err(error) => {
                    progress
                        .line(&format!("error: the clean-up of {folder}{place} failed: {error:#}; run it again{gone}"));
                    // The others are no worse for it.
                    code = exit::CLEANUP_FAILED;
                }
            }
        }
        progress.finish();
        Ok(code)
    }

    fn forget(&self, abandoned: Vec<Abandoned>, run: &str, progress: &Progress) -> Result<u8> {
        let place = self.state.state_dir.display();
        let Some(drill) = abandoned.into_iter().find(|drill| drill.run() == run) else {
            return Ok(usage(&anyhow!("no drill {run} was left behind in {place}")));
        };
        let Some(Cluster { context, namespace }) = drill.cluster() else {
            return Ok(usage(&anyhow!("run {run} did not run on a cluster: {} finishes it", self.state.cleanup())));
        };
        let where_it_was = format!("context {context}, namespace {namespace}");
        let by_hand = drill.forget(progress)?;
        print(&format!(
            "what was written down of run {run} is dropped, and nothing else was changed; if {where_it_was} is there after \
             all, by hand it is:\n    {}",
            by_hand.join("\n    ")
        ))?;
        Ok(exit::PASS)
    }
}

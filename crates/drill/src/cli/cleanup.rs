use anyhow::Result;
use clap::Args;
use drill::exit;
use drill::platform::abandoned::find;
use drill::platform::local::StateDir;
use drill::progress::Progress;

use super::run::refuse;
use super::{State, print};

/// Finish what drills that were killed left behind: processes, folders, a cluster half-way through a recovery
#[derive(Args)]
pub struct Cleanup {
    #[command(flatten)]
    state: State,
}

impl Cleanup {
    pub async fn run(self) -> Result<u8> {
        let progress = Progress::new();
        let state = match StateDir::lock(&self.state.state_dir) {
            Ok(state) => state,
            Err(error) => return Ok(refuse(&progress, &error)),
        };
        let abandoned = find(&state)?;
        if abandoned.is_empty() {
            print("nothing was left behind")?;
        }
        for drill in abandoned {
            let folder = drill.folder.display().to_string();
            match drill.clean_up(&progress).await {
                Ok(done) => print(&done)?,
                Err(error) => {
                    progress.line(&format!("error: the clean-up of {folder} failed: {error:#}; run it again"));
                    return Ok(exit::CLEANUP_FAILED);
                }
            }
        }
        progress.finish();
        Ok(exit::PASS)
    }
}

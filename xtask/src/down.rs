use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::kubectl::{Namespace, Target};
use crate::programs::say;

/// Remove from a cluster what deploy put there, with its data and its restore points
#[derive(Args)]
#[command(after_help = "Exit codes: 0 it is gone, 1 it is not, 3 refused: the namespace lacks pra.dev/drill=allowed.")]
pub struct Down {
    #[command(flatten)]
    target: Target,
}

impl Down {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        match self.target.interlock(sh)? {
            Namespace::Absent => say(&format!("there is no namespace {}: nothing to do", self.target.namespace)),
            Namespace::Ours => self.target.delete(sh, Duration::from_secs(120))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

/// Run what continuous integration runs
#[derive(Args)]
pub struct Ci {}

impl Ci {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        cmd!(sh, "bash .ci/run").run()?;
        Ok(ExitCode::SUCCESS)
    }
}

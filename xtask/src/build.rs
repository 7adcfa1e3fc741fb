use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::programs;

/// Build the programs, optimised
#[derive(Args)]
pub struct Build {}

impl Build {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        programs::build(sh)?;
        Ok(ExitCode::SUCCESS)
    }
}

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::programs;

/// Run the service and its backups until Ctrl-C, to browse it
#[derive(Args)]
pub struct Up {
    /// Options of `drill up`
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

impl Up {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let arguments: Vec<String> = std::iter::once("up".to_owned()).chain(self.more).collect();
        programs::build(sh)?.become_program(sh, "drill", &arguments)
    }
}

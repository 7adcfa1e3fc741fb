use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::forwarded::Options;
use crate::programs;

/// Run the service and its backups until Ctrl-C, to browse it
#[derive(Args)]
#[command(disable_help_flag = true)]
#[command(after_help = "Takes what `drill up` takes: cargo xtask up --help lists it.")]
pub struct Up {
    #[command(flatten)]
    options: Options,
}

impl Up {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        if let Some(code) = self.options.help(sh, "up")? {
            return Ok(code);
        }
        let arguments = [vec!["up".to_owned()], self.options.all()].concat();
        programs::build(sh)?.become_program(sh, "drill", &arguments)
    }
}

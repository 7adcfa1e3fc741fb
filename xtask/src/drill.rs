use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::forwarded::Options;
use crate::programs::{self, usage};

/// Run a drill: break one thing, recover, measure
#[derive(Args)]
#[command(disable_help_flag = true)]
#[command(after_help = "Takes what `drill run` takes: cargo xtask drill --help lists it, and the exit codes.")]
pub struct Drill {
    #[command(flatten)]
    options: Options,
}

impl Drill {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        if let Some(code) = self.options.help(sh, "run")? {
            return Ok(code);
        }
        if self.options.is_empty() {
            return Err(usage(
                "what is to be broken? cargo xtask drill kill-pod, kill-pvc, or all; cargo xtask drill --help lists more",
            ));
        }
        let (place, options) = self.options.place();
        let arguments = [vec!["run".to_owned()], place.arguments(sh)?, options].concat();
        programs::build(sh)?.become_program(sh, "drill", &arguments)
    }
}

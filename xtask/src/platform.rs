//! Where the pipeline runs.

use anyhow::Result;
use clap::ValueEnum;
use xshell::Shell;

use crate::programs::{say, usage};
use crate::tools;

/// A platform, as asked for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlatformArg {
    /// k3d where Docker answers and every tool is there, else local
    Auto,
    /// Processes and directories on this machine
    Local,
    /// A k3d cluster
    K3d,
    /// The cluster of a kubeconfig context
    Kubernetes,
}

/// The command-line option.
#[derive(clap::Args)]
pub struct PlatformOption {
    /// Where to run
    #[arg(long, value_enum, env = "PRA_PLATFORM", default_value_t = PlatformArg::Auto)]
    platform: PlatformArg,
}

/// A platform that this machine has.
pub enum Platform {
    Local,
    K3d,
    Kubernetes,
}

impl PlatformOption {
    /// Says which platform is taken and why.
    pub fn choose(&self, sh: &Shell) -> Result<Platform> {
        match self.platform {
            PlatformArg::Local => {
                say("platform local: as asked for");
                Ok(Platform::Local)
            }
            PlatformArg::Kubernetes => {
                say("platform kubernetes: as asked for");
                Ok(Platform::Kubernetes)
            }
            PlatformArg::K3d => {
                let lacking = tools::lacking(sh, &tools::CLUSTER);
                if !lacking.is_empty() {
                    return Err(usage(format!(
                        "platform k3d lacks {}; see cargo xtask doctor, or use --platform local",
                        lacking.join(", ")
                    )));
                }
                say("platform k3d: as asked for");
                Ok(Platform::K3d)
            }
            PlatformArg::Auto => Ok(best(sh)),
        }
    }
}

fn best(sh: &Shell) -> Platform {
    let lacking = tools::lacking(sh, &tools::CLUSTER);
    if lacking.is_empty() {
        say("platform k3d: docker answers and every tool is there; --platform local needs no cluster");
        return Platform::K3d;
    }
    say(&format!("platform local: k3d would need {}; see cargo xtask doctor", lacking.join(", ")));
    Platform::Local
}

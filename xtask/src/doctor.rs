use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use xshell::Shell;

use crate::programs::{fail, print};
use crate::tools::{self, Found, Tool};

/// Check what this machine has of what the project needs
#[derive(Args)]
#[command(after_help = "Exit code 1 if the local platform cannot run; what only a cluster needs may be missing.")]
pub struct Doctor {}

impl Doctor {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        print(&row("tool", "wanted", "found", "how to get it"))?;
        let local = check(sh, &tools::LOCAL)?;
        print("for a k3d cluster as well:")?;
        let cluster = check(sh, &tools::CLUSTER)?;
        print("for `cargo xtask setup`, which gets most of these:")?;
        check(sh, &tools::SETUP)?;
        print("for `cargo speed` and `cargo versus`:")?;
        check(sh, &tools::BENCH)?;
        print("")?;
        if !local.is_empty() {
            return Ok(fail(&format!("missing or too old: {}", local.join(", ")), 1));
        }
        if cluster.is_empty() {
            print("this machine can run: local, k3d")?;
        } else {
            print("this machine can run: local")?;
            print(&format!("k3d lacks: {}", cluster.join(", ")))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints a row for each tool, and gives the names of those that are missing or too old.
fn check(sh: &Shell, tools: &[Tool]) -> Result<Vec<&'static str>> {
    let mut lacking = Vec::new();
    for tool in tools {
        let (found, get) = match tool.find(sh) {
            Found::Good(version) => (version, ""),
            Found::TooOld(version) => (version, tool.get),
            Found::Missing => ("missing".to_owned(), tool.get),
        };
        lacking.extend((!get.is_empty()).then_some(tool.name));
        print(&row(tool.name, tool.wanted, &found, get))?;
    }
    Ok(lacking)
}

/// Within 80 columns, whatever a tool says of itself.
fn row(tool: &str, wanted: &str, found: &str, get: &str) -> String {
    format!("{tool:<18}{wanted:<8}{found:<20.20}  {get}").trim_end().to_owned()
}

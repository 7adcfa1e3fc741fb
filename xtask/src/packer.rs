//! Packer, which makes a layer of programs and imports it.

use std::io;
use std::process;

use anyhow::{Context, Result, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::programs::say;

/// Builds a template of `packer/` with the values of its variables.
pub fn build(sh: &Shell, template: &str, variables: &[String]) -> Result<()> {
    if knows_plugins(sh)? {
        log(cmd!(sh, "packer init packer/plugins.pkr.hcl"))?;
    }
    let variables = variables.iter().flat_map(|variable| ["-var", variable]);
    log(cmd!(sh, "packer build -color=false {variables...} {template}"))
}

/// Runs a program whose stdout is a log: ours is for the result.
fn log(command: Cmd<'_>) -> Result<()> {
    say(&format!("$ {command}"));
    let status = process::Command::from(command).stdout(io::stderr()).status().context("cannot run packer")?;
    ensure!(status.success(), "packer failed ({status}); what it said is above");
    Ok(())
}

/// Packer fetches plugins since 1.7; before, all were built in.
fn knows_plugins(sh: &Shell) -> Result<bool> {
    let said = cmd!(sh, "packer version").quiet().env("CHECKPOINT_DISABLE", "1").read();
    let said = said.context("cannot run packer; see `cargo xtask doctor`")?;
    fetches_plugins(&said).with_context(|| format!("packer told no version, but {said:?}"))
}

fn fetches_plugins(said: &str) -> Option<bool> {
    let mut numbers = said.lines().next()?.strip_prefix("Packer v")?.split('.').map(str::parse::<u64>);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(version >= (1, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packer_fetches_plugins_since_1_7() {
        for (said, expected) in [
            ("Packer v1.6.6", Some(false)),
            ("Packer v1.7.0", Some(true)),
            ("Packer v1.14.2\n\nYour version of Packer is out of date!", Some(true)),
            ("Packer v2.0.0-beta", Some(true)),
            ("packer: cracklib dictionaries", None),
        ] {
            assert_eq!(fetches_plugins(said), expected, "{said}");
        }
    }
}

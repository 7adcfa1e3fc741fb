//! The image: static programs, made a layer and imported by Packer.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::{Cmd, Shell, cmd};

use crate::programs::{print, say};
use crate::sbom;

/// Build the image with Packer, from static programs
#[derive(Args)]
pub struct Command {}

impl Command {
    pub fn run(self, sh: &Shell) -> Result<ExitCode> {
        let Image { name, id } = build(sh)?;
        print(&format!("{name} {id}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// An image that Docker has.
pub struct Image {
    /// As a cluster refers to it, `pra/app:0.1.0`.
    pub name: String,
    /// Docker's, `sha256:…`. It differs from build to build, because it covers the time; the layer's digest does not.
    pub id: String,
}

/// The name of the image of this version.
pub fn name() -> String {
    format!("pra/app:{}", env!("CARGO_PKG_VERSION"))
}

/// Compiles the programs and builds the image.
pub fn build(sh: &Shell) -> Result<Image> {
    let target = target_directory()?;
    let host = host(sh)?;
    let programs = compile(sh, &target, &host)?;
    let bill = target.join("image.cdx.json");
    sbom::write(sh, &host, &bill)?;
    say(&format!("bill of materials: {}", bill.display()));
    if knows_plugins(sh)? {
        log(cmd!(sh, "packer init packer/plugins.pkr.hcl"))?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let variables = [
        format!("version={version}"),
        format!("revision={}", revision(sh)),
        format!("programs={}", programs.display()),
        format!("layer={}", target.join("image.tar").display()),
    ];
    let variables = variables.iter().flat_map(|variable| ["-var", variable]);
    log(cmd!(sh, "packer build -color=false {variables...} packer/image.pkr.hcl"))?;
    let name = name();
    let format = "{{.Id}}";
    let id = cmd!(sh, "docker image inspect --format {format} {name}").quiet().read()?;
    Ok(Image { name, id })
}

/// Runs a program whose stdout is a log: ours is for the result.
fn log(command: Cmd<'_>) -> Result<()> {
    say(&format!("$ {command}"));
    let status = process::Command::from(command).stdout(io::stderr()).status().context("cannot run packer")?;
    ensure!(status.success(), "packer failed ({status}); what it said is above");
    Ok(())
}

/// Compiles the programs for an image with nothing else in it; gives their directory.
fn compile(sh: &Shell, target: &Path, host: &str) -> Result<PathBuf> {
    // The target is named even though it is the host's: flags then leave build scripts and procedural macros alone,
    // which cannot be static.
    let flags = format!("target.{host}.rustflags=[{}]", flags(sh)?);
    cmd!(sh, "cargo build --release --locked --target {host} --package app --package backup --config {flags}")
        // They would win over the flags above, and the programs would silently need a C library.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .run()?;
    Ok(target.join(host).join("release"))
}

/// Static, and with no path of this machine in it: the programs are the same wherever they are compiled.
fn flags(sh: &Shell) -> Result<String> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let cargo = cargo.context("neither CARGO_HOME nor a home directory is known; set one")?;
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=cargo", cargo.display()),
        format!("--remap-path-prefix={}=pra", sh.current_dir().display()),
    ];
    Ok(flags.map(|flag| format!("'{flag}'")).join(", "))
}

fn host(sh: &Shell) -> Result<String> {
    let version = cmd!(sh, "rustc --version --verbose").quiet().read()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host; see rustc --version --verbose")
}

/// This program is `<target>/<profile>/xtask`, wherever the target directory is.
fn target_directory() -> Result<PathBuf> {
    let this = env::current_exe().context("cannot find the path of this program")?;
    let target = this.parent().and_then(Path::parent).context("this program is not in a target directory")?;
    Ok(target.to_owned())
}

/// The commit, marked where the programs may differ from it.
fn revision(sh: &Shell) -> String {
    let described = cmd!(sh, "git describe --always --dirty --abbrev=40 --exclude *").quiet().ignore_stderr().read();
    described.unwrap_or_else(|_| "unknown".to_owned())
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

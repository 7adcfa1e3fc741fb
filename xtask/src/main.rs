//! The project's pipeline, run as `cargo xtask`. Each subcommand is a file; it runs programs and depends on no crate
//! of the workspace.

mod all;
mod build;
mod ci;
mod cluster;
mod compile;
mod confined;
mod deploy;
mod doctor;
mod down;
mod download;
mod drill;
mod forwarded;
mod image;
mod import;
mod kubectl;
mod packer;
mod platform;
mod programs;
mod sbom;
mod setup;
mod static_kubectl;
mod test;
mod tools;
mod up;
mod wait;

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

/// Build the project, run it, destroy it, restore it.
#[derive(Parser)]
#[command(version, bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    All(all::All),
    Build(build::Build),
    Image(image::Command),
    Cluster(cluster::Cluster),
    Import(import::Import),
    Deploy(deploy::Deploy),
    Drill(drill::Drill),
    Up(up::Up),
    Down(down::Down),
    Test(test::Test),
    Ci(ci::Ci),
    Setup(setup::Setup),
    Doctor(doctor::Doctor),
}

fn main() -> ExitCode {
    match without_package().and_then(|()| run(Cli::parse())) {
        Ok(code) => code,
        Err(error) => {
            let code = error.downcast_ref::<programs::Refused>().map_or(1, |refused| refused.code);
            programs::fail(&format!("{error:#}"), code)
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let sh = Shell::new()?;
    let root = project_root()?;
    sh.change_dir(&root);
    sh.set_var("PATH", tools::search_path(&root)?);
    match cli.command {
        Command::All(all) => all.run(&sh),
        Command::Build(build) => build.run(&sh),
        Command::Image(image) => image.run(&sh),
        Command::Cluster(cluster) => cluster.run(&sh),
        Command::Import(import) => import.run(&sh),
        Command::Deploy(deploy) => deploy.run(&sh),
        Command::Drill(drill) => drill.run(&sh),
        Command::Up(up) => up.run(&sh),
        Command::Down(down) => down.run(&sh),
        Command::Test(test) => test.run(&sh),
        Command::Ci(ci) => ci.run(&sh),
        Command::Setup(setup) => setup.run(&sh),
        Command::Doctor(doctor) => doctor.run(&sh),
    }
}

/// Starts anew without what `cargo run` says of the package that it runs. Build scripts watch these variables, and would run
/// again, with all that is compiled after them, whenever a user's `cargo build` and ours take turns.
fn without_package() -> Result<()> {
    const OF_THE_PACKAGE: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    let is_of_the_package =
        |name: &OsString| OF_THE_PACKAGE.iter().any(|start| name.as_bytes().starts_with(start.as_bytes()));
    let names: Vec<OsString> = env::vars_os().map(|(name, _)| name).filter(is_of_the_package).collect();
    if names.is_empty() {
        return Ok(());
    }
    let this = env::current_exe().context("cannot find the path of this program")?;
    let mut anew = process::Command::new(&this);
    anew.args(env::args_os().skip(1));
    for name in names {
        anew.env_remove(name);
    }
    Err(anew.exec()).with_context(|| format!("cannot run {}", this.display()))
}

/// The project that this runs in, else the one that this program lies in. Never the one that it was compiled in: a folder
/// that was copied or moved takes its programs with it, and works on itself.
fn project_root() -> Result<PathBuf> {
    let here = env::current_dir().context("cannot find the current directory")?;
    let this = env::current_exe().context("cannot find the path of this program")?;
    // Other projects have an `xtask` too.
    let is_project =
        |folder: &&Path| ["xtask", "crates/drill"].iter().all(|part| folder.join(part).join("Cargo.toml").is_file());
    let found = here.ancestors().chain(this.ancestors()).find(is_project);
    found.map(Path::to_owned).ok_or_else(|| {
        programs::usage(format!(
            "neither {} nor any directory above it is the project (one with xtask and crates/drill in it): cd to the project, \
             then cargo xtask",
            here.display()
        ))
    })
}

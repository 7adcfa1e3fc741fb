//! Measures what the project promises next to what one would use instead: `cargo speed` and `cargo versus`. It writes the
//! figures and pictures of docs/en/src/performance.md and docs/en/src/versus.md.

mod figure;
mod load;
mod page;
mod peers;
mod programs;
mod run;
mod server;
mod speed;
mod versus;

use std::env;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

/// Measure the project next to what one would use instead
#[derive(Parser)]
#[command(version, bin_name = "cargo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Speed(speed::Speed),
    Versus(versus::Versus),
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let sh = Shell::new()?;
    let here = env::current_dir().context("cannot find the current directory")?;
    let project = here.ancestors().find(|folder| folder.join("docs/en/src/performance.md").is_file());
    sh.change_dir(project.context("this is not in the project: cd to it")?);
    match cli.command {
        Command::Speed(speed) => speed.run(&sh),
        Command::Versus(versus) => versus.run(&sh),
    }
}

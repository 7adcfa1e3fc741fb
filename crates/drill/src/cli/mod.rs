//! The command line: one file per subcommand.

mod archive;
mod cleanup;
mod list;
mod place;
mod run;
mod selection;
mod up;

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use drill::exit;

/// Breaks a service or its data on purpose, brings it back, and measures what that took and what was lost.
#[derive(Parser)]
#[command(version, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<run::Run>),
    List(list::List),
    Up(up::Up),
    Cleanup(cleanup::Cleanup),
}

/// Where drills keep what they work with.
#[derive(Args)]
struct State {
    /// Directory for the folders of running drills; each is removed at the end of its drill
    #[arg(long, value_name = "DIR", env = "DRILL_STATE_DIR", default_value = ".drill")]
    state_dir: PathBuf,
}

impl Cli {
    /// Runs the subcommand and gives the exit code.
    pub async fn run(self) -> Result<u8> {
        match self.command {
            Command::Run(run) => run.run().await,
            Command::List(list) => list.run(),
            Command::Up(up) => up.run().await,
            Command::Cleanup(cleanup) => cleanup.run().await,
        }
    }
}

/// Prints a result. A reader that has gone away is no failure.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

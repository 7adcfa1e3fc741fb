//! The command line: one file per subcommand.

mod applies;
mod archive;
mod cleanup;
mod compare;
mod content;
mod history;
mod list;
mod place;
mod run;
mod scenarios;
mod selection;
mod up;
mod verify_evidence;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use backup::text::{self, Color};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::exit;
use crate::interrupt::end_process_1;
use crate::progress::Progress;
use crate::report::history::History;
use crate::terminal::{wrapped, wrapped_report};

/// Breaks a service or its data on purpose, brings it back, and measures what that took and what was lost.
#[derive(Parser)]
#[command(version, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<run::Run>),
    List(list::List),
    Up(up::Up),
    Cleanup(cleanup::Cleanup),
    History(history::History),
    Compare(compare::Compare),
    #[command(hide = true)]
    Content(content::Content),
    VerifyEvidence(verify_evidence::VerifyEvidence),
}

/// Where drills keep what they work with.
#[derive(Args)]
struct State {
    /// Working directory of drills; what a drill puts there is removed at its end
    #[arg(long, value_name = "DIR", env = "DRILL_STATE_DIR", default_value = ".drill")]
    state_dir: PathBuf,
}

impl State {
    /// The command that finishes what was left behind in this directory.
    fn cleanup(&self) -> String {
        match self.state_dir.to_str() {
            Some(".drill") => "drill cleanup".to_owned(),
            _ => format!("drill cleanup --state-dir '{}'", self.state_dir.display()),
        }
    }
}

/// Runs the program and gives its exit code.
pub async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(code) => code.into(),
        Err(error) => {
            Progress::new().line(&format!("error: {error:#}"));
            exit::ABORTED.into()
        }
    }
}

impl Cli {
    /// Runs the subcommand and gives the exit code.
    async fn run(self) -> Result<u8> {
        if !matches!(self.command, Command::Run(_) | Command::Up(_)) {
            end_process_1()?;
        }
        match self.command {
            Command::Run(run) => run.run(self.color).await,
            Command::List(list) => list.run(),
            Command::Up(up) => up.run().await,
            Command::Cleanup(cleanup) => cleanup.run().await,
            Command::History(history) => history.run(),
            Command::Compare(compare) => compare.run(),
            Command::Content(content) => content.run(),
            Command::VerifyEvidence(verify) => verify.run(),
        }
    }
}

/// Where reports are kept, and their history.
#[derive(Args)]
struct Reports {
    /// Directory of the reports
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
}

impl Reports {
    /// The history; what of it cannot be read is said.
    fn history(&self) -> Result<History> {
        let history = History::read(&self.reports)?;
        for line in &history.unreadable {
            Progress::new().line(&format!("warning: {line}"));
        }
        Ok(history)
    }
}

/// Says what was wrong with the command line.
fn usage(error: &anyhow::Error) -> u8 {
    Progress::new().line(&format!("error: {error:#}"));
    exit::USAGE
}

/// Prints a result for people.
fn print(text: &str) -> Result<()> {
    print_escaped(&wrapped(&text::printable_lines(text.trim_end()), &io::stdout()))
}

/// Prints a result whose first line has the verdict, in the colour of its tone.
fn print_verdict(text: &str, tone: &str, color: Color) -> Result<()> {
    let text = wrapped_report(&text::printable_lines(text.trim()), &io::stdout());
    let number = match tone {
        "pass" => 32,
        "fail" => 31,
        _ => 33,
    };
    match text.split_once('\n').filter(|_| color.is_wanted(&io::stdout())) {
        Some((verdict, rest)) => print_escaped(&format!("\n\u{1b}[1;{number}m{verdict}\u{1b}[0m\n{rest}")),
        None => print_escaped(&format!("\n{text}")),
    }
}

/// Prints a result as JSON.
fn print_json(value: &impl Serialize) -> Result<()> {
    print_escaped(&text::printable_json(&serde_json::to_string_pretty(value)?))
}

/// A reader that has gone away is no failure.
fn print_escaped(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

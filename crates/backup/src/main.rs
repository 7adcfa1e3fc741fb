//! The program `backup`: see `backup --help`.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli::start();
    let result = match &cli.command {
        cli::Command::Take(command) => command.run(cli.json),
        cli::Command::List(command) => command.run(cli.json),
        cli::Command::Verify(command) => command.run(cli.json),
        cli::Command::Restore(command) => command.run(cli.json),
        cli::Command::Prune(command) => command.run(cli.json),
    };
    cli::end(result)
}

//! The program `backup`: see `backup --help`.

#![warn(unreachable_pub)]

mod cli;
mod signals;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli::start(&cli);
    signals::obey();
    let result = match &cli.command {
        cli::Command::Take(command) => command.run(cli.json),
        cli::Command::List(command) => command.run(cli.json),
        cli::Command::Trust(command) => command.run(cli.json),
        cli::Command::Verify(command) => command.run(cli.json),
        cli::Command::Restore(command) => command.run(cli.json),
        cli::Command::Prune(command) => command.run(cli.json),
        cli::Command::Push(command) => command.run(cli.json),
        cli::Command::Pull(command) => command.run(cli.json),
    };
    cli::end(result)
}

//! The program `drill`.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use drill::exit;
use drill::progress::Progress;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::Cli::parse().run().await {
        Ok(code) => code.into(),
        Err(error) => {
            Progress::new().line(&format!("error: {error:#}"));
            exit::ABORTED.into()
        }
    }
}

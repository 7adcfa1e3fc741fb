//! The program `app`: reads its configuration, serves until it is asked to stop.
//!
//! Exit codes are part of the contract: 0 stopped on request, 1 failed, 2 wrong usage (clap's own code).

use std::process::ExitCode;

use app::config::Config;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    app::logging::start(config.log_format, config.log_level);
    match app::server::serve(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

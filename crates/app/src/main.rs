//! The program `app`: reads its configuration, serves until it is asked to stop.
//!
//! Exit codes are part of the contract: 0 stopped on request, 1 failed, 2 usage error (clap's own code).

use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::Context;
use app::bounds::THREADS_MAX;
use app::config::Config;
use clap::Parser;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let config = Config::parse();
    app::logging::start(config.log_format, config.color, config.log_level);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    let threads = available_parallelism().map_or(1, |threads| threads.get().min(THREADS_MAX));
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(threads).max_blocking_threads(THREADS_MAX).enable_all();
    let runtime = runtime.build().context("cannot start threads")?;
    let served = runtime.block_on(app::server::serve(config));
    // A repository that is being read for ever must not keep the process from ending.
    runtime.shutdown_background();
    served
}

//! The program `drill`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    drill::cli::main().await
}

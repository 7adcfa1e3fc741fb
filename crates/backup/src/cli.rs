//! The command line: what is read from it, and how the program starts and ends. One file for each subcommand.

mod keys;
mod list;
mod output;
mod prune;
mod pull;
mod push;
mod remote;
mod restore;
mod take;
mod trust;
mod verify;

use std::io::{self, Write};
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;

use backup::restore::LineageChoice;
use backup::text::{self, Color};
use backup::{Repository, exit};
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use tracing_subscriber::filter::LevelFilter;

/// Takes, verifies, restores and prunes restore points of a SQLite database, and copies them to remote storage
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Print the result as JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Print no result; log only warnings and errors
    #[arg(long, global = true, conflicts_with = "json")]
    pub quiet: bool,
    /// Whether to colour the log
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    color: Color,
    /// Log level (logs go to stderr): off, error, warn, info, debug or trace
    #[arg(long, alias = "log", global = true, value_name = "LEVEL", env = "BACKUP_LOG", default_value_t = LevelFilter::INFO)]
    log_level: LevelFilter,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(after_help = exit::HELP)]
    Take(take::Take),
    #[command(after_help = exit::HELP)]
    List(list::List),
    #[command(after_help = exit::HELP)]
    Trust(trust::Trust),
    #[command(after_help = exit::HELP)]
    Verify(verify::Verify),
    #[command(after_help = exit::HELP)]
    Restore(restore::Restore),
    #[command(after_help = exit::HELP)]
    Prune(prune::Prune),
    #[command(after_help = exit::HELP)]
    Push(push::Push),
    #[command(after_help = exit::HELP)]
    Pull(pull::Pull),
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseArg {
    /// The live database
    #[arg(long, value_name = "PATH", env = "DB_PATH", default_value = "/data/app.db", value_parser = file_path())]
    pub database: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RepositoryArg {
    /// Directory that holds the restore points
    #[arg(long, value_name = "DIR", env = "BACKUP_DIR", default_value = "/backup")]
    repository: PathBuf,
}

/// Of which database, where the repository holds several.
#[derive(Debug, Args)]
pub(crate) struct WhoseArgs {
    /// Only restore points of this lineage: the beginning of its id, as `list` shows it, or `none` for databases
    /// without one
    #[arg(long, value_name = "ID")]
    lineage: Option<LineageChoice>,
    /// Only restore points of the database that `take --name` gave this name
    #[arg(long = "name", id = "source", value_name = "NAME")]
    name: Option<String>,
}

impl RepositoryArg {
    pub(crate) fn open(&self) -> Repository {
        Repository::at(&self.repository)
    }
}

/// Reads the path of a file, which the operating system would call "not a directory" if it ended with a slash.
fn file_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let is_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if is_directory {
            Err("it ends with a slash, so it is a directory; give the path of the file")
        } else {
            Ok(path)
        }
    })
}

/// A fault of the program is told like any other, in one line.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let words = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
    tracing::error!("bug in this program or a library, at {place}: {}", words.unwrap_or_default());
}

/// What is logged, without the secrets of the environment: a library may log whatever it sends.
struct Redacted;

impl Write for Redacted {
    /// Whole events.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = backup::remote::redacted(&String::from_utf8_lossy(event));
        io::stderr().write_all(text.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Keeps what is in memory, credentials, keys and rows, from the file of a crash and from other processes of this user.
fn seclude() {
    let secluded = prctl::set_dumpable(false).and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 0));
    if let Err(error) = secluded {
        tracing::warn!("cannot disable core files, so a crash may write memory, including keys, to disk: {error}");
    }
}

/// Logs to stderr, and turns a file size limit into an error instead of a death by signal.
pub(crate) fn start(cli: &Cli) {
    if cli.quiet {
        output::silence();
    }
    let level = if cli.quiet { cli.log_level.min(LevelFilter::WARN) } else { cli.log_level };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| Redacted)
        .with_ansi(cli.color.is_wanted(&io::stderr()))
        .with_target(false)
        .fmt_fields(text::log_fields())
        .init();
    panic::set_hook(Box::new(log_panic));
    seclude();
    let mut limits = SigSet::empty();
    limits.add(Signal::SIGXFSZ);
    if let Err(error) = limits.thread_block() {
        tracing::warn!("cannot block SIGXFSZ: {error}");
    }
}

/// Logs an error, once, and gives the code for it.
pub(crate) fn end(result: anyhow::Result<u8>) -> ExitCode {
    let code = result.unwrap_or_else(|error| {
        if output::is_closed(&error) {
            return exit::OK;
        }
        tracing::error!("{error:#}");
        error.downcast_ref().map_or(exit::FAILED, backup::Error::exit_code)
    });
    ExitCode::from(code)
}

//! What the service can be told, by flag or by environment variable; a flag wins.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum, value_parser};
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

use crate::store::{OnError, Protect, Settings};

/// Serves messages over HTTP from one SQLite database, and acknowledges a write only once it is on disk.
///
/// Once it serves, it prints one line of JSON on stdout: {"listening":"127.0.0.1:8080","pid":123}. Logs go to stderr.
#[derive(Clone, Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 stopped on request (SIGTERM, SIGINT), 1 failed, 2 wrong usage.")]
pub struct Config {
    /// The database; created if there is none, in a directory that exists
    #[arg(long, env = "DB_PATH", default_value = "/data/app.db", value_name = "FILE")]
    pub db_path: PathBuf,

    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// A second address for /live and /health alone, answered by a thread of its own: clients that keep the first one busy
    /// do not make a probe fail
    #[arg(long, env = "PROBE_LISTEN", value_name = "ADDRESS:PORT")]
    pub probe_listen: Option<SocketAddr>,

    /// The repository of restore points that /status reports on
    #[arg(long, env = "BACKUP_DIR", value_name = "DIRECTORY")]
    pub backup_dir: Option<PathBuf>,

    /// Refuse to create a database while the repository holds a restore point: it has to be restored first
    #[arg(long, env = "RESTORE_FIRST", requires = "backup_dir")]
    pub restore_first: bool,

    /// Whether what is acknowledged survives the loss of the database's volume: each write goes to a journal in the
    /// repository first
    #[arg(long, env = "PROTECT", value_enum, default_value_t = ProtectBy::None, requires_if("sync", "backup_dir"))]
    pub protect: ProtectBy,

    /// What to do while the journal cannot be written: store nothing, or serve on unprotected and say so
    #[arg(long, env = "PROTECT_ON_ERROR", value_enum, default_value_t = OnError::Refuse)]
    pub protect_on_error: OnError,

    /// Once, after a restore: replay the journal up to this time and leave behind what came later
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,

    /// Move the `-wal` file into the database after about so many pages of it; 0 leaves that to another program, such as
    /// Litestream, which then has to do it
    #[arg(long, env = "WAL_AUTOCHECKPOINT", default_value_t = 1000, value_name = "PAGES",
        value_parser = value_parser!(u32).range(0..=1_000_000))]
    pub wal_autocheckpoint: u32,

    /// How many writes may wait for the disk before the service answers 503
    #[arg(long, env = "QUEUE_DEPTH", default_value_t = 1024, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub queue_depth: u32,

    /// Store only messages of clients that send the token in this file: `Authorization: Bearer TOKEN`
    #[arg(long, env = "WRITE_TOKEN_FILE", value_name = "FILE")]
    pub write_token_file: Option<PathBuf>,

    /// Store no messages at all: writes are answered 403
    #[arg(long, env = "READ_ONLY")]
    pub read_only: bool,

    /// Host names that the service answers to, separated by commas, besides IP addresses and localhost. A request for another
    /// host gets 403. Without this option, the service answers to any name
    #[arg(long, env = "ALLOWED_HOSTS", value_name = "HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,

    /// Tell whole paths in /status, and not only the names of files
    #[arg(long, env = "STATUS_PATHS")]
    pub status_paths: bool,

    /// How many clients may be connected; then a newcomer takes the place of one that never asked for anything, or is answered
    /// 503. Each costs 27 KiB of memory
    #[arg(
        long,
        env = "CONNECTIONS_MAX",
        default_value_t = 1536,
        value_name = "NUMBER",
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    pub connections_max: u32,

    /// How long a client may take to send a request, or to take its answer, before it is cut off
    #[arg(
        long,
        env = "CLIENT_TIMEOUT_SECONDS",
        default_value_t = 20,
        value_name = "SECONDS",
        value_parser = value_parser!(u32).range(1..=3600)
    )]
    pub client_timeout_seconds: u32,

    /// How logs are written
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// The least severe level that is logged: off, error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", default_value_t = LevelFilter::INFO)]
    pub log_level: LevelFilter,
}

impl Config {
    /// How the store protects what it acknowledges.
    pub fn protection(&self) -> Protect {
        match (self.protect, self.backup_dir.clone()) {
            (ProtectBy::Sync, Some(repository)) => {
                Protect::Sync(Settings { repository, on_error: self.protect_on_error, until: self.until })
            }
            (_, repository) => Protect::No(repository),
        }
    }
}

/// How what is acknowledged is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtectBy {
    /// By restore points alone.
    None,
    /// By a journal that is on disk before anything is acknowledged.
    Sync,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line a record, for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

//! What the service can be told, by flag or by environment variable; a flag wins.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use backup::text::Color;
use backup::{Repository, said};
use clap::{Parser, ValueEnum, value_parser};
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

use crate::store::{OnError, Protect, Protection};

/// Serves messages over HTTP from one SQLite database, and acknowledges a write only once it is on disk.
///
/// Once it serves, it prints one line of JSON on stdout: {"listening":"127.0.0.1:8080","pid":123}. Logs go to stderr.
#[derive(Clone, Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 stopped on request (SIGTERM, SIGINT), 1 failed, 2 wrong usage.")]
pub struct Config {
    /// The database; created if there is none, in a directory that exists
    #[arg(long, alias = "db-path", env = "DB_PATH", default_value = "/data/app.db", value_name = "FILE")]
    pub database: PathBuf,

    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// A second address for /live and /health alone, answered by a thread of its own: clients that keep the first one busy
    /// do not make a probe fail
    #[arg(long, env = "PROBE_LISTEN", value_name = "ADDRESS:PORT")]
    pub probe_listen: Option<SocketAddr>,

    /// The repository of restore points that /status reports on
    #[arg(long, alias = "backup-dir", env = "BACKUP_DIR", value_name = "DIRECTORY")]
    pub repository: Option<PathBuf>,

    /// Refuse to create a database while the repository holds a restore point: it has to be restored first
    #[arg(long, env = "RESTORE_FIRST", requires = "repository")]
    pub restore_first: bool,

    /// Whether what is acknowledged survives the loss of the database's volume: each write goes to a journal in the
    /// repository first
    #[arg(long, env = "PROTECT", value_enum, default_value_t = Protect::None, requires_if("sync", "repository"))]
    pub protect: Protect,

    /// What to do while the journal cannot be written: store nothing, or serve on unprotected and say so
    #[arg(long, env = "PROTECT_ON_ERROR", value_enum, default_value_t = OnError::Refuse)]
    pub protect_on_error: OnError,

    /// Once, after a restore: replay the journal up to this time and leave behind what came later
    #[arg(long, value_name = "TIME", value_parser = said::time)]
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
    #[arg(long, env = "CLIENT_TIMEOUT", default_value = "20s", value_name = "DURATION", value_parser = client_timeout)]
    client_timeout: Duration,

    /// The same in seconds, as it was called before
    #[arg(long, hide = true, env = "CLIENT_TIMEOUT_SECONDS", value_parser = value_parser!(u32).range(1..=3600))]
    client_timeout_seconds: Option<u32>,

    /// How logs are written
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Whether logs of that kind have colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,

    /// The least severe level that is logged: off, error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", default_value_t = LevelFilter::INFO)]
    pub log_level: LevelFilter,
}

impl Config {
    /// How the store protects what it acknowledges, in a repository that was opened.
    pub fn protection(&self, repository: Option<Repository>) -> Protection {
        Protection { protect: self.protect, repository, on_error: self.protect_on_error, until: self.until }
    }

    /// How long a client may take.
    pub fn patience(&self) -> Duration {
        self.client_timeout_seconds.map_or(self.client_timeout, |seconds| Duration::from_secs(seconds.into()))
    }
}

fn client_timeout(text: &str) -> Result<Duration, String> {
    let given = said::duration(text)?;
    let range = Duration::from_secs(1)..=Duration::from_secs(3600);
    if range.contains(&given) { Ok(given) } else { Err("expected 1s to 1h".to_owned()) }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line a record, for people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_by_their_earlier_names_too() {
        let read = |options: &str| Config::try_parse_from(options.split(' ')).unwrap();
        let new = read("app --database a.db --repository b --client-timeout 90s");
        let old = read("app --db-path a.db --backup-dir b --client-timeout-seconds 90");
        assert_eq!((&new.database, &new.repository), (&old.database, &old.repository));
        assert_eq!((new.patience(), old.patience()), (Duration::from_secs(90), Duration::from_secs(90)));
        for timeout in ["0s", "2h", "20"] {
            assert!(Config::try_parse_from(["app", "--client-timeout", timeout]).is_err(), "{timeout}");
        }
    }
}

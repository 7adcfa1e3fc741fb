//! Configuration of the service, by flag or environment variable; a flag takes precedence.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use backup::text::Color;
use backup::{Repository, said};
use clap::{Parser, ValueEnum, value_parser};
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

use crate::store::{OnError, Protect, Protection};

/// Serves messages from a SQLite database over HTTP and acknowledges a write only once it is on disk.
///
/// When it is ready, it prints one line of JSON on stdout: {"listening":"127.0.0.1:8080","pid":123}. Logs go to stderr.
#[derive(Clone, Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 stopped on request (SIGTERM, SIGINT), 1 failed, 2 usage error.")]
pub struct Config {
    /// Database file; created if missing, but its directory must exist
    #[arg(long, alias = "db-path", env = "DB_PATH", default_value = "/data/app.db", value_name = "FILE")]
    pub database: PathBuf,

    /// Address to listen on; port 0 picks a free port
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// Second address, for /live and /health only, served by its own thread so that probes succeed even when clients
    /// keep the main address busy
    #[arg(long, env = "PROBE_LISTEN", value_name = "ADDRESS:PORT")]
    pub probe_listen: Option<SocketAddr>,

    /// Repository of restore points that /status reports on
    #[arg(long, alias = "backup-dir", env = "BACKUP_DIR", value_name = "DIRECTORY")]
    pub repository: Option<PathBuf>,

    /// Refuse to create a new database while the repository holds a restore point, which should be restored first
    #[arg(long, env = "RESTORE_FIRST", requires = "repository")]
    pub restore_first: bool,

    /// How acknowledged writes survive the loss of the database's volume
    #[arg(long, env = "PROTECT", value_enum, default_value_t = Protect::None, requires_if("sync", "repository"))]
    pub protect: Protect,

    /// What to do while the journal cannot be written
    #[arg(long, env = "PROTECT_ON_ERROR", value_enum, default_value_t = OnError::Refuse)]
    pub protect_on_error: OnError,

    /// Replay the journal only up to this time and leave everything later behind; use once, after a restore
    #[arg(long, value_name = "TIME", value_parser = said::time)]
    pub until: Option<Timestamp>,

    /// Checkpoint the `-wal` file when it reaches about this many pages; 0 leaves checkpoints to another program, such
    /// as Litestream
    #[arg(long, env = "WAL_AUTOCHECKPOINT", default_value_t = 1000, value_name = "PAGES",
        value_parser = value_parser!(u32).range(0..=1_000_000))]
    pub wal_autocheckpoint: u32,

    /// Maximum number of writes waiting for the disk; further writes get 503
    #[arg(long, env = "QUEUE_DEPTH", default_value_t = 1024, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub queue_depth: u32,

    /// Require the token in this file for writes: `Authorization: Bearer TOKEN`
    #[arg(long, env = "WRITE_TOKEN_FILE", value_name = "FILE")]
    pub write_token_file: Option<PathBuf>,

    /// Refuse all writes with 403
    #[arg(long, env = "READ_ONLY")]
    pub read_only: bool,

    /// Host names to accept besides IP addresses and localhost, separated by commas. Requests for other hosts get 403.
    /// Without this option, any host name is accepted
    #[arg(long, env = "ALLOWED_HOSTS", value_name = "HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,

    /// Show full paths in /status instead of file names only
    #[arg(long, env = "STATUS_PATHS")]
    pub status_paths: bool,

    /// Maximum number of connections, 27 KiB of memory each. At the limit, a new client replaces one that has never
    /// sent a request, or gets 503
    #[arg(
        long,
        env = "CONNECTIONS_MAX",
        default_value_t = 1536,
        value_name = "NUMBER",
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    pub connections_max: u32,

    /// Time a client has to send a request or to receive its response before it is disconnected
    #[arg(long, env = "CLIENT_TIMEOUT", default_value = "20s", value_name = "DURATION", value_parser = client_timeout)]
    client_timeout: Duration,

    /// Former name of --client-timeout, in seconds
    #[arg(long, hide = true, env = "CLIENT_TIMEOUT_SECONDS", value_parser = value_parser!(u32).range(1..=3600))]
    client_timeout_seconds: Option<u32>,

    /// Log format
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Whether to colour text logs
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,

    /// Log level: off, error, warn, info, debug or trace
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
    /// One line per record, for people
    Text,
    /// One JSON object per line, for programs
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

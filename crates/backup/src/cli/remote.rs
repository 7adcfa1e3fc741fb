//! Options for the remote repository and its connection.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use backup::remote::head::Head;
use backup::remote::lock::{Lock, LockMode};
use backup::remote::{Options, Remote};
use backup::{Error, said};
use clap::{Args, ValueEnum as _};
use jiff::Timestamp;

const VARIABLE: &str = "BACKUP_REMOTE";

const LOCK_FOR: &str = "BACKUP_LOCK_FOR";

const LOCK_MODE: &str = "BACKUP_LOCK_MODE";

/// The remote repository, where it has to be given, if it is needed at all.
#[derive(Debug, Args)]
pub(super) struct RemoteArg {
    /// The remote repository: s3://BUCKET/PREFIX, gs://…, az://… or file:///DIRECTORY. Credentials come from the
    /// environment (AWS_…, GOOGLE_…, AZURE_…); an http:// endpoint also needs AWS_ALLOW_HTTP=true or
    /// AZURE_ALLOW_HTTP=true
    #[arg(long, value_name = "URL", env = VARIABLE, hide_env_values = true)]
    remote: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// The remote repository instead of the local one. A variable that is set for pushes must not turn a prune elsewhere.
#[derive(Debug, Args)]
pub(super) struct InsteadArg {
    /// Use the remote repository instead [default URL: BACKUP_REMOTE]
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    remote: Option<Option<String>>,
    #[command(flatten)]
    store: StoreArgs,
}

/// How far a remote repository is known to be.
#[derive(Debug, Args)]
pub(super) struct HeadArgs {
    /// Fail unless the remote repository contains this record: a head that push, pull or list --remote printed
    #[arg(long, value_name = "INDEX:DIGEST", env = "BACKUP_EXPECT_HEAD")]
    expect_head: Option<Head>,
}

impl HeadArgs {
    pub(super) fn expected(&self) -> Option<Head> {
        self.expect_head.clone()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Remote repository")]
pub(super) struct StoreArgs {
    /// Timeout of one request, which transfers at most 8 MiB
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "60s")]
    remote_timeout: Duration,
    /// How often to retry a request after a temporary failure
    #[arg(long, value_name = "N", default_value_t = 4)]
    remote_retries: usize,
    /// Additional CA certificates to trust (PEM)
    #[arg(long, value_name = "FILE", env = "BACKUP_REMOTE_CA")]
    remote_ca: Option<PathBuf>,
}

/// How long what is kept in a remote repository is locked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Locks")]
pub(super) struct LockArgs {
    /// Lock objects that this writes or keeps in the bucket (S3 Object Lock) for this long, such as 30d. A lock is
    /// renewed after a tenth of its time [default: BACKUP_LOCK_FOR; without it, nothing is locked]
    #[arg(long, value_name = "DURATION", value_parser = said::days)]
    lock_for: Option<Duration>,
    /// Retention mode of the lock [default: BACKUP_LOCK_MODE, or else governance]
    #[arg(long, value_name = "MODE", value_enum)]
    lock_mode: Option<LockMode>,
}

impl RemoteArg {
    pub(super) fn open(&self, lock: Option<Lock>) -> Result<Remote, Error> {
        self.store.open(self.remote.clone(), lock)
    }
}

impl LockArgs {
    /// Whether one was asked for here, not by a variable.
    pub(super) fn is_given(&self) -> bool {
        self.lock_for.is_some() || self.lock_mode.is_some()
    }

    /// The lock, as it was asked for.
    pub(super) fn lock(&self) -> Result<Option<Lock>, Error> {
        let span = read(self.lock_for, LOCK_FOR, said::days)?;
        let mode = read(self.lock_mode, LOCK_MODE, |text| LockMode::from_str(text, true))?;
        let refused = |reason: &str| Err(Error::RemoteAddress { reason: reason.to_owned() });
        match (span, mode) {
            (Some(Duration::ZERO), _) => {
                refused("a lock of zero duration locks nothing; give a longer one, or omit it")
            }
            (None, Some(_)) => refused("--lock-mode needs --lock-for, the duration of the lock"),
            (span, mode) => Ok(span.map(|span| Lock { mode: mode.unwrap_or(LockMode::Governance), span })),
        }
    }
}

/// What was given, or what a variable says, unless it is empty.
fn read<T>(given: Option<T>, variable: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Error> {
    match env::var(variable) {
        Ok(text) if given.is_none() && !text.is_empty() => {
            let unfit = |reason: String| Error::RemoteAddress { reason: format!("{variable} is {text:?}: {reason}") };
            parse(&text).map(Some).map_err(unfit)
        }
        _ => Ok(given),
    }
}

impl InsteadArg {
    /// `None` if the local repository is meant.
    pub(super) fn open(&self, lock: Option<&LockArgs>) -> Result<Option<Remote>, Error> {
        let Some(given) = &self.remote else { return Ok(None) };
        let lock = lock.map(LockArgs::lock).transpose()?.flatten();
        self.store.open(given.clone().or_else(|| env::var(VARIABLE).ok()), lock).map(Some)
    }
}

impl StoreArgs {
    fn open(&self, url: Option<String>, lock: Option<Lock>) -> Result<Remote, Error> {
        let missing = || Error::RemoteAddress { reason: format!("no URL given; use --remote URL or set {VARIABLE}") };
        let url = url.filter(|url| !url.is_empty()).ok_or_else(missing)?;
        let (timeout, retries, ca) = (self.remote_timeout, self.remote_retries, self.remote_ca.clone());
        Remote::open(&url, &Options { timeout, retries, ca, lock })
    }
}

/// As it was at a time, if one is given.
pub(super) fn as_of(remote: Remote, time: Option<Timestamp>) -> Result<Remote, Error> {
    match time {
        Some(time) => remote.as_of(time),
        None => Ok(remote),
    }
}

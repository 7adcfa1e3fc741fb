//! Which remote repository, and how it is spoken to.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use backup::Error;
use backup::remote::head::Head;
use backup::remote::{Options, Progress, Remote};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::duration;

const VARIABLE: &str = "BACKUP_REMOTE";

/// The remote repository, where it has to be given, if it is needed at all.
#[derive(Debug, Args)]
pub struct RemoteArg {
    /// The remote repository: s3://BUCKET/PREFIX, gs://…, az://… or file:///DIRECTORY. The credentials are those of the
    /// environment: AWS_…, GOOGLE_…, AZURE_…; an endpoint of http:// also takes AWS_ALLOW_HTTP=true or AZURE_ALLOW_HTTP=true
    #[arg(long, value_name = "URL", env = VARIABLE, hide_env_values = true)]
    remote: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// The remote repository instead of the local one. A variable that is set for pushes must not turn a prune elsewhere.
#[derive(Debug, Args)]
pub struct InsteadArg {
    /// Look at the remote repository instead [default of URL: what BACKUP_REMOTE says]
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    remote: Option<Option<String>>,
    #[command(flatten)]
    store: StoreArgs,
}

/// How far a remote repository is known to be.
#[derive(Debug, Args)]
pub struct HeadArgs {
    /// Fail if the remote repository does not hold this record or later ones: the head that a push, a pull or a list printed
    #[arg(long, value_name = "INDEX:DIGEST", env = "BACKUP_EXPECT_HEAD")]
    expect_head: Option<Head>,
}

impl HeadArgs {
    pub fn expected(&self) -> Option<Head> {
        self.expect_head.clone()
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Remote repository")]
pub struct StoreArgs {
    /// How long one request may take, for at most 8 MiB
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "60s")]
    remote_timeout: Duration,
    /// How often a request that failed for a reason that may pass is sent again
    #[arg(long, value_name = "N", default_value_t = 4)]
    remote_retries: usize,
    /// Certificates to trust beside the well-known ones, in PEM
    #[arg(long, value_name = "FILE", env = "BACKUP_REMOTE_CA")]
    remote_ca: Option<PathBuf>,
}

impl RemoteArg {
    pub fn open(&self) -> Result<Remote, Error> {
        self.store.open(self.remote.clone())
    }
}

impl InsteadArg {
    /// `None` if the local repository is meant.
    pub fn open(&self) -> Result<Option<Remote>, Error> {
        let Some(given) = &self.remote else { return Ok(None) };
        self.store.open(given.clone().or_else(|| env::var(VARIABLE).ok())).map(Some)
    }
}

impl StoreArgs {
    fn open(&self, url: Option<String>) -> Result<Remote, Error> {
        let missing = || Error::RemoteAddress { reason: format!("give --remote a URL, or set {VARIABLE}") };
        let url = url.filter(|url| !url.is_empty()).ok_or_else(missing)?;
        let (timeout, retries, ca) = (self.remote_timeout, self.remote_retries, self.remote_ca.clone());
        Remote::open(&url, &Options { timeout, retries, ca })
    }
}

/// On stderr, and only if that is a terminal.
pub fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

pub fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

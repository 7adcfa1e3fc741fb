//! Where reports are kept, and how.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::report::evidence::SigningKey;
use crate::report::history;

#[derive(Args)]
pub(super) struct Archive {
    /// Directory for the reports, one folder each
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Commit under test, stated in the reports
    #[arg(long, value_name = "HASH", env = "DRILL_COMMIT")]
    commit: Option<String>,
    /// File with the newest run of each scenario, for the textfile collector of Prometheus
    #[arg(long, value_name = "FILE")]
    prometheus_textfile: Option<PathBuf>,
    /// Private ed25519 key (PEM) that signs reports, summaries and the history; see `drill verify-evidence`
    #[arg(long, value_name = "FILE", env = "DRILL_SIGN_KEY", hide_env_values = true)]
    sign_key: Option<PathBuf>,
}

impl Archive {
    /// # Errors
    /// If there is to be a signature and the key is none, or the history that it would sign is not as it was signed.
    pub(super) fn open(&self) -> Result<crate::report::Archive> {
        let read = |path: &PathBuf| -> Result<SigningKey> {
            let (key, exposed) = SigningKey::read_exposed(path)?;
            if let Some(exposed) = exposed {
                Progress::new().line(&format!("warning: the signing key {}: {exposed}", path.display()));
            }
            Ok(key)
        };
        let key = self.sign_key.as_ref().map(read).transpose()?;
        if let Some(key) = &key {
            history::check_head(&self.reports, key)?;
        }
        Ok(crate::report::Archive {
            directory: self.reports.clone(),
            commit: self.commit.clone(),
            textfile: self.prometheus_textfile.clone(),
            key,
        })
    }
}

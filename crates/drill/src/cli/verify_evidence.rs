use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use drill::evidence::{Finding, PublicKey, verify};
use drill::exit;
use drill::progress::Progress;

use super::{print, usage};

/// Check that a signed report is as it was signed: no file changed, missing or added
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  as it was signed, with this key
  1  a file or the signature was changed, is missing or was added, or another key signed it
  2  usage: no such folder, or not a key")]
pub struct VerifyEvidence {
    /// Folder of the report
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Public key, in PEM, of whoever is to have signed it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl VerifyEvidence {
    pub fn run(self) -> Result<u8> {
        let found = PublicKey::read(&self.key).map_err(anyhow::Error::from).and_then(|key| verify(&self.folder, &key));
        match found {
            Err(error) => Ok(usage(&error)),
            Ok(Finding::Intact(report)) => {
                print(&format!(
                    "as it was signed: {}, {}, run {} of {:.0}",
                    report.series, report.verdict, report.run, report.started_at
                ))?;
                Ok(exit::PASS)
            }
            Ok(Finding::Tampered(lines)) => {
                for line in lines {
                    Progress::new().line(&format!("error: {}: {line}", self.folder.display()));
                }
                Ok(exit::FAIL)
            }
        }
    }
}

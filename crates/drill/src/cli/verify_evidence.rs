use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{print, usage};
use crate::exit;
use crate::progress::Progress;
use crate::report::evidence::{Finding, Predicate, PublicKey, verify};
use crate::report::history::{Audit, audit};

/// Check that a signed report or summary is as it was signed: no file changed, missing or added
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  as it was signed, with this key
  1  a file, the history or a signature was changed, is missing or was added, the folder goes by the name of another run,
     or another key signed it
  2  usage: no such folder, or not a key")]
pub(super) struct VerifyEvidence {
    /// Folder of the report or the summary
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Public key, in PEM, of whoever is to have signed it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// FOLDER is the directory of all reports: check the history, and each report and summary there
    #[arg(long)]
    history: bool,
}

impl VerifyEvidence {
    pub(super) fn run(self) -> Result<u8> {
        let checked = PublicKey::read(&self.key).map_err(anyhow::Error::from).and_then(|key| match self.history {
            true => audit(&self.folder, &key).map(audited),
            false => verify(&self.folder, &key).map(|finding| match finding {
                Finding::Intact(signed) => (vec![format!("as it was signed: {}", in_short(&signed))], Vec::new()),
                Finding::Tampered(wrong) => (Vec::new(), wrong),
            }),
        });
        let (said, wrong) = match checked {
            Err(error) => return Ok(usage(&error)),
            Ok(checked) => checked,
        };
        for line in &wrong {
            Progress::new().line(&format!("error: {}: {line}", self.folder.display()));
        }
        if !said.is_empty() {
            print(&said.join("\n"))?;
        }
        Ok(if wrong.is_empty() { exit::PASS } else { exit::FAIL })
    }
}

fn in_short(signed: &Predicate) -> String {
    match signed {
        Predicate::Report(signed) => {
            let run = &signed.essence;
            let head = signed.remote_head.as_ref().map_or(String::new(), |head| format!("; remote head {head}"));
            format!("{}, {}, run {} of {:.0}{head}", run.series, run.verdict, run.run, run.started_at)
        }
        Predicate::Summary(brief) => {
            let as_expected = brief.runs.iter().filter(|run| run.as_expected).count();
            let (runs, first, platform) = (brief.runs.len(), &brief.first_run, &brief.platform);
            format!("a summary of {runs} runs on {platform} from {first} on, {as_expected} of them as expected")
        }
        Predicate::History(head) => format!("a history of {} lines", head.prefix.lines),
    }
}

/// What there is to say of an audit, and what is wrong.
fn audited(audit: Audit) -> (Vec<String>, Vec<String>) {
    let Audit { tampered, head, added, intact, absent, unsigned } = audit;
    let mut said = Vec::new();
    if let Some(head) = head {
        let without_key: u64 = head.unsigned.iter().map(|(first, last)| last - first + 1).sum();
        let (lines, sha256) = (head.prefix.lines, &head.prefix.sha256);
        said.push(format!("the history is as it was signed: {lines} lines, SHA-256 {sha256}"));
        if without_key + added > 0 {
            said.push(format!("lines that nobody signed: {without_key} before the last signed one, {added} after it"));
        }
    }
    said.push(format!("reports and summaries as they were signed: {intact}"));
    if absent > 0 {
        said.push(format!("signed runs whose reports are not here: {absent}"));
    }
    if unsigned > 0 {
        said.push(format!("folders that nobody signed: {unsigned}"));
    }
    (said, tampered)
}

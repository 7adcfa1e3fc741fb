//! A signed history: whoever adds a run with a key signs every line there is by then, and says which of them were added
//! without it.
//!
//! Beside that, each signed report says how much history there was before it: a history that was put back to what it was
//! earlier, with the signature of then, lacks what a younger report has seen.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{bytes, path};
use crate::report::Essence;
use crate::report::evidence::{self, Finding, Head, Predicate, Prefix, PublicKey, SignedRun, SigningKey, Statement};

/// The file beside the history that holds its signature.
pub(super) const FILE: &str = "history.dsse.json";

/// Signs the history as it is now, whose last line was added with the key after it was found to begin with `before`.
pub(super) fn sign(directory: &Path, before: Option<Head>, key: &SigningKey) -> Result<()> {
    let prefix = Prefix::of(&bytes(directory)?);
    let (signed, mut unsigned) = before.map_or((0, Vec::new()), |head| (head.prefix.lines, head.unsigned));
    if signed + 1 < prefix.lines {
        unsigned.push((signed + 1, prefix.lines - 1));
    }
    let (name, sha256) = (path(directory), prefix.sha256.clone());
    let name = name.file_name().unwrap_or_default().to_string_lossy();
    let head = Predicate::History(Head { schema_version: 1, prefix, unsigned });
    evidence::seal(&directory.join(FILE), &Statement::of_file(&name, sha256, head), key)
}

/// How much history there is by now.
pub(crate) fn prefix(directory: &Path) -> Result<Prefix> {
    Ok(Prefix::of(&bytes(directory)?))
}

/// What was signed of a history, which it still begins with; `None` if nothing was.
///
/// # Errors
/// If it was changed since, or another key signed it; the error says what to do.
pub(crate) fn check_head(directory: &Path, key: &SigningKey) -> Result<Option<Head>> {
    let file = directory.join(FILE);
    if fs::symlink_metadata(&file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    match read_head(directory, &key.public(), &bytes(directory)?) {
        Ok(head) => Ok(Some(head)),
        Err(wrong) => bail!(
            "{} is not as it was signed: {wrong}; keep both files to find out what happened, with the public key of whoever \
             signed them: drill verify-evidence --history {}. To begin a new history with this key, move both elsewhere",
            path(directory).display(),
            directory.display()
        ),
    }
}

/// The head that a history begins with; else what is wrong.
fn read_head(directory: &Path, key: &PublicKey, history: &[u8]) -> Result<Head, String> {
    let head = match evidence::open(&directory.join(FILE), key)?.predicate {
        Predicate::History(head) => head,
        _ => return Err(format!("what was signed in {FILE} is not a history")),
    };
    if head.prefix.begins(history) {
        return Ok(head);
    }
    let (signed, found) = (&head.prefix, Prefix::of(history));
    Err(match signed.bytes > found.bytes {
        true => format!("{} lines were signed, {} are there", signed.lines, found.lines),
        false => format!("the first {} lines are not those that were signed", signed.lines),
    })
}

/// What a look at a history and the reports beside it came to.
pub(crate) struct Audit {
    /// What is not as it was signed, a line each.
    pub tampered: Vec<String>,
    /// The head of the history; none if it is among what was tampered with.
    pub head: Option<Head>,
    /// Lines that were added since, without the key.
    pub added: u64,
    /// Reports and summaries beside it that are as they were signed.
    pub intact: usize,
    /// Runs of signed lines whose reports are elsewhere or gone.
    pub absent: usize,
    /// Folders that nobody signed, of runs that nobody vouches for.
    pub unsigned: usize,
}

/// Holds a history against its signature, against every signed report beside it, and those against theirs.
///
/// # Errors
/// Only if something cannot be read; whatever is wrong with it is in the [`Audit`].
pub(crate) fn audit(directory: &Path, key: &PublicKey) -> Result<Audit> {
    let history = bytes(directory)?;
    let mut audit = Audit { tampered: Vec::new(), head: None, added: 0, intact: 0, absent: 0, unsigned: 0 };
    match read_head(directory, key, &history) {
        Ok(head) => {
            audit.added = Prefix::of(&history).lines.saturating_sub(head.prefix.lines);
            audit.head = Some(head);
        }
        Err(wrong) => audit.tampered.push(wrong),
    }
    let lines = Lines::of(&history, audit.head.as_ref());
    let mut vouched: Vec<&Essence> = lines.vouched().collect();
    for folder in folders(directory)? {
        let name = folder.strip_prefix(directory).unwrap_or(&folder).display().to_string();
        let wrong = match evidence::verify(&folder, key)? {
            Finding::Intact(Predicate::Report(run)) => {
                vouched.retain(|line| line.run != run.essence.run);
                lines.lack(&run, &history)
            }
            Finding::Intact(_) => Vec::new(),
            Finding::Tampered(_) if !folder.join(evidence::FILE).exists() && !lines.vouch_for(&name) => {
                audit.unsigned += 1;
                continue;
            }
            Finding::Tampered(wrong) => {
                vouched.retain(|line| line.folder_name() != name);
                wrong
            }
        };
        audit.intact += usize::from(wrong.is_empty());
        audit.tampered.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    audit.absent = vouched.len();
    Ok(audit)
}

/// The runs of a history, each with whether a holder of the key added it.
struct Lines(Vec<(Essence, bool)>);

impl Lines {
    /// A line that cannot be read is no run.
    fn of(history: &[u8], head: Option<&Head>) -> Self {
        let lines = (1..).zip(history.split(|byte| *byte == b'\n'));
        let runs = lines.filter_map(|(number, line)| {
            let vouched = head.is_some_and(|head| head.vouches_for(number));
            Some((serde_json::from_slice(line).ok()?, vouched))
        });
        Self(runs.collect())
    }

    fn vouched(&self) -> impl Iterator<Item = &Essence> {
        self.0.iter().filter(|(_, vouched)| *vouched).map(|(run, _)| run)
    }

    /// Whether the run of a folder was added with the key, and so was signed.
    fn vouch_for(&self, folder: &str) -> bool {
        self.vouched().any(|run| run.folder_name() == folder)
    }

    /// What a signed report knows of the history and is not there.
    fn lack(&self, run: &SignedRun, history: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(before) = run.history.as_ref().filter(|before| !before.begins(history)) {
            wrong.push(format!("the history does not begin with the {} lines that were there before it", before.lines));
        }
        let same = |line: &Essence| value(line).is_some() && value(line) == value(&run.essence);
        if !self.0.iter().any(|(line, _)| same(line)) {
            wrong.push(format!("the history has no line for run {}, or another than was signed", run.essence.run));
        }
        wrong
    }
}

fn value(run: &Essence) -> Option<Value> {
    serde_json::to_value(run).ok()
}

/// The folders of a directory, by name.
fn folders(directory: &Path) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot look into {}", directory.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

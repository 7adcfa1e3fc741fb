use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use backup::verify::{self, Check, Checked};
use backup::{Entry, Error, Identity, Name, Rehearsal, Repository, exit, opaque, said};
use clap::Args;

use super::keys::VerifyArgs;
use super::{RepositoryArg, output};

/// Verify that restore points match their manifests, and that other files in the repository can be read
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    repository: RepositoryArg,
    #[command(flatten)]
    signed: VerifyArgs,
    /// Restore points to verify [default: the newest of each lineage, and any incomplete ones newer than all others]
    #[arg(value_name = "NAME", conflicts_with = "all")]
    names: Vec<Name>,
    /// Verify all, including incomplete ones
    #[arg(long)]
    all: bool,
    /// How thoroughly SQLite checks each, besides its digest [default: as when it was taken]
    #[arg(long, value_enum)]
    check: Option<Check>,
    /// Rehearse each restore: restore to a scratch directory, check fully, open, and read every row
    #[arg(long)]
    deep: bool,
    /// With --deep: scratch directory with room for one database [default: the directory for temporary files]
    #[arg(long, value_name = "DIR", requires = "deep")]
    scratch: Option<PathBuf>,
    /// With --deep: record the result in the repository, for the service's /status
    #[arg(long, requires = "deep")]
    record: bool,
    /// With --record: time to wait for a take or prune to finish
    #[arg(long, value_name = "DURATION", value_parser = said::duration, default_value = "20s", requires = "record")]
    wait: Duration,
}

/// The verdict on one restore point.
#[derive(serde::Serialize)]
struct Verdict {
    name: Name,
    good: bool,
    /// What is wrong with it.
    reason: Option<String>,
    /// What SQLite said of it, if it is good.
    checked: Option<Checked>,
    /// What a restore of it proved, if one was rehearsed.
    rehearsal: Option<Rehearsal>,
}

impl Verify {
    pub(crate) fn run(&self, json: bool) -> anyhow::Result<u8> {
        let repository = self.repository.open().believing(self.signed.read()?);
        let entries = self.choose(repository.entries()?)?;
        let mut verdicts = Vec::new();
        for entry in entries {
            let (reason, checked, rehearsal) = match self.verify(&repository, &entry) {
                Ok((checked, rehearsal)) => (None, Some(checked), rehearsal),
                // Readers take no lock, so a prune may be at work.
                Err(_) if self.names.is_empty() && !repository.holds(&entry.name) => {
                    tracing::info!(name = %entry.name, "skipped: it was removed during the check");
                    continue;
                }
                Err(Error::Damaged { reason, .. }) => (Some(reason), None, None),
                Err(error) => return Err(error).with_context(|| format!("cannot verify {}", entry.name)),
            };
            verdicts.push(Verdict { name: entry.name, good: reason.is_none(), reason, checked, rehearsal });
        }
        if verdicts.is_empty() {
            return Err(
                Error::NoRestorePoint { reason: "all restore points were removed during the check".into() }.into()
            );
        }
        if self.record {
            let writer = repository.writer(self.wait)?;
            verdicts
                .iter()
                .flat_map(|verdict| &verdict.rehearsal)
                .try_for_each(|rehearsal| writer.remember(rehearsal))?;
        }
        if json {
            output::json(&verdicts)?;
        } else {
            verdicts.iter().try_for_each(print)?;
        }
        let is_readable = !self.names.is_empty() || read_opaque(&repository)?;
        Ok(if is_readable && verdicts.iter().all(|verdict| verdict.good) { exit::OK } else { exit::DAMAGED })
    }

    fn verify(&self, repository: &Repository, entry: &Entry) -> Result<(Checked, Option<Rehearsal>), Error> {
        match entry.manifest().filter(|_| self.deep) {
            Some(manifest) => {
                let scratch = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
                let rehearsal = backup::rehearse(repository, manifest, &scratch)?;
                Ok((rehearsal.checked.clone(), Some(rehearsal)))
            }
            None => verify::entry(repository, entry, self.check).map(|checked| (checked, None)),
        }
    }

    fn choose(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, Error> {
        let chosen = if self.all {
            entries
        } else if self.names.is_empty() {
            newest(entries)
        } else {
            self.names.iter().map(|name| named(&entries, name)).collect::<Result<_, _>>()?
        };
        if chosen.is_empty() {
            return Err(Error::NoRestorePoint { reason: "the repository is empty".into() });
        }
        Ok(chosen)
    }
}

/// The newest of each lineage; then, since the newest restore point of somebody may be among them, the incomplete ones
/// whose names are newer than the newest complete one.
fn newest(entries: Vec<Entry>) -> Vec<Entry> {
    let mut newest: BTreeMap<Identity, Entry> = BTreeMap::new();
    let mut last = None;
    let mut incomplete = Vec::new();
    // The complete ones come first, oldest first: the last one of a lineage stays.
    for entry in entries {
        if let Some(manifest) = entry.manifest() {
            last = Some(entry.name.clone());
            newest.insert(manifest.identity(), entry);
        } else if Some(&entry.name) > last.as_ref() {
            incomplete.push(entry);
        }
    }
    newest.into_values().chain(incomplete).collect()
}

fn named(entries: &[Entry], name: &Name) -> Result<Entry, Error> {
    let absent =
        || Error::NoRestorePoint { reason: format!("{name} does not exist; list the names with `backup list`") };
    entries.iter().find(|entry| entry.name == *name).cloned().ok_or_else(absent)
}

/// Whether everything can be read that others keep in the repository.
fn read_opaque(repository: &Repository) -> Result<bool, Error> {
    let opaque = opaque::read(repository)?;
    for (path, error) in &opaque.unreadable {
        let path = path.display();
        tracing::error!(%path, %error, "cannot read this file; the program that owns it must write it again, and the \
        disk may be failing");
    }
    if opaque.files > 0 {
        let (files, bytes) = (opaque.files, opaque.bytes);
        tracing::info!(
            files,
            bytes,
            "other files in the repository are readable; only the program that owns them can tell whether they are \
             complete"
        );
    }
    Ok(opaque.unreadable.is_empty())
}

fn print(verdict: &Verdict) -> anyhow::Result<()> {
    let name = &verdict.name;
    let but =
        verdict.checked.as_ref().and_then(Checked::warning).map(|warning| format!("; {warning}")).unwrap_or_default();
    output::line(&match (&verdict.reason, &verdict.rehearsal) {
        (Some(reason), _) => format!("{name}: damaged: {reason}"),
        (None, None) => format!("{name}: good{but}"),
        (None, Some(Rehearsal { restore_seconds, tables, rows, .. })) => {
            format!("{name}: good, restored in {restore_seconds:.2} s and read: {rows} rows of {tables} tables{but}")
        }
    })
}

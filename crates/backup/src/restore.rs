//! Restores a database: the newest good restore point that fits, verified before it replaces anything.

pub(crate) mod choose;
mod live;
mod plan;
mod record;
mod replace;
mod temporary;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fmt, fs, io};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

pub use choose::{Choice, LineageChoice};
pub use live::{IntoLive, Proof, Terms, into_live};
pub use plan::{Plan, plan};

use crate::identity::{self, resolve};
use crate::in_use::{self, Held};
pub use crate::limits::Progress;
use crate::presence::{self, Presence};
use crate::verify::{Check, Checked};
use crate::{Entry, Error, Manifest, Name, Rejected, Repository, State, error};
use choose::{Candidates, Wanted};
use temporary::Temporary;

#[derive(Clone, Debug)]
pub struct Request {
    /// The database to bring back. Its directory must exist.
    pub database: PathBuf,
    pub choice: Choice,
    /// Of which lineage; needed only if the repository holds several.
    pub lineage: Option<LineageChoice>,
    /// Of the source that was given this name.
    pub source_name: Option<String>,
    /// Replace a database that exists, keeping a safety copy.
    pub force: bool,
    /// How thoroughly SQLite checks the copy; as it did when it was taken, if nothing is said.
    pub check: Option<Check>,
}

impl Request {
    /// To restore this restore point where there is nothing yet.
    pub fn named(database: PathBuf, name: Name) -> Self {
        Self { database, choice: Choice::Name(name), lineage: None, source_name: None, force: false, check: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub restore_point: Manifest,
    pub checked: Checked,
    /// What fitted better but is damaged, newest first.
    pub rejected: Vec<Rejected>,
    /// What is newer but suspect, newest first.
    #[serde(default)]
    pub suspects: Vec<Rejected>,
    /// What is newer, if an older one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
    /// Where the database that was replaced is now.
    #[serde(serialize_with = "lossy")]
    pub safety_copy: Option<PathBuf>,
    /// Bytes that were copied into place.
    pub bytes: u64,
    pub seconds: f64,
    /// How it went, if the database was restored into while in use; `None` if its file was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<IntoLive>,
}

/// JSON is Unicode, paths need not be. By now the restore is done: a path spelled wrong must not make it look failed.
fn lossy<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

/// What was done about a database that may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Ensured {
    /// It was there, and was left as it is.
    Present,
    /// It was missing, and the repository holds nothing: this is a first start.
    NothingToRestore,
    /// It was missing, and is there again.
    Restored(Box<Restored>),
}

/// Restores a database unless there is one, or nothing to restore it from. For what runs before a service starts:
/// whatever else is wrong is an error, so that the service does not start empty or with another's data. What is there and
/// holds nothing is kept aside; a suspect restore point is passed over for one that is not.
///
/// # Errors
/// Those of [`run`] and of [`presence::look`]. An incomplete restore point counts as one: what it held is missed by
/// somebody.
pub fn if_missing(
    repository: &Repository,
    request: &Request,
    report: &mut dyn FnMut(Progress),
) -> Result<Ensured, Error> {
    let database = resolve(&request.database)?;
    let found = presence::look(&database)?;
    if found == Presence::Database {
        return Ok(Ensured::Present);
    }
    if repository.entries()?.is_empty() {
        return Ok(Ensured::NothingToRestore);
    }
    let mut request = request.clone();
    if let Presence::Nothing(what) = found {
        tracing::warn!("{} is {what}, not a database; setting it aside", database.display());
        request.force = true;
    }
    match restore(repository, &request, true, report) {
        Ok(restored) => Ok(Ensured::Restored(Box::new(restored))),
        // Another restore was faster.
        Err(Error::DestinationExists { .. }) => Ok(Ensured::Present),
        Err(error) => Err(error),
    }
}

/// The temporary file that an interrupted restore left beside a *missing* database, if so. Whoever would create a new
/// empty database there must not: the restore has to be run again.
pub fn interrupted(database: &Path) -> Option<PathBuf> {
    let database = resolve(database).unwrap_or_else(|_| database.to_owned());
    let temporary = temporary::path(&database);
    // A database that cannot be looked at is taken for missing: refusing to create one is the safe answer.
    let missing = !matches!(database.try_exists(), Ok(true));
    (missing && temporary.exists()).then_some(temporary)
}

/// Restores. What is at the destination is neither changed nor moved before the replacement is on disk and verified.
///
/// # Errors
/// [`Error::InUse`] and [`Error::DestinationExists`] before anything is copied; [`Error::NoRestorePoint`],
/// [`Error::SeveralLineages`] and [`Error::Suspect`] if it is not clear what to restore; [`Error::NothingGood`] if all that
/// fits is damaged, [`Error::Damaged`] if the one named is.
pub fn run(repository: &Repository, request: &Request, report: &mut dyn FnMut(Progress)) -> Result<Restored, Error> {
    restore(repository, request, false, report)
}

fn restore(
    repository: &Repository,
    request: &Request,
    is_unattended: bool,
    report: &mut dyn FnMut(Progress),
) -> Result<Restored, Error> {
    let began = Instant::now();
    let database = resolve(&request.database)?;
    let entries = entries(repository, &request.choice)?;
    let Candidates { best_first, suspects } = request.candidates(&entries, &database, is_unattended)?;
    // First to tell early; again once no other restore to the same place can come between.
    drop(hold(&database, request.force)?);
    let mut temporary = Temporary::create(&database)?;
    let held = hold(&database, request.force)?;
    let (restore_point, checked, mut rejected) = fill(repository, request, best_first, &mut temporary, report)?;
    rejected.extend(passed_over(&entries, &restore_point));
    temporary.belong(&database, &repository.stored_file(&restore_point))?;
    let safety_copy = replace::with(temporary, &database, held)?;
    let bytes = restore_point.size_bytes;
    Ok(Restored {
        undone: undone(&request.choice, &entries, &restore_point),
        restore_point,
        checked,
        rejected,
        suspects,
        safety_copy,
        bytes,
        seconds: began.elapsed().as_secs_f64(),
        live: None,
    })
}

impl Request {
    /// What to try for the database at a path, of which nobody sees what is chosen if it is unattended.
    fn candidates(&self, entries: &[Entry], database: &Path, is_unattended: bool) -> Result<Candidates, Error> {
        let path = identity::path_of(database)?;
        let candidates = choose::candidates(
            entries,
            &Wanted {
                choice: &self.choice,
                lineage: self.lineage.as_ref(),
                source_name: self.source_name.as_deref(),
                path: Some(&path),
                is_strict: is_unattended || self.force,
            },
        )?;
        for Rejected { name, reason } in &candidates.suspects {
            tracing::warn!(%name, "skipped, {reason}; it is kept, and `backup restore {name}` restores it");
        }
        Ok(candidates)
    }
}

/// What there is to choose from. Where the newest is asked for, what this user may not read must not be passed over.
fn entries(repository: &Repository, choice: &Choice) -> Result<Vec<Entry>, Error> {
    let entries = repository.entries()?;
    if !matches!(choice, Choice::Name(_)) {
        repository.expect_readable(&entries)?;
    }
    Ok(entries)
}

/// Fills the temporary file with the first good candidate.
fn fill(
    repository: &Repository,
    request: &Request,
    candidates: Vec<Manifest>,
    temporary: &mut Temporary,
    report: &mut dyn FnMut(Progress),
) -> Result<(Manifest, Checked, Vec<Rejected>), Error> {
    first_good(request, candidates, |manifest| {
        temporary.fill(&repository.stored_file(manifest), manifest, manifest.check(request.check), report)
    })
}

/// The first candidate that proves to be good, and what was passed over for it. Only damage makes another one be tried.
fn first_good(
    request: &Request,
    candidates: Vec<Manifest>,
    mut prove: impl FnMut(&Manifest) -> Result<Checked, Error>,
) -> Result<(Manifest, Checked, Vec<Rejected>), Error> {
    let mut rejected = Vec::new();
    for manifest in candidates {
        match prove(&manifest) {
            Ok(checked) => {
                warn(&manifest, &checked);
                return Ok((manifest, checked, rejected));
            }
            Err(Error::Damaged { reason, .. }) if !matches!(request.choice, Choice::Name(_)) => {
                tracing::warn!(name = %manifest.name, "skipped, damaged: {reason}");
                rejected.push(Rejected { name: manifest.name, reason });
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::NothingGood { rejected })
}

/// Says what people should know of what is restored.
fn warn(chosen: &Manifest, checked: &Checked) {
    if let Some(warning) = checked.warning().filter(|_| checked.check != Check::None) {
        tracing::warn!(name = %chosen.name, "the restored database has all its rows, but {warning}");
    }
    if chosen.is_suspect() {
        for suspicion in &chosen.suspicions {
            tracing::warn!(name = %chosen.name, "restoring a suspect restore point, {suspicion}");
        }
    }
}

/// The entries newer than what was restored that could not even be considered.
fn passed_over<'a>(entries: &'a [Entry], restored: &'a Manifest) -> impl Iterator<Item = Rejected> + 'a {
    entries.iter().filter(|entry| entry.name > restored.name).filter_map(|entry| match &entry.state {
        State::Incomplete { reason } => Some(Rejected { name: entry.name.clone(), reason: reason.clone() }),
        State::Complete { .. } => None,
    })
}

/// What goes with a restore of an older restore point than there is, as far as manifests tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    /// The newest one of the same database that is not suspect. Nobody has looked whether it is damaged.
    pub newest: Name,
    pub created_at: Timestamp,
    /// By table, the AUTOINCREMENT keys that were given out in between.
    pub keys: BTreeMap<String, RangeInclusive<i64>>,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {:.3} is newer: without it, changes made in between are undone",
            self.newest, self.created_at
        )?;
        if self.keys.is_empty() { Ok(()) } else { write!(f, ", such as keys {}", error::key_ranges(&self.keys)) }
    }
}

fn undone(choice: &Choice, entries: &[Entry], restored: &Manifest) -> Option<Undone> {
    let is_newer = |manifest: &&Manifest| {
        manifest.sequence > restored.sequence && !manifest.is_suspect() && manifest.identity() == restored.identity()
    };
    // They come in the order of their sequence.
    let newest = entries.iter().filter_map(Entry::manifest).rfind(is_newer).filter(|_| *choice != Choice::Latest)?;
    let given_out = |(table, mark): (&String, &i64)| {
        let before = restored.high_water.get(table).copied().unwrap_or(0);
        (before < *mark).then(|| (table.clone(), before + 1..=*mark))
    };
    let keys = newest.high_water.iter().filter_map(given_out).collect();
    Some(Undone { newest: newest.name.clone(), created_at: newest.created_at, keys })
}

/// Proves that nobody uses the destination, and keeps it so. `None` where there is no database yet.
fn hold(database: &Path, force: bool) -> Result<Option<Held>, Error> {
    match fs::symlink_metadata(database) {
        Ok(metadata) if !metadata.is_file() => {
            let other =
                io::Error::other("it is not a regular file; give the path of the database file with --database");
            return Err(Error::io("replace", database)(other));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("look at", database)(error)),
    }
    let held = in_use::hold(database)?;
    if force { Ok(Some(held)) } else { Err(Error::DestinationExists { path: database.to_owned() }) }
}

//! What a restore would do, found out without doing any of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::choose::Candidates;
use super::{Request, Terms, Undone, entries, first_good, hold, live, passed_over, undone};
use crate::identity::resolve;
use crate::{Error, Manifest, Rejected, Repository, paths, space, verify};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What would be restored. It was read and is good.
    pub restore_point: Manifest,
    /// What fits better but is damaged, newest first.
    pub rejected: Vec<Rejected>,
    /// What is newer but suspect, newest first.
    #[serde(default)]
    pub suspects: Vec<Rejected>,
    /// What is newer, if an older one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<Undone>,
    /// The database that would be restored, links followed.
    #[serde(serialize_with = "lossy")]
    pub database: PathBuf,
    /// Whether there is one, of which a safety copy would be kept.
    pub replaces: bool,
    pub free_bytes: u64,
}

/// JSON is Unicode, paths need not be.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Chooses and verifies what [`super::run`] would restore, or with `live` [`super::into_live`], and checks what they check
/// of the destination. Changes nothing.
///
/// # Errors
/// Those of what would be done, as far as they can be foreseen.
pub fn plan(repository: &Repository, request: &Request, live: Option<Terms>) -> Result<Plan, Error> {
    let database = resolve(&request.database)?;
    let entries = entries(repository, &request.choice)?;
    let Candidates { best_first, suspects } = request.candidates(&entries, &database, live.is_some())?;
    let replaces = match live {
        Some(_) => true,
        None => hold(&database, request.force)?.is_some(),
    };
    let verify = |manifest: &Manifest| verify::restore_point(repository, manifest, request.check);
    let (restore_point, _, mut rejected) = first_good(request, best_first, verify)?;
    rejected.extend(passed_over(&entries, &restore_point));
    if let Some(terms) = live {
        live::check(repository, &database, terms, request.force, &restore_point)?;
    }
    let free_bytes = space::free(paths::directory_of(&database))?;
    let undone = undone(&request.choice, &entries, &restore_point);
    Ok(Plan { undone, restore_point, rejected, suspects, database, replaces, free_bytes })
}

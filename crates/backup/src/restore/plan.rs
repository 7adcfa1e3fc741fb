//! What a restore would do, found out without doing any of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Limits, Request, choose, first_good, hold, live, passed_over, resolve};
use crate::{Error, Manifest, Rejected, Repository, durable, space, verify};

/// What a restore would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What would be restored. It was read and is good.
    pub restore_point: Manifest,
    /// What fits better but is damaged, newest first.
    pub rejected: Vec<Rejected>,
    /// The database that would be restored, links followed.
    pub database: PathBuf,
    /// Whether there is one, of which a safety copy would be kept.
    pub replaces: bool,
    /// Bytes that its volume has free.
    pub free_bytes: u64,
}

/// Chooses and verifies what [`super::run`] would restore, or with `live` [`super::into_live`], and checks what they check
/// of the destination. Changes nothing.
///
/// # Errors
/// Those of what would be done, as far as they can be foreseen.
pub fn plan(repository: &Repository, request: &Request, live: Option<Limits>) -> Result<Plan, Error> {
    let database = resolve(&request.database)?;
    let entries = repository.entries()?;
    let candidates = choose::candidates(&entries, &request.choice, request.lineage.as_ref())?;
    let replaces = match live {
        Some(_) => true,
        None => hold(&database, request.force)?.is_some(),
    };
    let verify = |manifest: &Manifest| verify::restore_point(repository, manifest, request.check);
    let (restore_point, mut rejected) = first_good(request, candidates, verify)?;
    rejected.extend(passed_over(&entries, &restore_point));
    if let Some(limits) = live {
        live::check(repository, &database, limits, request.force, &restore_point)?;
    }
    let free_bytes = space::free(durable::directory_of(&database))?;
    Ok(Plan { restore_point, rejected, database, replaces, free_bytes })
}

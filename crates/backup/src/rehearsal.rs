//! Restores rehearsed: a restore point is restored to a scratch directory, opened and read as a service would, and
//! thrown away. What was proven is remembered in the repository.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::TransactionBehavior;
use serde::{Deserialize, Serialize};

use crate::checked::{self, Outcome};
use crate::lineage::Lineage;
use crate::repository::REHEARSALS;
use crate::restore::{self, Request};
use crate::verify::{self, Check, Checked, Verdict};
use crate::{Error, Manifest, Name, Repository, Writer, openat, records, source, tables, untrusted};

/// A restore that was rehearsed and found good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub name: Name,
    pub lineage: Option<Lineage>,
    /// The id that the repository gave to a database without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<Lineage>,
    pub at: Timestamp,
    /// How long it took to restore it, before anything was read.
    pub restore_seconds: f64,
    /// What SQLite said of it. What older versions proved was sound.
    #[serde(default = "sound")]
    pub checked: Checked,
    /// How many tables of people's own were read to the end; those of SQLite are read too.
    pub tables: usize,
    /// How many rows they have.
    pub rows: u64,
}

fn sound() -> Checked {
    Checked { check: Check::Full, verdict: Verdict::Sound, findings: Vec::new() }
}

/// Restores a restore point to a directory of its own in `scratch`, lets SQLite check all of it, opens it for writing and
/// reads every row. Nothing of it stays.
///
/// # Errors
/// [`Error::Damaged`] if it does not restore to what its manifest says; [`Error::Io`] and [`Error::Sqlite`] if there is
/// no room, or another fault of the scratch directory.
pub fn rehearse(repository: &Repository, manifest: &Manifest, scratch: &Path) -> Result<Rehearsal, Error> {
    let directory = tempfile::tempdir_in(scratch).map_err(Error::io("rehearse a restore in", scratch))?;
    let database =
        openat::resolve(&directory.path().join("app.db")).map_err(Error::io("rehearse a restore in", scratch))?;
    let request = Request { check: Some(Check::None), ..Request::named(database.clone(), manifest.name.clone()) };
    let restored = restore::run(repository, &request, &mut |_| {})?;
    let stored = repository.stored_file(manifest);
    let (outcome, rows) = read(&database).map_err(|error| verify::blame(&stored, verify::damage(&database, error)))?;
    let checked = verify::unless_damaged(&stored, outcome)?;
    directory.close().map_err(Error::io("empty", scratch))?;
    Ok(Rehearsal {
        name: manifest.name.clone(),
        lineage: manifest.lineage.clone(),
        source_id: manifest.source.as_ref().and_then(|source| source.id.clone()),
        at: source::now(),
        restore_seconds: restored.seconds,
        checked,
        tables: rows.len(),
        rows: rows.iter().sum(),
    })
}

/// What SQLite says of a database that can be written, by which alone it knows the CHECKs, and the number of rows of each
/// table that people made.
fn read(database: &Path) -> rusqlite::Result<(Outcome, Vec<u64>)> {
    let mut connection = source::open(database, Duration::ZERO)?;
    untrusted::end_after(&mut connection, Some(untrusted::patience(database)))?;
    let outcome = checked::look(&connection, Check::Full)?;
    // A check that took all its time leaves the rows theirs.
    untrusted::end_after(&mut connection, Some(untrusted::patience(database)))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("CREATE TABLE pra_rehearsal (row); INSERT INTO pra_rehearsal VALUES (1)")?;
    transaction.rollback()?;
    let mut read = tables::read(&connection)?;
    let rows = tables::of_people(&connection)?.iter().filter_map(|table| Some(read.remove(table)??.count)).collect();
    Ok((outcome, rows))
}

impl Repository {
    /// The newest rehearsal of each lineage that had one.
    pub fn rehearsals(&self) -> Result<Vec<Rehearsal>, Error> {
        records::read(&self.path().join(REHEARSALS))
    }
}

impl Writer {
    /// Remembers a rehearsal in the place of the one before of its lineage.
    ///
    /// # Errors
    /// [`Error::Io`]; what was remembered before still is.
    pub fn remember(&self, rehearsal: &Rehearsal) -> Result<(), Error> {
        let mut rehearsals = self.repository().rehearsals()?;
        rehearsals.retain(|other| (&other.lineage, &other.source_id) != (&rehearsal.lineage, &rehearsal.source_id));
        rehearsals.push(rehearsal.clone());
        records::write(&self.repository().path().join(REHEARSALS), &rehearsals)
    }
}

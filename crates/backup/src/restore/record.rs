//! The record of restores: whoever goes back on purpose lost nothing, and the next take has to know.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::repository::RESTORES;
use crate::{Error, Manifest, Name, Repository, identity, records, source};

/// How long a take or prune may keep the record from being written.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last restore of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    /// Whose the restore point is, as [`crate::Identity`] has it.
    identity: String,
    restore_point: Name,
    /// The path it was restored to, as [`crate::Source`] has it.
    path: String,
    /// The greatest sequence number there was. A take after that is one of what was restored.
    sequence: u64,
    at: Timestamp,
}

impl Repository {
    /// Remembers that a restore point was put in the place of its database.
    ///
    /// # Errors
    /// [`Error::RepositoryBusy`] and [`Error::Io`], as on a volume that can only be read. The restore is done all the same;
    /// if it went back to an older state, the next take may call that suspect.
    pub fn record_restore(&self, restored: &Manifest, database: &Path) -> Result<(), Error> {
        let path = identity::path_of(database)?;
        // A copy elsewhere says nothing of the database, and a repository that is read for one stays as it is.
        if restored.source.as_ref().is_some_and(|source| source.path != path) {
            return Ok(());
        }
        let _writer = self.writer(PATIENCE)?;
        let sequence = self.manifests()?.last().map_or(restored.sequence, |newest| newest.sequence);
        let identity = restored.identity().to_string();
        let mut records = self.records()?;
        records.retain(|other| (&other.identity, &other.path) != (&identity, &path));
        records.push(Recorded { identity, restore_point: restored.name.clone(), path, sequence, at: source::now() });
        records::write(&self.path().join(RESTORES), &records)
    }

    /// The restore point that a database goes on from, if it was restored since the newest of `earlier` was taken of it.
    pub(crate) fn restored(&self, taken: &Manifest, earlier: &[Manifest]) -> Option<Name> {
        let identity = taken.identity();
        // Without the record, a take is suspect at worst.
        let records = match self.records() {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!("cannot read the record of restores: {:#}", anyhow::Error::from(error));
                return None;
            }
        };
        let path = &taken.source.as_ref()?.path;
        let is_of_it = |record: &Recorded| record.identity == identity.as_str() && record.path == *path;
        let record = records.into_iter().find(is_of_it)?;
        let newest = earlier.iter().rfind(|manifest| manifest.identity() == identity);
        let is_since = newest.is_none_or(|newest| newest.sequence <= record.sequence);
        is_since.then_some(record.restore_point)
    }

    fn records(&self) -> Result<Vec<Recorded>, Error> {
        records::read(&self.path().join(RESTORES))
    }
}

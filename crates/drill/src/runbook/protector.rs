//! Where another program protects the database, nothing proves that but to have it back.

use std::time::Duration;

use anyhow::anyhow;
use backup::Manifest;
use backup::lineage::Lineage;
use tokio::time::Instant;

use super::Drill;
use crate::platform::Platform;
use crate::witness::record::Record;

/// How often it is tried: what a moment found this way may be late by, beside the trial itself.
const POLL: Duration = Duration::from_millis(250);

impl<P: Platform> Drill<P> {
    /// Waits until another program gives back a database of this lineage that holds a message.
    pub(super) async fn gives_back(&mut self, id: i64, limit: Duration) -> anyhow::Result<()> {
        let (lineage, deadline) = (self.lineage()?, Instant::now() + limit);
        loop {
            let missing = match self.platform.try_out().await {
                Ok(Some(manifest)) if holds(&manifest, id, &lineage) => {
                    self.tried = Some(manifest);
                    return Ok(());
                }
                Ok(Some(manifest)) => format!("it gives back a database up to {:?}", manifest.high_water),
                Ok(None) => return Err(anyhow!("no other program protects the database")),
                Err(error) => format!("it gives nothing back: {error:#}"),
            };
            if Instant::now() > deadline {
                let why = self.recorder.look(Record::last_obstacle).map_or(String::new(), |why| format!("; {why}"));
                let limit = limit.as_secs_f64();
                return Err(anyhow!("message {id} was not restorable within {limit} s: {missing}{why}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether a copy is of a database, and holds a message of it. Ids are high-water marks: a table whose mark has reached the
/// message's id holds it.
pub(super) fn holds(manifest: &Manifest, id: i64, lineage: &Lineage) -> bool {
    manifest.high_water.values().any(|mark| *mark >= id) && manifest.lineage.as_ref() == Some(lineage)
}

//! What is done to the content of the volume, by Jobs that mount it: the image of the service has no program for that.

use std::path::Path;

use anyhow::{Context, Result};
use backup::Restored;
use backup::lineage::Lineage;

use super::saved::Damage;
use super::{Kubernetes, Manner};

impl Kubernetes {
    pub(super) async fn overwrite_database(&mut self) -> Result<String> {
        self.note_damage(Some(Damage::Overwritten))?;
        self.run_content_job(&["overwrite"]).await
    }

    pub(super) async fn delete_rows(&mut self) -> Result<String> {
        let clock = self.recorder.clock;
        self.note_damage(Some(Damage::RowsDeleted { since: clock.utc(clock.now()), safety_copy: None }))?;
        self.run_content_job(&["delete-rows"]).await
    }

    /// Adds what is in a safety copy alone.
    pub(super) async fn add_rows_of(&mut self, safety_copy: &Path) -> Result<String> {
        let path = safety_copy.to_str().with_context(|| format!("{} is not valid UTF-8", safety_copy.display()))?;
        let done = self.run_content_job(&["bring-back", path]).await?;
        self.note_damage(None)?;
        Ok(done)
    }

    /// Writes down how much of the damage a restore has made good.
    pub(super) fn made_good(&mut self, restored: &Restored) -> Result<()> {
        let left = match self.saved()?.damage.clone() {
            Some(Damage::RowsDeleted { since, .. }) if restored.safety_copy.is_some() => {
                Some(Damage::RowsDeleted { since, safety_copy: restored.safety_copy.clone() })
            }
            _ => None,
        };
        self.note_damage(left)
    }

    /// Finishes what a scenario does about damaged content.
    pub(super) async fn repair(&mut self, damage: Damage, lineage: Option<&Lineage>) -> Result<()> {
        // One that was not run yet would do its damage later.
        self.delete_own_jobs().await?;
        match damage {
            Damage::Overwritten => {
                self.stop_everything().await?;
                self.restore_in(Manner::Replace, lineage).await.map(drop)
            }
            Damage::RowsDeleted { safety_copy: Some(copy), .. } => self.add_rows_of(&copy).await.map(drop),
            Damage::RowsDeleted { since, safety_copy: None } => {
                let restored = self.restore_in(Manner::IntoLive { at: since }, lineage).await?;
                let copy = restored.safety_copy.context("the restore left no safety copy")?;
                self.add_rows_of(&copy).await.map(drop)
            }
        }
    }

    /// Restores as a scenario does, and remembers that it was done.
    pub(super) async fn restore_in(&mut self, manner: Manner, lineage: Option<&Lineage>) -> Result<Restored> {
        let mut arguments = vec!["restore".to_owned(), "--json".to_owned()];
        arguments.extend(manner.arguments());
        arguments.extend(lineage.into_iter().flat_map(|lineage| ["--lineage".to_owned(), lineage.to_string()]));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let restored = self.restore_by_job(&arguments).await?;
        self.made_good(&restored)?;
        Ok(restored)
    }

    fn note_damage(&mut self, damage: Option<Damage>) -> Result<()> {
        if self.saved()?.damage == damage {
            return Ok(());
        }
        self.save(|saved| saved.damage = damage)
    }
}

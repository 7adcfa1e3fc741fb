//! What is to be done so that a database and its journal agree. It looks, and changes nothing.

use anyhow::{bail, ensure};

use super::History;
use super::position::{Position, State};
use super::replay::text;

/// What to do to agree.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Go on in the newest file.
    Join,
    /// Replay what the database lacks, then begin an epoch.
    Replay,
    /// Begin an epoch that goes on from the database as it is: what the journal has beyond is left behind.
    GoBack,
    /// Begin an epoch that no group leads to.
    BeginAnew,
}

/// What the plan depends on.
pub struct Found<'a> {
    /// What the database says.
    pub state: &'a State,
    /// What there is of its journal.
    pub history: &'a History,
    /// Whether the newest file is one that was written with this very database file.
    pub owned: bool,
    /// Whether the database's last group was written to this very file.
    pub original: bool,
    /// Whether a write to the newest file failed.
    pub failed: bool,
    /// The latest time to replay.
    pub until: Option<i64>,
}

impl Found<'_> {
    /// The plan.
    ///
    /// # Errors
    /// Nobody can know whether the database has everything that was acknowledged.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let Self { state, history, owned, .. } = *self;
        let Some(position) = &state.position else {
            let is_first = history.files.is_empty() || owned || self.until.is_some();
            ensure!(
                is_first,
                "the database was not journaled when it was backed up, and its journal goes on without it: restore a \
                 newer restore point, or start once with --until {} to go on with what it holds",
                text(super::now())
            );
            return Ok(Plan::BeginAnew);
        };
        if let Some(until) = self.until {
            ensure!(
                position.time <= until,
                "--until {}: the database holds group {} of {} already; restore an older restore point, or start \
                 without --until",
                text(until),
                position.number,
                text(position.time)
            );
            return Ok(Plan::Replay);
        }
        if position.number != state.mark {
            self.check_nothing_is_ahead(position)?;
            return Ok(Plan::GoBack);
        }
        let is_whole = position.message_mark == state.message_mark;
        if self.failed {
            // What the failed write left is not relied upon.
            return Ok(if is_whole { Plan::GoBack } else { Plan::BeginAnew });
        }
        Ok(if owned && self.original && is_whole { Plan::Join } else { Plan::Replay })
    }

    /// A restore into the live database went back on purpose, from where that was. But not from groups that it had not
    /// replayed yet: nobody saw those.
    fn check_nothing_is_ahead(&self, position: &Position) -> anyhow::Result<()> {
        let greatest = self.history.greatest()?;
        // The one after the mark may have been cut short before its COMMIT.
        if !self.owned && greatest > self.state.mark + 1 {
            let (mark, number) = (self.state.mark, position.number);
            bail!(
                "group {number} was restored into a database that was at group {mark}, and its journal has groups up to \
                 {greatest} that it never replayed: start once with --until TIME, the latest time to replay"
            );
        }
        Ok(())
    }
}

//! Plans how to make a database and its journal agree. It only reads.

use anyhow::{bail, ensure};

use super::History;
use super::position::{Marks, Position};
use super::replay::text;

/// What to do to agree.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Go on in the newest file.
    Join,
    /// Replay what the database lacks, then begin an epoch.
    Replay,
    /// Begin an epoch that goes on from the database as it is: what the journal has beyond is left behind.
    GoBack,
    /// Begin an epoch that no group leads to.
    BeginAnew,
}

pub(super) struct Found<'a> {
    pub state: &'a Marks,
    /// What there is of its journal.
    pub history: &'a History,
    /// Whether the newest file is one that was written with this very database file.
    pub owned: bool,
    /// Whether the database's last group was written to this very file.
    pub original: bool,
    /// Whether a write to the newest file failed.
    pub failed: bool,
    /// Whether the journal was begun and nothing was acknowledged since, see [`History::is_without_messages`]: a first start
    /// that was cut short.
    pub unused: bool,
    /// The latest time to replay.
    pub until: Option<i64>,
}

impl Found<'_> {
    /// The plan.
    ///
    /// # Errors
    /// Nobody can know whether the database has everything that was acknowledged.
    pub(super) fn plan(&self) -> anyhow::Result<Plan> {
        let Self { state, history, owned, .. } = *self;
        let Some(position) = &state.position else {
            ensure!(
                history.files.is_empty() || self.unused || self.until.is_some(),
                "the database contains no group, but its journal does: the database predates the journal or lost its \
                 -wal file; restore a newer restore point, or start once with --until {} to continue with what the \
                 database contains",
                text(super::now())
            );
            return Ok(Plan::BeginAnew);
        };
        if let Some(until) = self.until {
            ensure!(
                position.time <= until,
                "--until {}: the database already contains group {} of {}; restore an older restore point, or start \
                 without --until",
                text(until),
                position.number,
                text(position.time)
            );
            return Ok(Plan::Replay);
        }
        if position.number != state.mark {
            // A restore into the live database. If history went on from there, this is a restore point taken in between.
            let chain = history.chain(position.number).unwrap_or_default();
            if chain.first().is_some_and(|link| link.from > state.mark) {
                return Ok(Plan::Replay);
            }
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

    /// A restore into the live database goes back on purpose, from where that was. But not from groups that it had not
    /// replayed yet: nobody saw those.
    fn check_nothing_is_ahead(&self, position: &Position) -> anyhow::Result<()> {
        if self.owned {
            return Ok(());
        }
        let greatest = self.history.greatest()?;
        // The one after the mark may have been cut short before its COMMIT.
        if greatest > self.state.mark + 1 {
            let (mark, number) = (self.state.mark, position.number);
            bail!(
                "group {number} was restored into a database that was at group {mark}, and its journal has groups up \
                 to {greatest} that were never replayed; start once with --until TIME, the latest time to replay"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::record::{FORMAT, Header};
    use super::*;

    /// A history of files as (first, after), and what a database says beside it.
    struct Case {
        files: &'static [(i64, Option<i64>)],
        number: Option<i64>,
        mark: i64,
        unjournaled: bool,
        owned: bool,
        original: bool,
        failed: bool,
        unused: bool,
        until: Option<i64>,
    }

    /// A service that restarts.
    const RESTART: Case = Case {
        files: &[(1, None), (101, Some(100))],
        number: Some(120),
        mark: 120,
        unjournaled: false,
        owned: true,
        original: true,
        failed: false,
        unused: false,
        until: None,
    };

    fn plan(case: Case) -> Option<Plan> {
        let header = |(first, after): &(i64, Option<i64>)| {
            let (lineage, instance, begun_at) = Default::default();
            Header { format: FORMAT, lineage, first: *first, after: *after, instance, begun_at }
        };
        let files: Vec<_> = (1..).zip(case.files.iter().map(header)).collect();
        let history = History { directory: PathBuf::new(), newest_epoch: 0, files };
        let message_mark = if case.unjournaled { 8 } else { 7 };
        let position =
            case.number.map(|number| Position { number, time: 1000, message_mark: 7, instance: String::new() });
        let state = Marks { position, mark: case.mark, message_mark };
        let Case { owned, original, failed, unused, until, .. } = case;
        Found { state: &state, history: &history, owned, original, failed, unused, until }.plan().ok()
    }

    #[test]
    fn a_database_goes_on_in_its_file_only_if_nothing_happened_to_either() {
        assert_eq!(plan(RESTART), Some(Plan::Join));
        assert_eq!(plan(Case { unjournaled: true, ..RESTART }), Some(Plan::Replay));
        assert_eq!(plan(Case { original: false, ..RESTART }), Some(Plan::Replay));
        assert_eq!(plan(Case { owned: false, ..RESTART }), Some(Plan::Replay));
        assert_eq!(plan(Case { until: Some(1000), ..RESTART }), Some(Plan::Replay));
        assert_eq!(plan(Case { until: Some(999), ..RESTART }), None);
        assert_eq!(plan(Case { failed: true, ..RESTART }), Some(Plan::GoBack));
        assert_eq!(plan(Case { failed: true, unjournaled: true, ..RESTART }), Some(Plan::BeginAnew));
    }

    #[test]
    fn a_database_that_was_never_journaled_begins_a_journal_unless_there_is_one_of_others() {
        let first = || Case { files: &[], number: None, mark: 0, owned: false, original: false, ..RESTART };
        assert_eq!(plan(first()), Some(Plan::BeginAnew));
        assert_eq!(plan(Case { files: RESTART.files, ..first() }), None);
        assert_eq!(plan(Case { files: RESTART.files, owned: true, ..first() }), None);
        assert_eq!(plan(Case { files: RESTART.files, unused: true, ..first() }), Some(Plan::BeginAnew));
        assert_eq!(plan(Case { files: RESTART.files, until: Some(0), ..first() }), Some(Plan::BeginAnew));
    }

    #[test]
    fn a_position_behind_its_mark_goes_back_unless_history_went_on_from_it() {
        assert_eq!(plan(Case { number: Some(110), ..RESTART }), Some(Plan::GoBack));
        let went_on = || Case { files: &[(1, None), (121, Some(50))], number: Some(50), ..RESTART };
        assert_eq!(plan(Case { owned: false, original: false, ..went_on() }), Some(Plan::Replay));
        assert_eq!(plan(Case { number: Some(40), ..went_on() }), Some(Plan::GoBack));
    }
}

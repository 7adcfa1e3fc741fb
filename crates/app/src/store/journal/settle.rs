//! Makes the database and its journal agree, at each start and whenever they are found to differ.

use std::fs::File;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use backup::openat;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::history::NoChain;
use super::home::Hold;
use super::plan::{Found, Plan};
use super::position::{Marks, Position};
use super::replay::{Reached, Replay, text};
use super::{Begin, History, Home, Journal, Trouble, file, position};

/// How long a service with another database is waited for. A pod is granted 35 s to end.
const STRANGER_WAIT: Duration = Duration::from_secs(40);

const POLL: Duration = Duration::from_millis(20);

impl Journal {
    /// Replays what the database lacks and opens a file to go on in. Waits up to [`STRANGER_WAIT`] for a service that
    /// uses the journal with another database.
    ///
    /// `until` is the latest time to replay, in microseconds since 1970; what came later is left behind.
    pub(crate) fn settle(&mut self, connection: &Connection, until: Option<i64>) -> Result<(), Trouble> {
        self.open = None;
        let give_up = Instant::now() + STRANGER_WAIT;
        while !self.try_settle(connection, until)? {
            if Instant::now() >= give_up {
                let directory = self.directory().unwrap_or(&self.repository).display().to_string();
                return Err(
                    anyhow!("another service uses the journal {directory} with another database; stop it").into()
                );
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// False if a stranger has the journal.
    fn try_settle(&mut self, connection: &Connection, until: Option<i64>) -> Result<bool, Trouble> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let lineage =
            backup::lineage::read(&transaction)?.context("the database has no lineage, which a journal needs")?;
        if self.home.as_ref().is_none_or(|home| home.lineage != lineage || !home.directory.exists()) {
            self.home = Some(Home::open(&self.repository, &lineage)?);
        }
        let Some(home) = &self.home else { return Ok(false) };
        let history = History::read(&home.directory)?;
        let owned = self.owns(&history);
        if self.epoch > 0 && history.newest_epoch > self.epoch && !owned {
            return Err(super::fenced(&file::path(&home.directory, history.newest_epoch)));
        }
        if !home.hold(if owned { Hold::Shared } else { Hold::Alone })? {
            return Ok(false);
        }
        self.agree(connection, until)?;
        transaction.commit()?;
        if let Some(home) = &self.home {
            home.hold(Hold::Shared)?;
        }
        Ok(true)
    }

    /// With the lock held, inside a write transaction.
    fn agree(&mut self, connection: &Connection, until: Option<i64>) -> Result<(), Trouble> {
        let state = position::read(connection)?;
        let history = self.history()?;
        let plan = self.plan(&state, &history, until)?;
        if plan == Plan::Join && self.join(connection, &state, &history)? {
            return Ok(());
        }
        // First the epoch, then the reading: what others acknowledged until now is there.
        let file = self.claim(&history)?;
        let history = self.history()?;
        let plan = self.plan(&state, &history, until)?;
        let first = history.greatest()?.max(state.mark);
        position::create(connection)?;
        let (after, time) = match (plan, &state.position) {
            (Plan::BeginAnew, position) => (None, position.as_ref().map_or(0, |position| position.time)),
            (Plan::GoBack, Some(position)) => (Some(position.number), position.time),
            (_, Some(position)) => self.replay(connection, &state, position, &history, until)?,
            (_, None) => (None, 0),
        };
        let first = first.max(after.unwrap_or(0)) + 1;
        self.begin_file(connection, file, Begin { first, after, time })
    }

    /// The last group that the database then has, `None` if its journal begins anew; and that group's time.
    fn replay(
        &self,
        connection: &Connection,
        state: &Marks,
        position: &Position,
        history: &History,
        until: Option<i64>,
    ) -> anyhow::Result<(Option<i64>, i64)> {
        match replay(connection, history, position, until) {
            Ok(reached) if position.message_mark == state.message_mark => Ok((Some(reached.number), reached.time)),
            Ok(reached) => {
                tracing::warn!(after = reached.number, "starting a new journal: messages were stored without it");
                Ok((None, reached.time))
            }
            Err(error) if position.instance == self.instance && heals(&error, self.owns_before(history)) => {
                tracing::warn!(
                    after = position.number,
                    "starting a new journal, because the old one lacks what the database has: {error:#}"
                );
                Ok((None, position.time))
            }
            Err(error) => Err(error.context("cannot bring the database up to its journal")),
        }
    }

    fn history(&self) -> Result<History, Trouble> {
        Ok(History::read(&self.home.as_ref().ok_or_else(super::closed)?.directory)?)
    }

    /// Whether the newest epoch is one of this database file, or was begun by this process.
    fn owns(&self, history: &History) -> bool {
        let is_ours =
            |(epoch, header): &(i64, super::Header)| *epoch == history.newest_epoch && header.instance == self.instance;
        history.newest().is_some_and(is_ours) || (self.epoch > 0 && history.newest_epoch == self.epoch)
    }

    /// Whether the newest file in which something was written is one of this database file.
    fn owns_before(&self, history: &History) -> bool {
        history.newest().is_some_and(|(_, header)| header.instance == self.instance)
    }

    fn plan(&self, state: &Marks, history: &History, until: Option<i64>) -> anyhow::Result<Plan> {
        let found = Found {
            state,
            history,
            owned: self.owns_before(history),
            original: state.position.as_ref().is_some_and(|position| position.instance == self.instance),
            failed: self.failed,
            unused: state.position.is_none() && history.is_without_messages()?,
            until,
        };
        found.plan()
    }

    /// The file of a new epoch: the newest there is if this process began it and could not write it.
    fn claim(&mut self, history: &History) -> Result<File, Trouble> {
        let unused =
            history.newest_epoch == self.epoch && history.newest().is_none_or(|(epoch, _)| *epoch < self.epoch);
        if self.epoch > 0 && unused {
            let path = file::path(&history.directory, self.epoch);
            let opened = match openat::update(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => openat::create(&path, 0o666),
                opened => opened.and_then(|file| file.set_len(0).map(|()| file)),
            };
            return Ok(opened.with_context(|| format!("cannot open {}", path.display()))?);
        }
        self.begin_epoch(history.newest_epoch.max(self.epoch) + 1)
    }
}

fn replay(
    connection: &Connection,
    history: &History,
    position: &Position,
    until: Option<i64>,
) -> anyhow::Result<Reached> {
    let (number, time) = (position.number, text(position.time));
    let here = Reached { number, time: position.time, groups: 0, stopped_before: None };
    let chain = match until {
        Some(_) => history.branch(number),
        None => history.chain(number).with_context(|| {
            format!(
                "the database is at group {number} of {time}, but its journal does not continue from there; restore \
                 another restore point, or start once with --until {time} to continue with what this one contains"
            )
        })?,
    };
    let replay = Replay { connection, instance: &position.instance, until };
    let reached = replay
        .run(&history.directory, &chain, here)
        .with_context(|| "start once with --until and the time of the last good group to continue from there")?;
    if reached.groups > 0 {
        let (groups, last, time) = (reached.groups, reached.number, text(reached.time));
        tracing::info!(groups, last, time, "replayed the journal");
    }
    if let Some(first) = reached.stopped_before {
        tracing::warn!(after = reached.number, first = text(first), "left behind what the journal has after --until");
    }
    Ok(reached)
}

/// Whether the journal is what lacks something, and not the database that it was written with.
fn heals(error: &anyhow::Error, owned: bool) -> bool {
    owned || matches!(error.downcast_ref::<NoChain>(), Some(NoChain::Behind { .. }))
}

//! Makes acknowledged writes survive the loss of the database's volume, and decides what happens while it cannot.
//!
//! It does where a restore point is in the repository from which the journal leads on without a gap. Until there is one,
//! and whenever the journal cannot be written, the policy decides: refuse to store anything, or serve on and say so.

mod base;
mod status;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use backup::Repository;
use clap::ValueEnum;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::identity::Identity;
use super::journal::{Journal, Trouble};
use super::{Failure, Message};
pub(crate) use status::{Standing, Status, Watch};

/// How often it is tried to protect again.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is made sure that database and journal agree, if others change the database meanwhile.
const TRIES: u32 = 5;

/// How acknowledged writes are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protect {
    /// Restore points only: writes since the newest one can be lost
    None,
    /// A journal in the repository, written to disk before a write is acknowledged
    Sync,
}

/// How the store protects what it acknowledges.
#[derive(Clone, Debug)]
pub struct Protection {
    pub protect: Protect,
    /// The repository of restore points, beside which the journal is. Without a journal, it is made sure that none there has
    /// messages that the database lacks.
    pub repository: Option<Repository>,
    pub on_error: OnError,
    /// The latest time to replay, at the start.
    pub until: Option<Timestamp>,
}

/// What to do while the journal cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Store nothing and answer 503
    Refuse,
    /// Keep serving unprotected and report it
    Degrade,
}

/// The writer's side of it.
pub(super) struct Guard {
    repository: Repository,
    on_error: OnError,
    identity: Arc<Identity>,
    journal: Journal,
    watch: Watch,
    /// Whether there is a restore point to start from.
    based: bool,
    /// Whether to wait while one is taken.
    patient: bool,
    taking: Option<JoinHandle<anyhow::Result<()>>>,
    /// The epoch at whose beginning needless files were removed.
    pruned: i64,
    /// Why it could not be protected the last time, and when to try again.
    failed: Option<(String, Instant)>,
}

impl Guard {
    /// Brings the database to where its journal is, and looks for a restore point to start from.
    ///
    /// # Errors
    /// The database may lack what was acknowledged. All else is for the policy.
    pub(super) fn start(
        protection: &Protection,
        identity: Arc<Identity>,
        connection: &Connection,
    ) -> anyhow::Result<Self> {
        let repository =
            protection.repository.clone().context("--protect sync needs a --repository for its journal")?;
        let mut journal = Journal::new(identity.database(), repository.path())?;
        let until = protection.until.map(Timestamp::as_microsecond);
        journal.settle(connection, until).map_err(|trouble| match trouble {
            Trouble::Fenced(reason) => anyhow!(reason),
            Trouble::Unusable(error) => error,
        })?;
        let watch = Watch::new();
        let mut guard = Self {
            repository,
            on_error: protection.on_error,
            identity,
            journal,
            watch,
            based: false,
            patient: true,
            taking: None,
            pruned: 0,
            failed: None,
        };
        // What comes of it is in the status, and tried again with the first write.
        let _ = guard.prepare(connection);
        guard.patient = guard.on_error == OnError::Refuse;
        Ok(guard)
    }

    pub(super) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Begins the transaction of a group, with database and journal in step. Whether there is a journal to record it in
    /// is what it gives beside.
    ///
    /// # Errors
    /// [`Failure::Unprotected`] where the policy is to refuse, [`Failure::Lost`] if others went on with the journal, and
    /// those of the database.
    pub(super) fn begin<'a>(&mut self, connection: &'a Connection) -> Result<(Transaction<'a>, bool), Failure> {
        for _ in 0..TRIES {
            let journaled = self.prepare(connection)?;
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                .map_err(|error| Failure::from_sqlite("write", self.identity.database(), &error))?;
            if !journaled || self.agrees(&transaction) {
                return Ok((transaction, journaled));
            }
        }
        Err(Failure::Unprotected("other processes keep changing the database and its journal".to_owned()))
    }

    fn prepare(&mut self, connection: &Connection) -> Result<bool, Failure> {
        let prepared = self.try_prepare(connection);
        self.conclude(prepared)?;
        Ok(self.journal.position().is_some())
    }

    fn agrees(&mut self, connection: &Connection) -> bool {
        let agrees = self.journal.agrees(connection);
        if let Err(Trouble::Unusable(error)) = &agrees {
            tracing::warn!("{error:#}");
        }
        let agrees = matches!(agrees, Ok(true));
        if !agrees {
            self.journal.close();
        }
        agrees
    }

    /// Brings messages to the journal, or proves that it could where there are none. Part of their transaction.
    ///
    /// # Errors
    /// As [`Guard::begin`]. The messages may be in the journal all the same.
    pub(super) fn record(&mut self, connection: &Connection, messages: &[Message]) -> Result<(), Failure> {
        let recorded = match messages {
            [] => self.journal.prove(),
            messages => self.journal.append(connection, messages),
        };
        // Without a restore point to start from, a journal protects nothing yet.
        if recorded.is_ok() && !self.based { Ok(()) } else { self.conclude(recorded) }
    }

    /// Lets others go on with the journal: the database is lost.
    pub(super) fn leave(&mut self) {
        self.journal.leave();
    }

    fn try_prepare(&mut self, connection: &Connection) -> Result<(), Trouble> {
        if let Some((reason, again)) = &self.failed
            && Instant::now() < *again
        {
            return Err(anyhow!(reason.clone()).into());
        }
        if self.journal.position().is_none() {
            self.based = false;
            self.journal.settle(connection, None)?;
        }
        if !self.based {
            self.find_base()?;
            self.based = true;
        }
        self.prune();
        Ok(())
    }

    /// Says how it went, and applies the policy where it went wrong.
    fn conclude(&mut self, went: Result<(), Trouble>) -> Result<(), Failure> {
        match went {
            Ok(()) => {
                self.failed = None;
                self.watch.publish(Standing::Protected, None, self.journal.position());
                Ok(())
            }
            Err(Trouble::Fenced(reason)) => Err(self.identity.lose(reason)),
            Err(Trouble::Unusable(error)) => {
                let reason = format!("{error:#}");
                let again = self.failed.take().map(|(_, again)| again).filter(|again| Instant::now() < *again);
                self.failed = Some((reason.clone(), again.unwrap_or_else(|| Instant::now() + RETRY)));
                let position = self.journal.position();
                match self.on_error {
                    OnError::Refuse => {
                        self.watch.publish(Standing::Refusing, Some(&reason), position);
                        Err(Failure::Unprotected(reason))
                    }
                    OnError::Degrade => {
                        self.watch.publish(Standing::Degraded, Some(&reason), position);
                        Ok(())
                    }
                }
            }
        }
    }
}

//! The one thread that writes. Writes that wait together share a commit, and so an fsync.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::commits::Commits;
use super::contents::Contents;
use super::guard::Guard;
use super::rescue::{self, Loss};
use super::{Failure, Identity, Message, WriteFailure, schema, shape};

/// How many writes share a commit at most, so that the first of them does not wait for ever.
const BATCH_MAX: usize = 512;

const ADD_WAIT: Duration = Duration::from_secs(10);

/// How long a health check waits: a disk that is slower is not healthy. Shorter than the wait for a foreign lock.
const PROBE_WAIT: Duration = Duration::from_secs(3);

enum Job {
    Add { message: String, reply: oneshot::Sender<Result<Message, WriteFailure>> },
    Probe { reply: oneshot::Sender<Result<(), WriteFailure>> },
    Close { reply: oneshot::Sender<Result<(), Loss>> },
}

pub(super) struct Writer {
    queue: Sender<Job>,
    depth: usize,
    commits: Commits,
}

impl Writer {
    /// Starts the thread, which owns the connection from now on.
    pub(super) fn start(
        path: PathBuf,
        connection: Connection,
        identity: Arc<Identity>,
        guard: Option<Guard>,
        depth: usize,
    ) -> anyhow::Result<Self> {
        let (queue, jobs) = mpsc::channel(depth);
        let contents = identity.contents()?;
        let commits = Commits::default();
        let (counted, shape, rescued) = (commits.clone(), None, None);
        let thread =
            WriterThread { path, connection, identity, contents, guard, jobs, commits: counted, shape, rescued };
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || thread.run())
            .context("cannot start the writing thread")?;
        Ok(Self { queue, depth, commits })
    }

    /// Stores a message. Does not wait for a place in the queue: clients hear of an overload at once.
    pub(super) async fn add(&self, message: String) -> Result<Message, WriteFailure> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job::Add { message, reply }).map_err(|error| {
            WriteFailure::refused(match error {
                TrySendError::Full(_) => Failure::QueueFull { depth: self.depth },
                TrySendError::Closed(_) => Failure::Stopped,
            })
        })?;
        match timeout(ADD_WAIT, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(WriteFailure::indeterminate(Failure::Stopped)),
            Err(_) => Err(WriteFailure::indeterminate(Failure::TooSlow { seconds: ADD_WAIT.as_secs() })),
        }
    }

    /// Proves that a write reaches the disk. Waits for a place in the queue: a service with much to do is not ill.
    pub(super) async fn prove_durable(&self) -> Result<(), Failure> {
        let (reply, answer) = oneshot::channel();
        let proof = async {
            self.queue.send(Job::Probe { reply }).await.map_err(|_| Failure::Stopped)?;
            answer.await.map_err(|_| Failure::Stopped)?.map_err(|error| error.failure)
        };
        timeout(PROBE_WAIT, proof).await.map_err(|_| Failure::TooSlow { seconds: PROBE_WAIT.as_secs() })?
    }

    /// How many writes wait, and how many may.
    pub(super) fn queue(&self) -> (usize, usize) {
        (self.queue.max_capacity() - self.queue.capacity(), self.queue.max_capacity())
    }

    pub(super) fn commits(&self) -> &Commits {
        &self.commits
    }

    pub(super) fn check_running(&self) -> Result<(), Failure> {
        if self.queue.is_closed() { Err(Failure::Stopped) } else { Ok(()) }
    }

    /// Waits until everything queued is written and the WAL is in the database. Fails if the database was lost.
    pub(super) async fn close(&self) -> anyhow::Result<()> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Close { reply }).await.ok().context("the writing thread is gone")?;
        Ok(answer.await.context("the writing thread died")??)
    }
}

struct WriterThread {
    path: PathBuf,
    connection: Connection,
    identity: Arc<Identity>,
    contents: Contents,
    guard: Option<Guard>,
    jobs: Receiver<Job>,
    commits: Commits,
    /// The version of the schema that was found right. SQLite goes by it as well: whatever changes a table or a trigger
    /// changes it, and until a connection sees that, it does as before.
    shape: Option<i64>,
    /// Once the database is lost: whether what was acknowledged was saved.
    rescued: Option<bool>,
}

#[derive(Default)]
struct Batch {
    adds: Vec<(String, oneshot::Sender<Result<Message, WriteFailure>>)>,
    probes: Vec<oneshot::Sender<Result<(), WriteFailure>>>,
    close: Option<oneshot::Sender<Result<(), Loss>>>,
}

impl WriterThread {
    fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            let close = match job {
                Job::Close { reply } => Some(reply),
                first => self.serve(first),
            };
            if let Some(reply) = close {
                // Whoever asked may have given up waiting.
                let _ = reply.send(self.finish());
                return;
            }
        }
    }

    /// Writes a job and those that wait behind it. Gives the request to close, if there is one among them.
    fn serve(&mut self, first: Job) -> Option<oneshot::Sender<Result<(), Loss>>> {
        let began = Instant::now();
        let Self { path, connection, identity, contents, guard, jobs, shape, .. } = self;
        let failed = |error| Failure::from_sqlite("write", path, &error);
        let begun = check(identity, contents).and_then(|()| match guard {
            Some(guard) => guard.begin(connection),
            None => Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                .map(|transaction| (transaction, false))
                .map_err(failed),
        });
        // Only now: whoever came while we waited for a foreign lock shares this commit, or this failure.
        let mut batch = Batch::gather(first, jobs);
        let result = begun.map_err(WriteFailure::refused).and_then(|(transaction, journaled)| {
            check_shape(&transaction, path, shape).map_err(WriteFailure::refused)?;
            let messages = batch.insert(&transaction).map_err(failed).map_err(WriteFailure::refused)?;
            if let Some(guard) = guard.as_mut().filter(|_| journaled) {
                // What fails to be written may be in the journal, and then it will be stored.
                guard.record(&transaction, &messages).map_err(WriteFailure::indeterminate)?;
            }
            // A commit that fails may have reached the disk; what comes after it certainly has.
            transaction.commit().map_err(failed).map_err(WriteFailure::indeterminate)?;
            check(identity, contents).map_err(WriteFailure::indeterminate)?;
            Ok(messages)
        });
        self.commits.ended(batch.adds.len() + batch.probes.len(), began.elapsed(), result.is_ok());
        let is_lost = matches!(&result, Err(WriteFailure { failure: Failure::Lost(_), .. }));
        if let Err(WriteFailure { failure, outcome }) = &result
            && !is_lost
        {
            tracing::warn!(%failure, ?outcome, messages = batch.adds.len(), "cannot write");
        }
        let close = batch.close.take();
        batch.answer(result);
        // At once, while nobody has put another file in the place of the missing one.
        if is_lost && self.rescued.is_none() {
            self.rescued = Some(rescue::save(&self.connection, &self.identity, &mut self.contents));
            if let Some(guard) = &mut self.guard {
                guard.leave();
            }
        }
        close
    }

    /// Leaves everything in the database, and says if that is not so.
    fn finish(&mut self) -> Result<(), Loss> {
        self.checkpoint();
        // Only now: the database may have been lost during the checkpoint.
        let Err(Failure::Lost(reason)) = self.identity.check() else { return Ok(()) };
        let saved = self.rescued == Some(true) || rescue::save(&self.connection, &self.identity, &mut self.contents);
        Err(Loss { reason, saved })
    }

    /// Moves the WAL into the database, unless the database is no longer ours. While it is, what was acknowledged is on
    /// disk either way, so that a failure here is no failure to stop.
    fn checkpoint(&mut self) {
        if check(&self.identity, &mut self.contents).is_err() {
            return;
        }
        match self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)) {
            Ok(false) => {}
            Ok(true) => tracing::info!("another process uses the database; its -wal file was not removed"),
            Err(error) => tracing::warn!(%error, "cannot checkpoint the -wal file into the database; keep both files \
            together"),
        }
    }
}

/// Fails if the files are not those that were opened, or hold something else.
fn check(identity: &Identity, contents: &mut Contents) -> Result<(), Failure> {
    identity.check()?;
    let path = identity.database();
    let refused =
        |error: io::Error| Failure::Refused { action: "read", path: path.to_owned(), reason: error.to_string() };
    if contents.are_overwritten().map_err(refused)? {
        return Err(identity.lose(format!(
            "{} was overwritten while it was open and no longer matches its -wal file",
            path.display()
        )));
    }
    Ok(())
}

/// Fails if the tables are not as they should be. Looks only if they may have changed since they were found right.
fn check_shape(transaction: &Transaction<'_>, path: &Path, seen: &mut Option<i64>) -> Result<(), Failure> {
    let failed = |error| Failure::from_sqlite("write", path, &error);
    let version = transaction.prepare_cached("PRAGMA schema_version").map_err(failed)?.query_row([], |row| row.get(0));
    let version = Some(version.map_err(failed)?);
    if *seen != version {
        let misshapen = |found| Failure::Misshapen { path: path.to_owned(), found: format!("{found:#}") };
        shape::check(transaction).map_err(misshapen)?;
        *seen = version;
    }
    Ok(())
}

impl Batch {
    /// Takes what waits already. Waiting for more would delay everyone: the next commit serves those.
    fn gather(first: Job, jobs: &mut Receiver<Job>) -> Self {
        let mut batch = Self::default();
        batch.push(first);
        while batch.close.is_none() && batch.adds.len() + batch.probes.len() < BATCH_MAX {
            let Ok(job) = jobs.try_recv() else { break };
            batch.push(job);
        }
        batch
    }

    /// Whoever gave up waiting is left out: nothing is stored for a client that was told it failed.
    fn push(&mut self, job: Job) {
        match job {
            Job::Add { reply, .. } if reply.is_closed() => {}
            Job::Probe { reply } if reply.is_closed() => {}
            Job::Add { message, reply } => self.adds.push((message, reply)),
            Job::Probe { reply } => self.probes.push(reply),
            Job::Close { reply } => self.close = Some(reply),
        }
    }

    fn insert(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Message>> {
        if !self.probes.is_empty() {
            transaction.prepare_cached(schema::PROBE)?.execute([])?;
        }
        let mut insert = transaction.prepare_cached("INSERT INTO message (timestamp, message) VALUES (?1, ?2)")?;
        self.adds
            .iter()
            .map(|(message, _)| {
                let timestamp = format!("{:.6}", Timestamp::now());
                let id = insert.insert((&timestamp, message))?;
                Ok(Message { id, timestamp, message: message.clone() })
            })
            .collect()
    }

    /// Tells everyone. A client that is gone meanwhile is no error: its write is stored, but not acknowledged.
    fn answer(self, result: Result<Vec<Message>, WriteFailure>) {
        match result {
            Ok(messages) => {
                self.adds.into_iter().zip(messages).for_each(|((_, reply), message)| drop(reply.send(Ok(message))));
                self.probes.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
            }
            Err(failure) => {
                self.adds.into_iter().for_each(|(_, reply)| drop(reply.send(Err(failure.clone()))));
                self.probes.into_iter().for_each(|reply| drop(reply.send(Err(failure.clone()))));
            }
        }
    }
}

//! Restores into a database that others use, as one write transaction: the online backup API in reverse.
//!
//! The write lock is taken first, by a step of no pages. Under it the safety copy is taken and the pages are
//! overwritten, so that whatever was ever committed is in the one or follows the other. Readers go on meanwhile with
//! the old state, which takes a database in WAL mode.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use serde::{Deserialize, Serialize};

use super::choose::Candidates;
use super::temporary::{self, Temporary};
use super::{Request, Restored, entries, fill, passed_over, replace, undone};
use crate::at_rest::AtRest;
use crate::checked::{self, Check, Outcome};
use crate::content::Content;
use crate::identity::resolve;
use crate::limits::{BUSY_MAX, Deadline, Limits, Progress};
use crate::lineage::Lineage;
use crate::paths::exists;
use crate::{Error, Manifest, Repository, belongings, copy, durable, paths, source, steps, tables, untrusted};

/// How often a lock is asked for again. SQLite waits for longer and longer between its tries, and would be outrun by a
/// service that writes without a pause.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// How long emptying the WAL may keep writers waiting, for the readers that still need it.
const TRUNCATE_WAIT: Duration = Duration::from_secs(1);

/// Keys by their table.
type ReusedKeys = BTreeMap<String, RangeInclusive<i64>>;

/// How long others may be waited for, and be kept waiting, and what they may lose by it.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub wait: Duration,
    /// How long to hold it. After that the restore is given up and the database stays as it is.
    pub hold: Duration,
    /// Whether tables without AUTOINCREMENT may give out keys again that they gave out since the restore point.
    pub reuse_keys: bool,
}

/// What a restore into a live database did beside restoring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntoLive {
    /// How long writers had to wait: from the lock to the commit.
    pub locked_seconds: f64,
    /// By table, the AUTOINCREMENT marks that stayed because they were greater than those of the restore point: keys
    /// that clients have been given are not given out again.
    pub kept_high_water: BTreeMap<String, i64>,
    /// By table without AUTOINCREMENT, the keys that were given out since the restore point and will be again, which was
    /// allowed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reused_keys: BTreeMap<String, RangeInclusive<i64>>,
    /// What was seen of it afterwards.
    pub proof: Proof,
}

/// What was compared after a restore into a live database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Every row of every table is that of the restore point, and SQLite's check found no fault.
    Equal,
    /// SQLite's check found no fault. Others wrote before the rows could be compared.
    WrittenSince,
    /// Nothing: it could not be read. The restore is committed all the same.
    Unread,
}

/// Restores into a database that may be in use, keeping a safety copy of what it overwrites. Killed at any instant, it
/// leaves the old content or the new one.
///
/// `request.force` lets it put another lineage in the place of the database's own.
///
/// # Errors
/// [`Error::IntoLive`] if the database cannot be restored into, [`Error::OtherLineage`], [`Error::LiveBusy`],
/// [`Error::Deadline`] and [`Error::ReusedKeys`] for the [`Terms`], and those of [`super::run`], all of which leave the database as it is;
/// [`Error::Damaged`] with the database's path if what is there afterwards is not what was restored.
pub fn into_live(
    repository: &Repository,
    request: &Request,
    terms: Terms,
    report: &mut dyn FnMut(Progress),
) -> Result<Restored, Error> {
    let began = Instant::now();
    let database = resolve(&request.database)?;
    let entries = entries(repository, &request.choice)?;
    let Candidates { best_first, suspects } = request.candidates(&entries, &database, true)?;
    let live = Live { path: &database, terms, force: request.force };
    let mut connection = live.open()?;
    // They are all of one lineage.
    let lineage = best_first.first().and_then(|candidate| candidate.lineage.clone());
    live.check_lineage(&live.look(&connection)?, lineage.as_ref())?;
    let mut temporary = Temporary::create(&database)?;
    let (restore_point, checked, mut rejected) = fill(repository, request, best_first, &mut temporary, report)?;
    rejected.extend(passed_over(&entries, &restore_point));
    live.check_page_size(&connection, &restore_point)?;
    let source = temporary.open_for_copy()?;
    let restored_keys = tables::greatest_keys(&source).map_err(Error::sqlite("read", &temporary::path(&database)))?;
    // To tell before anybody has to wait; again under the lock.
    live.check_keys(&connection, &restored_keys)?;
    let overwritten = live.overwrite(&mut connection, &source, &restored_keys, report)?;
    let proof = match live.prove(&mut connection, &source, &overwritten, restore_point.check(request.check)) {
        // It is committed: whoever is told that it failed would do it again, over what was written since.
        Err(error) if !matches!(error, Error::Damaged { .. }) => {
            let (path, safety_copy) = (database.display(), overwritten.safety_copy.display());
            let error = anyhow::Error::from(error);
            tracing::warn!(
                "{path} is restored, but was not compared: {error:#}; its old content is kept as {safety_copy}"
            );
            Proof::Unread
        }
        proof => proof?,
    };
    untrusted::end_after(&mut connection, None).ok();
    live.shrink_wal(&connection);
    // Where nobody else uses it, no side file of ours stays, which its owner might not be able to open.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).ok();
    let Overwritten { safety_copy, kept_high_water, reused_keys, locked_seconds, .. } = overwritten;
    Ok(Restored {
        undone: undone(&request.choice, &entries, &restore_point),
        bytes: restore_point.size_bytes,
        restore_point,
        checked,
        rejected,
        suspects,
        safety_copy: Some(safety_copy),
        seconds: began.elapsed().as_secs_f64(),
        live: Some(IntoLive { locked_seconds, kept_high_water, reused_keys, proof }),
    })
}

/// Fails if a restore point cannot be restored into this database, and changes nothing.
pub(super) fn check(
    repository: &Repository,
    path: &Path,
    terms: Terms,
    force: bool,
    restore_point: &Manifest,
) -> Result<(), Error> {
    let live = Live { path, terms, force };
    let connection = live.open()?;
    live.check_lineage(&live.look(&connection)?, restore_point.lineage.as_ref())?;
    live.check_page_size(&connection, restore_point)?;
    // Of what is compressed, the keys are known once it is unpacked.
    let stored = repository.stored_file(restore_point);
    if restore_point.compressed.is_some() {
        return Ok(());
    }
    let source = untrusted::open_immutable(&stored).map_err(Error::sqlite("open", &stored))?;
    let restored_keys = tables::greatest_keys(&source).map_err(Error::sqlite("read", &stored))?;
    live.check_keys(&connection, &restored_keys).map(drop)
}

struct Live<'a> {
    path: &'a Path,
    terms: Terms,
    /// Whether it may become another lineage.
    force: bool,
}

/// What was done under the lock.
struct Overwritten {
    safety_copy: PathBuf,
    kept_high_water: BTreeMap<String, i64>,
    reused_keys: ReusedKeys,
    locked_seconds: f64,
    /// `data_version` just before the lock; it moves with every commit of others, and not with ours.
    version: i64,
}

impl Live<'_> {
    fn open(&self) -> Result<Connection, Error> {
        if !exists(self.path)? {
            return Err(refuse(self.path, "it does not exist; restore it without --into-live"));
        }
        // Released at once: it only has to be known that those who use it have their files here.
        drop(AtRest::hold(self.path)?);
        untrusted::check_journal(self.path)?;
        let connection = source::open(self.path, self.terms.wait).map_err(Error::sqlite("open", self.path))?;
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
        let mode = mode.map_err(|error| self.unreadable(error))?;
        if mode != "wal" {
            let reason = format!(
                "its journal mode is {mode}, expected wal, because other modes block readers during a restore; stop \
                 the programs that use it, then restore with --force"
            );
            return Err(refuse(self.path, reason));
        }
        // The WAL is brought into the database once it is proven to be right, and without keeping writers waiting.
        let prepared = connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
        prepared.map_err(Error::sqlite("prepare", self.path))?;
        Ok(connection)
    }

    /// What it says of itself now.
    fn look(&self, connection: &Connection) -> Result<Content, Error> {
        Content::read(connection).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: rusqlite::Error) -> Error {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => refuse(
                self.path,
                format!("it cannot be read ({error}); stop the programs that use it, then restore with --force"),
            ),
            _ => Error::sqlite("read", self.path)(error),
        }
    }

    fn check_lineage(&self, live: &Content, restored: Option<&Lineage>) -> Result<(), Error> {
        if self.force || live.lineage.as_ref() == restored {
            return Ok(());
        }
        let (path, found) = (self.path.to_owned(), live.lineage.clone());
        Err(Error::OtherLineage { path, found, restored: restored.cloned() })
    }

    fn check_page_size(&self, connection: &Connection, restored: &Manifest) -> Result<(), Error> {
        let (found, Manifest { name, page_size, .. }) = (self.look(connection)?.page_size, restored);
        if found == *page_size {
            return Ok(());
        }
        let reason = format!(
            "its page size is {found} bytes, but that of {name} is {page_size}, and a WAL database cannot change its \
             page size; stop the programs that use it, then restore with --force"
        );
        Err(refuse(self.path, reason))
    }

    /// Gives the keys that SQLite would give out again, and fails if it may not: it goes on after the greatest row of a
    /// table without AUTOINCREMENT. A table that would be gone gives out none.
    fn check_keys(&self, live: &Connection, restored: &BTreeMap<String, i64>) -> Result<ReusedKeys, Error> {
        let live = tables::greatest_keys(live).map_err(|error| self.unreadable(error))?;
        let again = |(table, key): (String, i64)| {
            let restored = *restored.get(&table)?;
            (restored < key).then_some((table, restored + 1..=key))
        };
        let reused: ReusedKeys = live.into_iter().filter_map(again).collect();
        if reused.is_empty() || self.terms.reuse_keys {
            return Ok(reused);
        }
        Err(Error::ReusedKeys { path: self.path.to_owned(), keys: reused })
    }

    /// Puts the content of `source` in the place of its own. Whoever wants to write meanwhile waits.
    fn overwrite(
        &self,
        connection: &mut Connection,
        source: &Connection,
        restored_keys: &BTreeMap<String, i64>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Overwritten, Error> {
        let fails = || Error::sqlite("restore into", self.path);
        let asked = Instant::now();
        // Each attempt has to know the version just before its lock, so SQLite must not wait for it.
        connection.busy_timeout(Duration::ZERO).map_err(fails())?;
        loop {
            if let Some(overwritten) = self.try_overwrite(connection, source, restored_keys, report)? {
                connection.busy_timeout(self.terms.wait.min(BUSY_MAX)).map_err(fails())?;
                return Ok(overwritten);
            }
            if asked.elapsed() >= self.terms.wait {
                return Err(Error::LiveBusy { path: self.path.to_owned(), waited: self.terms.wait });
            }
            thread::sleep(LOCK_POLL);
        }
    }

    /// `None` if somebody else is writing.
    fn try_overwrite(
        &self,
        connection: &mut Connection,
        source: &Connection,
        restored_keys: &BTreeMap<String, i64>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<Option<Overwritten>, Error> {
        let fails = || Error::sqlite("restore into", self.path);
        let Some(version) = unless_busy(data_version(connection)).map_err(fails())? else { return Ok(None) };
        let backup = Backup::new(source, connection).map_err(fails())?;
        let Some(StepResult::More) = unless_busy(backup.step(0)).map_err(fails())? else { return Ok(None) };
        let deadline = Deadline { began: Instant::now(), limit: self.terms.hold };
        let (safety_copy, replaced, reused_keys) = self.save(restored_keys, deadline, report)?;
        self.check_lineage(&replaced, Content::read(source).map_err(fails())?.lineage.as_ref())?;
        let filled = temporary::path(self.path);
        let kept_high_water = keep_high_water(source, &replaced).map_err(Error::sqlite("write", &filled))?;
        steps::to_the_end(&backup, self.path, &mut |progress| {
            report(progress);
            deadline.check(self.path, progress)
        })?;
        let locked_seconds = deadline.began.elapsed().as_secs_f64();
        Ok(Some(Overwritten { safety_copy, kept_high_water, reused_keys, locked_seconds, version }))
    }

    /// Takes the safety copy. It has its name only once it is whole and on disk.
    fn save(
        &self,
        restored_keys: &BTreeMap<String, i64>,
        deadline: Deadline,
        report: &mut dyn FnMut(Progress),
    ) -> Result<(PathBuf, Content, ReusedKeys), Error> {
        let (partial, safety_copy) = (paths::beside(self.path, ".saving"), replace::safety_name(self.path)?);
        let saved = self.copy_to(&partial, restored_keys, deadline, report).and_then(|(content, keys)| {
            durable::rename(&partial, &safety_copy)?;
            durable::sync_directory(paths::directory_of(self.path))?;
            Ok((safety_copy, content, keys))
        });
        if saved.is_err()
            && let Err(error) = durable::remove(&partial)
        {
            tracing::warn!("cannot clean up: {error}");
        }
        saved
    }

    fn copy_to(
        &self,
        target: &Path,
        restored_keys: &BTreeMap<String, i64>,
        deadline: Deadline,
        report: &mut dyn FnMut(Progress),
    ) -> Result<(Content, ReusedKeys), Error> {
        // What a killed restore left.
        durable::remove(target)?;
        let file = belongings::create_copy(self.path, target)?;
        let snapshot = source::begin(self.path, self.terms.wait)?;
        let reused_keys = self.check_keys(&snapshot.connection, restored_keys)?;
        let limits = Limits { deadline, wal: None };
        copy::pages((&snapshot.connection, self.path), (&file, target), limits, report)?;
        file.sync_all().map_err(Error::io("sync", target))?;
        Ok((snapshot.content, reused_keys))
    }

    /// Compares what is there now with what was copied.
    fn prove(
        &self,
        connection: &mut Connection,
        source: &Connection,
        overwritten: &Overwritten,
        check: Check,
    ) -> Result<Proof, Error> {
        let reads = || Error::sqlite("read", self.path);
        untrusted::end_after(connection, Some(untrusted::patience(self.path))).map_err(reads())?;
        // One transaction, so that all is seen at one instant.
        connection.execute_batch("BEGIN").map_err(reads())?;
        let (found, expected) = (Content::read(connection).map_err(reads())?, Content::read(source).map_err(reads())?);
        let written_since = data_version(connection).map_err(reads())? != overwritten.version;
        let checked = checked::look(connection, check).map_err(reads())?;
        let differs = |what: &str| {
            let safety_copy = overwritten.safety_copy.display();
            Error::damaged(self.path, format!("after the restore, {what}; the old content is in {safety_copy}"))
        };
        if let Outcome::Damaged(fault) = checked {
            return Err(differs(&format!("SQLite's check expected ok, found {fault:?}")));
        }
        if !written_since {
            if found != expected {
                return Err(differs(&format!("expected {expected:?}, found {found:?}")));
            }
            let (found, expected) = (tables::read(connection), tables::read(source));
            if found.map_err(reads())? != expected.map_err(reads())? {
                return Err(differs("the rows differ from those of the restore point"));
            }
        }
        connection.execute_batch("COMMIT").map_err(reads())?;
        Ok(if written_since { Proof::WrittenSince } else { Proof::Equal })
    }

    /// Brings the WAL, which now holds the whole database, into it, and gives its space back. The first checkpoint does
    /// the work and disturbs nobody; the second is short. Others do the same later where this fails.
    fn shrink_wal(&self, connection: &Connection) {
        let shrunk = connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .and_then(|()| connection.busy_timeout(TRUNCATE_WAIT))
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)));
        match shrunk {
            Ok(false) => {}
            Ok(true) => tracing::info!("other processes use the -wal file of {}; it stays large", self.path.display()),
            Err(error) => tracing::warn!("cannot checkpoint the -wal file into {}: {error}", self.path.display()),
        }
    }
}

/// Raises the AUTOINCREMENT marks of what will be restored to those of what it replaces. Gives those it raised.
fn keep_high_water(source: &Connection, replaced: &Content) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut kept = BTreeMap::new();
    if !source.table_exists(None, "sqlite_sequence")? {
        return Ok(kept);
    }
    let restored = Content::read(source)?.high_water;
    let greater = |(table, mark): &(&String, &i64)| restored.get(*table).is_none_or(|restored| restored < *mark);
    for (table, mark) in replaced.high_water.iter().filter(greater) {
        source.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
        let raise = "INSERT INTO sqlite_sequence (name, seq) SELECT name, ?2 FROM sqlite_schema
                     WHERE type = 'table' AND name = ?1";
        if source.execute(raise, (table, mark))? > 0 {
            kept.insert(table.clone(), *mark);
        }
    }
    Ok(kept)
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "data_version", |row| row.get(0))
}

/// `None` in the place of an error that says that somebody else is writing.
fn unless_busy<T>(result: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match result {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        other => other.map(Some),
    }
}

fn refuse(path: &Path, reason: impl Into<String>) -> Error {
    Error::IntoLive { path: path.to_owned(), reason: reason.into() }
}

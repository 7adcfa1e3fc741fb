//! The real thing, step by step, and what the model says of each.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use backup::prune::{self, Mode};
use backup::remote::{self, Options, Remote, pull, push};
use backup::restore::{self, Choice, Ensured};
use backup::retention::Policy;
use backup::{Error, Manifest, Name, Repository, Restored, take};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::clock;
use crate::model::{Point, Points, State};
use crate::step::{Step, Which};

const NAMES: [&str; 2] = ["one.db", "two.db"];
const TABLES: [&str; 2] = [
    "CREATE TABLE message (id INTEGER PRIMARY KEY AUTOINCREMENT, stored)",
    "CREATE TABLE message (id INTEGER PRIMARY KEY, stored)",
];

pub struct World {
    directory: TempDir,
    repository: Repository,
    here: Points,
    there: Points,
    /// Seconds that have truly passed, besides those that the test takes.
    passed: i64,
    stored: i64,
    /// Whether what is in each was made anew after a loss, and not put right.
    is_poison: [bool; 2],
    /// How many rows there were when it was last taken or restored, and right.
    rows: [i64; 2],
    remote: Option<Remote>,
}

type Fault = String;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}

impl World {
    pub fn new() -> Self {
        let memory = PathBuf::from("/dev/shm");
        let directory = tempfile::tempdir_in(if memory.is_dir() { memory } else { std::env::temp_dir() }).unwrap();
        for folder in ["repository", "far"] {
            fs::create_dir(directory.path().join(folder)).unwrap();
        }
        let repository = Repository::at(directory.path().join("repository"));
        clock::shift(0);
        let (here, there) = (Points::default(), Points::default());
        let world = Self {
            directory,
            repository,
            here,
            there,
            passed: 0,
            stored: 0,
            is_poison: [false; 2],
            rows: [0; 2],
            remote: None,
        };
        [0, 1].iter().for_each(|which| world.create(*which));
        world
    }

    pub fn perform(&mut self, step: &Step) -> Result<(), Fault> {
        clock::shift(self.passed);
        match step {
            Step::Wait(seconds) => self.passed += i64::try_from(*seconds).unwrap(),
            Step::Write(which) => self.write(*which),
            Step::Truncate(which) => {
                let sql = "DELETE FROM message WHERE id < (SELECT max(id) FROM message)";
                self.open(*which).execute_batch(sql).unwrap();
            }
            Step::MakeAnew(which) => self.make_anew(*which),
            Step::Take(which, wrong, policy) => self.take(*which, *wrong, policy.as_ref())?,
            Step::Prune(policy, wrong) => {
                self.turn_clock(*wrong);
                self.prune(policy)?;
            }
            Step::Damage(index) => self.damage(index),
            Step::Lose(which) => self.lose(*which)?,
            Step::GoBack(which, index) => self.go_back(*which, index),
            Step::Push => self.push()?,
            Step::PruneRemote(policy) => self.prune_remote(policy)?,
            Step::Pull(which) => self.pull(*which)?,
        }
        // A second passes, so that no two things happen at once.
        self.passed += 1;
        self.check_here()
    }

    fn path(&self, which: Which) -> PathBuf {
        self.directory.path().join(NAMES[which])
    }

    fn open(&self, which: Which) -> Connection {
        Connection::open(self.path(which)).unwrap()
    }

    fn create(&self, which: Which) {
        self.open(which).execute_batch(TABLES[which]).unwrap();
    }

    fn remove(&self, which: Which) {
        fs::remove_file(self.path(which)).unwrap();
    }

    fn write(&mut self, which: Which) {
        self.stored += 1;
        self.open(which).execute("INSERT INTO message (stored) VALUES (?1)", [self.stored]).unwrap();
    }

    fn state(&self, which: Which) -> State {
        let query = "SELECT coalesce(max(stored), 0), count(*) FROM message";
        self.open(which).query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    fn make_anew(&mut self, which: Which) {
        self.remove(which);
        self.create(which);
        // Before there is a restore point, nobody can know.
        self.is_poison[which] = self.here.of(which).next().is_some();
    }

    fn turn_clock(&self, wrong: i64) {
        clock::shift(self.passed + wrong);
    }

    fn take(&mut self, which: Which, wrong: i64, policy: Option<&Policy>) -> Result<(), Fault> {
        // Of the first one, nothing tells that its clock is behind.
        let is_first = self.here.of(which).next().is_none();
        // Nor that a clock is ahead rather than time has passed, once it told of two.
        let is_again = self.is_any_ahead(which);
        let wrong = if is_first || is_again { 0 } else { wrong };
        self.turn_clock(wrong);
        let writer = self.repository.writer(Duration::ZERO).unwrap();
        let taken = take::run(&writer, &take::Request::new(self.path(which)), &mut |_| {});
        let taken = taken.map_err(|error| format!("a take failed: {error}"))?;
        drop(writer);
        let (holds, manifest) = (self.state(which), taken.restore_point);
        if taken.confirmed {
            let known = self.here.0.iter_mut().rfind(|point| point.name == manifest.name);
            let known = known.ok_or_else(|| format!("{} was confirmed and is not there", manifest.name))?;
            ensure!(known.of == which && known.holds == holds, "{manifest:?} was confirmed of {which}, {holds:?}");
            ensure!(known.is_good, "{} was confirmed and is damaged", manifest.name);
            known.until = self.passed;
            known.is_poison = self.is_poison[which];
        } else {
            self.check_suspicion(which, holds, &manifest)?;
            let follows_poison = self.here.of(which).next_back().is_some_and(|before| before.is_poison);
            if self.is_poison[which] && !manifest.is_suspect() && !follows_poison {
                // It holds as much as the one before did: nobody can tell.
                self.is_poison[which] = false;
            }
            let (name, is_poison) = (manifest.name, self.is_poison[which]);
            self.here.0.push(Point { name, of: which, holds, until: self.passed, is_good: true, is_poison });
        }
        if !self.is_poison[which] {
            self.rows[which] = holds.1;
        }
        policy.map_or(Ok(()), |policy| self.prune(policy))
    }

    /// Whether a clock that was ahead told of one of its restore points.
    fn is_any_ahead(&self, which: Which) -> bool {
        clock::shift(self.passed);
        let now = jiff::Timestamp::now();
        let is_of_it = |manifest: &Manifest| self.here.of(which).any(|point| point.name == manifest.name);
        let told = |manifest: Manifest| [Some(manifest.created_at), manifest.confirmed_at, manifest.confirmed_ahead_at];
        let manifests = self.repository.manifests().unwrap().into_iter().filter(is_of_it);
        manifests.flat_map(told).flatten().any(|at| backup::clock::is_ahead(at, now))
    }

    /// What was made anew and is smaller than before must not pass for the right one, and nothing else may be suspect.
    fn check_suspicion(&self, which: Which, (_, rows): State, manifest: &Manifest) -> Result<(), Fault> {
        let before = self.here.of(which).next_back();
        match before {
            Some(before) if self.is_poison[which] && !before.is_poison && self.rows[which] > rows => {
                ensure!(manifest.is_suspect(), "made anew and not suspect: {manifest:?} after {before:?}");
            }
            _ if !self.is_poison[which] && !self.here.has_poison(which) => {
                ensure!(!manifest.is_suspect(), "a false alarm: {manifest:?} after {before:?}");
            }
            _ => {}
        }
        Ok(())
    }

    fn prune(&mut self, policy: &Policy) -> Result<(), Fault> {
        let writer = self.repository.writer(Duration::ZERO).unwrap();
        let pruned = prune::run(&writer, *policy, None, None, Mode::Remove);
        let removed: BTreeSet<Name> =
            pruned.map_err(|error| format!("a prune failed: {error}"))?.removed.into_iter().collect();
        drop(writer);
        check_removed(&self.here, &removed, policy)?;
        self.here.0.retain(|point| !removed.contains(&point.name));
        Ok(())
    }

    fn damage(&mut self, index: &proptest::sample::Index) {
        if self.here.0.is_empty() {
            return;
        }
        let at = index.index(self.here.0.len());
        let point = &mut self.here.0[at];
        point.is_good = false;
        let file = File::options().write(true).open(self.repository.database(&point.name)).unwrap();
        file.write_all_at(b"damaged", 4200).unwrap();
    }

    fn lose(&mut self, which: Which) -> Result<(), Fault> {
        self.remove(which);
        let request = restore::Request {
            choice: Choice::Latest,
            ..restore::Request::named(self.path(which), Name::at(jiff::Timestamp::UNIX_EPOCH))
        };
        let ensured = restore::if_missing(&self.repository, &request, &mut |_| {});
        let there = self.here.clone();
        self.check_restored(which, ensured, &there)
    }

    /// What was put in the place of a lost database has to be its last good state, or nothing.
    fn check_restored(&mut self, which: Which, ensured: Result<Ensured, Error>, points: &Points) -> Result<(), Fault> {
        let right = points.right(which);
        let has_poison = points.has_poison(which);
        match ensured {
            Ok(Ensured::Restored(restored)) => self.check_state(which, &restored, points)?,
            Ok(other) => {
                ensure!(points.0.is_empty(), "nothing was restored although there is {right:?}: {other:?}");
                self.start_anew(which, false);
            }
            // People are asked.
            Err(Error::Suspect { .. }) if has_poison => self.start_anew(which, true),
            // Of this one there is nothing to restore; of the other, it is not taken.
            Err(error) => {
                ensure!(right.is_none(), "{right:?} was not restored: {error}");
                self.start_anew(which, has_poison);
            }
        }
        Ok(())
    }

    fn check_state(&mut self, which: Which, restored: &Restored, points: &Points) -> Result<(), Fault> {
        let name = &restored.restore_point.name;
        let point = points.0.iter().find(|point| point.name == *name);
        let point = point.ok_or_else(|| format!("{name} was restored and is not there"))?;
        let found = self.state(which);
        ensure!(point.of == which, "{point:?} was restored in the place of {which}");
        ensure!(point.is_good && found == point.holds, "{point:?} was restored, found {found:?}");
        let right = points.right(which);
        let is_right = right.is_none_or(|right| right.name == *name);
        // What was made anew and holds as much again as before is trusted.
        let caught_up = point.is_poison && right.is_some_and(|right| right.holds.1 <= point.holds.1);
        ensure!(is_right || caught_up, "{point:?} was restored, expected {right:?}");
        self.repository.record_restore(&restored.restore_point, &self.path(which)).unwrap();
        self.is_poison[which] = point.is_poison;
        if !point.is_poison {
            self.rows[which] = found.1;
        }
        Ok(())
    }

    fn start_anew(&mut self, which: Which, is_poison: bool) {
        self.create(which);
        self.is_poison[which] = is_poison || self.here.of(which).next().is_some();
    }

    fn go_back(&mut self, which: Which, index: &proptest::sample::Index) {
        let good: Vec<Point> = self.here.of(which).filter(|point| point.is_good && !point.is_poison).cloned().collect();
        if good.is_empty() {
            return;
        }
        let point = &good[index.index(good.len())];
        let request = restore::Request { force: true, ..restore::Request::named(self.path(which), point.name.clone()) };
        let restored = restore::run(&self.repository, &request, &mut |_| {}).unwrap();
        self.repository.record_restore(&restored.restore_point, &self.path(which)).unwrap();
        fs::remove_file(restored.safety_copy.unwrap()).unwrap();
        (self.is_poison[which], self.rows[which]) = (false, point.holds.1);
    }

    fn remote(&mut self) -> Remote {
        self.remote.take().unwrap_or_else(|| {
            let url = format!("file://{}", self.directory.path().join("far").display());
            Remote::open(&url, &Options { timeout: Duration::from_secs(60), retries: 0, ca: None }).unwrap()
        })
    }

    fn push(&mut self) -> Result<(), Fault> {
        let remote = self.remote();
        let request = push::Request::new(push::Which::Newest);
        match push::run(&remote, &self.repository, &request, &mut |_| {}) {
            Ok(pushed) => {
                for name in pushed.pushed.iter().map(|sent| &sent.name).chain(&pushed.present) {
                    let point = self.here.0.iter().find(|point| point.name == *name).unwrap().clone();
                    self.there.0.retain(|other| other.name != *name);
                    self.there.0.push(point);
                }
                // The order there is that of the takes.
                self.there.0.sort_by_key(|point| point.until.max(0));
                let order: Vec<Name> = remote_names(&remote);
                self.there.0.sort_by_key(|point| order.iter().position(|name| *name == point.name));
            }
            Err(Error::NoRestorePoint { .. }) if self.here.0.is_empty() => {}
            Err(error) => return Err(format!("a push failed: {error}")),
        }
        self.remote = Some(remote);
        self.check_there()
    }

    fn prune_remote(&mut self, policy: &Policy) -> Result<(), Fault> {
        let remote = self.remote();
        let pruned = remote::prune::run(&remote, *policy, Mode::Remove);
        let pruned = pruned.map_err(|error| format!("a remote prune failed: {error}"))?.pruned;
        self.remote = Some(remote);
        let removed: BTreeSet<Name> = pruned.removed.into_iter().collect();
        check_removed(&self.there, &removed, policy)?;
        self.there.0.retain(|point| !removed.contains(&point.name));
        self.check_there()
    }

    fn pull(&mut self, which: Which) -> Result<(), Fault> {
        let elsewhere = tempfile::tempdir_in(self.directory.path()).unwrap();
        let repository = Repository::at(elsewhere.path());
        let writer = repository.writer(Duration::ZERO).unwrap();
        let request = pull::Request::new(pull::Which::One(Choice::Latest), self.path(which));
        let remote = self.remote();
        let pulled = pull::run(&remote, &writer, &request, &mut |_| {});
        self.remote = Some(remote);
        let right = self.there.right(which);
        match pulled {
            Ok(pulled) => {
                let name = &pulled.pulled[0];
                let point = self.there.0.iter().find(|point| point.name == *name).unwrap();
                let is_right = right.is_none_or(|right| right.name == *name);
                let caught_up = point.is_poison && right.is_some_and(|right| right.holds.1 <= point.holds.1);
                // Where there is only the other one, people see whose it is; nothing of it is put in the place of this one.
                let is_only = self.there.of(which).next().is_none();
                ensure!(
                    is_only || (point.of == which && (is_right || caught_up)),
                    "{point:?} was pulled, expected {right:?}"
                );
            }
            Err(Error::Suspect { .. }) if self.there.has_poison(which) => {}
            Err(error) => ensure!(right.is_none(), "{right:?} was not pulled: {error}"),
        }
        Ok(())
    }

    /// Nothing goes by itself, and the order is that of the takes.
    fn check_here(&self) -> Result<(), Fault> {
        let found: Vec<Name> = self.repository.manifests().unwrap().into_iter().map(|manifest| manifest.name).collect();
        let expected: Vec<Name> = self.here.0.iter().map(|point| point.name.clone()).collect();
        ensure!(found == expected, "expected {expected:?} here, found {found:?}");
        Ok(())
    }

    fn check_there(&mut self) -> Result<(), Fault> {
        let remote = self.remote();
        let found: BTreeSet<Name> = remote_names(&remote).into_iter().collect();
        self.remote = Some(remote);
        let expected: BTreeSet<Name> = self.there.0.iter().map(|point| point.name.clone()).collect();
        ensure!(found == expected, "expected {expected:?} there, found {found:?}");
        Ok(())
    }
}

fn remote_names(remote: &Remote) -> Vec<Name> {
    remote.entries().unwrap().into_iter().map(|entry| entry.name).collect()
}

/// The law of a prune.
fn check_removed(points: &Points, removed: &BTreeSet<Name>, policy: &Policy) -> Result<(), Fault> {
    let promised = points.promised(policy);
    let broken: Vec<&Point> =
        points.0.iter().filter(|point| promised.contains(&point.name) && removed.contains(&point.name)).collect();
    ensure!(broken.is_empty(), "{policy:?} removed {broken:?} of {points:?}");
    Ok(())
}

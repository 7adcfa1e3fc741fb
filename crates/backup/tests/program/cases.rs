//! What every change to a repository or a database has to keep, whatever interrupts it: each case is a command, the
//! states it begins with and goes through, and what is looked at after a fault.

use std::fs;
use std::path::{Path, PathBuf};

use backup::restore::{self, interrupted};
use backup::verify::{self, Check};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::faults::{Faults, Run};
use crate::stage::{Stage, beside, ids, insert, up_to};

pub struct Case {
    pub name: &'static str,
    pub arguments: &'static [&'static str],
    begin: fn() -> Stage,
    /// The sequences of the restore points there may be, in the order of the states.
    points: &'static [&'static [u64]],
    /// The rows the database may have, from the old state to the new one; `None` for no database.
    rows: &'static [Option<i64>],
    /// Whether a connection stays open meanwhile.
    pub in_use: bool,
}

/// A case that has begun.
pub struct Begun {
    pub stage: Stage,
    /// Rows of the database.
    rows: Option<i64>,
    current_at: Option<Timestamp>,
    rehearsed_at: Option<Timestamp>,
}

const TAKE: Case = Case {
    name: "take",
    arguments: &["take"],
    begin: changed,
    points: &[&[1], &[1, 2]],
    rows: &[Some(8)],
    in_use: false,
};

pub const TAKE_FIRST: Case =
    Case { name: "take, the first one", begin: || Stage::with_rows(8).0, points: &[&[], &[1]], ..TAKE };
pub const TAKE_NEXT: Case = TAKE;
pub const TAKE_COMPRESSED: Case =
    Case { name: "take --compress", arguments: &["take", "--compress", "--check", "full"], ..TAKE };
pub const CONFIRM: Case = Case { name: "take, unchanged", begin: unchanged, points: &[&[1]], ..TAKE };
pub const TAKE_AND_PRUNE: Case = Case {
    name: "take --keep-last",
    arguments: &["take", "--keep-last", "1"],
    begin: || after_takes(2),
    points: &[&[1, 2], &[1, 2, 3], &[2, 3], &[3]],
    ..TAKE
};
pub const PRUNE: Case = Case {
    name: "prune",
    arguments: &["prune", "--keep-last", "1"],
    begin: || after_takes(3),
    points: &[&[1, 2, 3], &[2, 3], &[3]],
    ..TAKE
};
pub const RESTORE: Case = Case {
    name: "restore",
    arguments: &["restore", "--if-missing"],
    begin: lost,
    points: &[&[1]],
    rows: &[None, Some(5)],
    in_use: false,
};
pub const RESTORE_OVER: Case = Case {
    name: "restore --force",
    arguments: &["restore", "--force"],
    begin: crashed,
    rows: &[Some(8), None, Some(5)],
    ..RESTORE
};
pub const RESTORE_INTO_LIVE: Case = Case {
    name: "restore --into-live",
    arguments: &["restore", "--into-live"],
    begin: changed,
    rows: &[Some(8), Some(5)],
    in_use: true,
    ..RESTORE
};
pub const REHEARSE: Case = Case {
    name: "verify --deep --record",
    arguments: &["verify", "--deep", "--record"],
    begin: rehearsed,
    rows: &[Some(5)],
    ..RESTORE
};

fn unchanged() -> Stage {
    let (stage, connection) = Stage::with_rows(8);
    stage.take();
    drop(connection);
    stage
}

/// Five rows are in the restore point, eight in the database.
fn changed() -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 3);
    stage
}

/// As a killed service leaves it: three of the rows are in the WAL only.
fn crashed() -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    insert(&connection, 3);
    let crashed = stage.copy();
    drop(connection);
    crashed
}

fn lost() -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    stage.lose_database();
    stage
}

fn rehearsed() -> Stage {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    stage.run(&["verify", "--deep", "--record"]).expect(0);
    stage
}

/// Every other one is compressed, and the database has changed since the last.
fn after_takes(count: u32) -> Stage {
    let (stage, connection) = Stage::with_rows(8 - count);
    for take in 0..count {
        let compress = if take % 2 == 0 { &["--compress"][..] } else { &[] };
        stage.run(&[&["take"], compress].concat()).expect(0);
        insert(&connection, 1);
    }
    stage
}

impl Case {
    pub fn begin(&self) -> Begun {
        let stage = (self.begin)();
        Begun {
            rows: self.rows[0],
            current_at: stage.repository.newest(None).unwrap().map(|newest| newest.current_at(Timestamp::now())),
            rehearsed_at: rehearsed_at(&stage),
            stage,
        }
    }

    /// Runs the command with a fault. Whoever has the database open goes on using it.
    pub fn run(&self, faults: &Faults, stage: &Stage, fault: Option<(&str, usize)>) -> Run {
        let user = self.in_use.then(|| Connection::open(&stage.database).unwrap());
        let count = |user: &Connection| user.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
        user.as_ref().map(count);
        let run = faults.run(stage, self.arguments, fault);
        if let Some(user) = &user {
            assert!(self.rows.contains(&Some(count(user))));
            user.execute_batch("BEGIN IMMEDIATE; UPDATE message SET body = body WHERE id = 1; COMMIT").unwrap();
        }
        run
    }

    /// Checks the state that is left, of which a copy is looked at: to open a database is to change its side files.
    /// With `done`, the program said that it had done what it was to do.
    #[track_caller]
    pub fn look(&self, begun: &Begun, stage: &Stage, done: bool) {
        let seen = stage.copy();
        let points = seen.sequences();
        assert!(self.points.contains(&&points[..]), "{points:?}");
        assert!(!done || Some(&&points[..]) == self.points.last(), "done, but {points:?}");
        every_restore_point_restores(&seen);

        let current_at = seen.repository.newest(None).unwrap().map(|newest| newest.current_at(Timestamp::now()));
        assert!(current_at >= begun.current_at, "{current_at:?} is before {:?}", begun.current_at);
        let takes = self.arguments[0] == "take";
        assert!(!(done && takes) || current_at > begun.current_at, "nothing was taken or confirmed");
        let rehearsed = rehearsed_at(&seen);
        assert!(rehearsed >= begun.rehearsed_at, "{rehearsed:?} is before {:?}", begun.rehearsed_at);
        assert!(!done || self.arguments[0] != "verify" || rehearsed > begun.rehearsed_at, "nothing was recorded");

        let rows = rows(&seen.database);
        assert!(self.rows.contains(&rows), "{rows:?} rows");
        assert!(!done || Some(&rows) == self.rows.last(), "done, but {rows:?} rows");
        if rows.is_none() && begun.rows.is_some() {
            assert!(interrupted(&seen.database).is_some(), "whoever finds no database must see why");
        }
        let kept = safety_copies(&seen).iter().any(|copy| ids(copy).len() as i64 == begun.rows.unwrap_or(0));
        assert!(kept || rows >= begun.rows, "what was there before is in no safety copy");
    }

    /// Checks that the same command now does what it was to do, and that no rubbish is left.
    #[track_caller]
    pub fn complete(&self, begun: &Begun, stage: &Stage) {
        stage.run(self.arguments).expect(0);
        self.look(begun, stage, true);
        let records = stage.files().into_iter().filter(|file| file != "rehearsals.json");
        let expected = 2 * stage.sequences().len();
        assert_eq!(records.collect::<Vec<_>>().len(), expected, "{:?}", stage.files());
        assert!(![".restoring", ".saving"].iter().any(|suffix| beside(&stage.database, suffix).exists()));
    }
}

/// Whatever is listed is complete, good, and restores to the rows it had when it was taken.
#[track_caller]
fn every_restore_point_restores(stage: &Stage) {
    for entry in stage.repository.entries().unwrap() {
        let Some(manifest) = entry.manifest() else { panic!("{entry:?}") };
        verify::restore_point(&stage.repository, manifest, Some(Check::None)).unwrap();
        let copy = stage.path("proof.db");
        let request = restore::Request {
            check: Some(Check::Quick),
            ..restore::Request::named(copy.clone(), manifest.name.clone())
        };
        restore::run(&stage.repository, &request, &mut |_| {}).unwrap();
        assert_eq!(ids(&copy), up_to(manifest.high_water["message"]));
        fs::remove_file(copy).unwrap();
    }
}

/// The number of rows; `None` if there is no database.
fn rows(database: &Path) -> Option<i64> {
    database.exists().then(|| {
        let found = ids(database);
        assert_eq!(found, up_to(found.len() as i64), "no holes");
        found.len() as i64
    })
}

fn safety_copies(stage: &Stage) -> Vec<PathBuf> {
    let files = fs::read_dir(stage.directory.path()).unwrap().map(|file| file.unwrap().path());
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains(".replaced-") && name.ends_with('Z')
    };
    files.filter(is_copy).collect()
}

fn rehearsed_at(stage: &Stage) -> Option<Timestamp> {
    stage.repository.rehearsals().unwrap().first().map(|rehearsal| rehearsal.at)
}

/// A test of each case.
macro_rules! each_case {
    ($check:ident) => {
        $crate::cases::each_case! { $check,
            a_first_take: TAKE_FIRST,
            a_take: TAKE_NEXT,
            a_compressed_take: TAKE_COMPRESSED,
            a_confirmation: CONFIRM,
            a_take_that_prunes: TAKE_AND_PRUNE,
            a_prune: PRUNE,
            a_restore: RESTORE,
            a_restore_over_a_database: RESTORE_OVER,
            a_restore_into_a_live_database: RESTORE_INTO_LIVE,
            a_rehearsal: REHEARSE,
        }
    };
    ($check:ident, $($test:ident: $case:ident,)*) => {
        $(#[test]
        fn $test() {
            $check(&$crate::cases::$case);
        })*
    };
}
pub(crate) use each_case;

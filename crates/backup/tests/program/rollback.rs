//! Databases in rollback-journal mode, where a reader keeps writers from committing: what a take does to them.

use std::fs;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backup::take::Taken;
use rusqlite::Connection;

use crate::stage::{Stage, beside};

/// Rows that money moves between, far from each other in the file.
const ACCOUNTS: i64 = 400;
const MONEY: i64 = ACCOUNTS * 1000;

/// A database of some 20 MB in rollback-journal mode.
fn accounts() -> (Stage, Connection) {
    let stage = Stage::new();
    let connection = open(&stage);
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF;
             CREATE TABLE account (id INTEGER PRIMARY KEY, money INTEGER NOT NULL, filler BLOB);
             CREATE TABLE moved (id INTEGER PRIMARY KEY AUTOINCREMENT, amount INTEGER);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ACCOUNTS})
             INSERT INTO account SELECT i, 1000, randomblob(50000) FROM n;"
        ))
        .unwrap();
    (stage, connection)
}

fn open(stage: &Stage) -> Connection {
    let connection = Connection::open(&stage.database).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// Moves money from one account to another, far away, in one transaction. Gives how long that took.
fn move_money(connection: &Connection, from: i64) -> Duration {
    let began = Instant::now();
    connection
        .execute_batch(&format!(
            "BEGIN IMMEDIATE;
             UPDATE account SET money = money - 7 WHERE id = {from} + 1;
             UPDATE account SET money = money + 7 WHERE id = {ACCOUNTS} - {from};
             INSERT INTO moved (amount) VALUES (7);
             COMMIT;"
        ))
        .expect("nobody who waits for the usual five seconds is told that the database is locked");
    began.elapsed()
}

fn sum(connection: &Connection) -> (i64, i64) {
    let sum = "SELECT (SELECT sum(money) FROM account), (SELECT count(*) FROM moved)";
    connection.query_row(sum, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// Writes until a program ends.
fn write_beside(connection: &Connection, mut program: Child) -> Vec<Duration> {
    let mut waits = Vec::new();
    for from in (0..ACCOUNTS / 2).cycle() {
        if let Some(status) = program.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        waits.push(move_money(connection, from));
    }
    waits
}

#[test]
fn a_copy_taken_beside_a_writer_is_one_state_and_the_writer_never_waits_long() {
    let (stage, connection) = accounts();
    let mut takes = 0;
    while takes < 3 {
        let before = stage.repository.manifests().unwrap().last().map(|last| last.sequence);
        let mut take = stage.std_command(&["take", "--check", "full"]);
        let waits = write_beside(&connection, take.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        assert!(waits.len() > 10, "only {} transactions ended, so this test proves nothing", waits.len());
        let longest = waits.iter().max().unwrap();
        // Even where the machine is busy with something else.
        assert!(*longest < Duration::from_secs(2), "one waited for {longest:?}");
        takes += usize::from(stage.repository.manifests().unwrap().last().map(|last| last.sequence) != before);
    }
    let manifests = stage.repository.manifests().unwrap();
    assert!(manifests.iter().all(|manifest| manifest.durations.held_seconds.is_some()));
    for manifest in manifests {
        assert_eq!(manifest.name.as_str(), format!("app-{}", manifest.created_at.strftime("%Y%m%dT%H%M%S.%3fZ")));
        let copy = stage.path(manifest.name.as_str());
        stage.restore(&[manifest.name.as_str(), "--check", "full", "--database", copy.to_str().unwrap()]);
        let (money, moved) = sum(&Connection::open(&copy).unwrap());
        assert_eq!((money, moved), (MONEY, manifest.high_water.get("moved").copied().unwrap_or(0)), "it is torn");
    }
    stage.run(&["verify", "--all", "--check", "full"]).expect(0);
    assert_eq!(sum(&connection).0, MONEY);
}

#[test]
fn what_was_committed_before_a_take_is_in_it_and_an_unchanged_database_is_confirmed() {
    let (stage, connection) = accounts();
    let mut take = stage.std_command(&["take"]);
    write_beside(&connection, take.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let last = sum(&connection).1;
    let taken: Taken = stage.json(&["take"]);
    assert!(!taken.confirmed);
    assert_eq!(taken.restore_point.high_water["moved"], last);
    let again: Taken = stage.json(&["take"]);
    assert!(again.confirmed && again.restore_point.name == taken.restore_point.name);
    let copy = stage.repository.database(&taken.restore_point.name);
    assert!(fs::read(copy).unwrap() == fs::read(&stage.database).unwrap());
}

#[test]
fn a_database_that_grows_and_shrinks_meanwhile_is_copied_whole() {
    let (stage, connection) = accounts();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let writer = open(&stage);
            while !stop.load(Ordering::Relaxed) {
                let grow = "INSERT INTO account SELECT id + 1000, 0, randomblob(60000) FROM account WHERE id <= 200";
                writer.execute_batch(grow).unwrap();
                writer.execute_batch("DELETE FROM account WHERE id > 1000; VACUUM").unwrap();
            }
        });
        for _ in 0..3 {
            stage.run(&["take", "--check", "full"]).expect(0);
        }
        stop.store(true, Ordering::Relaxed);
    });
    stage.run(&["verify", "--all", "--check", "full"]).expect(0);
    for manifest in stage.repository.manifests().unwrap() {
        let copy = stage.path(manifest.name.as_str());
        stage.restore(&[manifest.name.as_str(), "--database", copy.to_str().unwrap()]);
        assert_eq!(sum(&Connection::open(&copy).unwrap()).0, MONEY);
    }
    assert_eq!(sum(&connection).0, MONEY);
}

#[test]
fn a_take_that_is_killed_at_any_moment_leaves_no_lock_and_nothing_that_counts() {
    let (stage, connection) = accounts();
    stage.run(&["take"]).expect(0);
    for killed_after in (0..120).step_by(12) {
        move_money(&connection, 1);
        let mut take = stage.std_command(&["take"]);
        let mut take = take.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(killed_after) {
            move_money(&connection, 2);
        }
        take.kill().unwrap();
        take.wait().unwrap();
        move_money(&connection, 3);
        stage.run(&["verify", "--all"]).expect(0);
    }
    let taken: Taken = stage.json(&["take"]);
    assert_eq!(taken.restore_point.high_water["moved"], sum(&connection).1);
    assert!(stage.files().iter().all(|name| !name.contains("partial")), "{:?}", stage.files());
    assert!(!beside(&stage.database, "-journal").exists());
}

/// Closing any descriptor of the file would drop SQLite's locks, and a writer could change what is being copied.
#[test]
fn a_writer_that_spills_and_rolls_back_leaves_no_trace_in_a_copy() {
    let (stage, connection) = accounts();
    connection.execute_batch("PRAGMA cache_size = 10").unwrap();
    let mut take = stage.std_command(&["take", "--copy-unchanged"]);
    let mut take = take.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut times = 0;
    while take.try_wait().unwrap().is_none() {
        connection.execute_batch("BEGIN IMMEDIATE; UPDATE account SET money = money - 1; ROLLBACK").unwrap();
        times += 1;
    }
    assert!(times > 1, "it was too slow, so this test proves nothing");
    let taken = stage.repository.newest(None).unwrap().unwrap();
    assert!(fs::read(stage.repository.database(&taken.name)).unwrap() == fs::read(&stage.database).unwrap());
}

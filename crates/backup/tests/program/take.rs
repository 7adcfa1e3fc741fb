//! `backup take`: what it captures, and how it behaves beside writers and beside itself.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use std::{fs, thread};

use backup::lineage;
use rusqlite::Connection;

use crate::stage::{Stage, beside, ids, insert, up_to};

/// Ends a writer, also when the test that started it fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_take_beside_a_busy_writer_holds_every_row_committed_before_it() {
    let (stage, connection) = Stage::with_rows(2000);
    let (committed, stop) = (&AtomicI64::new(2000), &AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                insert(&connection, 1);
                committed.store(connection.last_insert_rowid(), Ordering::Release);
            }
        });
        let _stop = Stop(stop);
        for round in 0..3 {
            let before = committed.load(Ordering::Acquire);
            let taken = stage.take();
            let copy = stage.path(&format!("copy-{round}.db"));
            stage.restore(&["--database", copy.to_str().unwrap()]);
            let found = ids(&copy);
            assert_eq!(found, up_to(found.len() as i64), "no holes");
            assert!(found.len() as i64 >= before, "{} rows of {before}", found.len());
            assert_eq!(taken.high_water["message"], found.len() as i64, "the recovery point is of the same snapshot");
        }
    });
    assert!(committed.load(Ordering::Acquire) > 2000, "nobody wrote, so this test proves nothing");
}

#[test]
fn a_manifest_describes_its_database() {
    let (stage, connection) = Stage::with_rows(5);
    connection.execute_batch("DELETE FROM message WHERE id = 5").unwrap();
    let taken = stage.take();
    let file = fs::read(stage.repository.database(&taken.name)).unwrap();
    assert_eq!(taken.blake3, blake3::hash(&file).to_hex().to_string());
    assert_eq!(taken.size_bytes, file.len() as u64);
    assert_eq!(taken.size_bytes, u64::from(taken.page_size) * u64::from(taken.page_count));
    assert_eq!(taken.lineage, lineage::read(&connection).unwrap());
    assert_eq!(taken.high_water["message"], 5);
    assert_eq!(stage.repository.newest(None).unwrap(), Some(taken));
}

#[test]
fn rows_that_a_crash_left_in_the_wal_are_taken_and_the_source_stays_as_it_is() {
    let (stage, connection) = Stage::with_rows(10);
    let crashed = stage.path("crashed.db");
    for suffix in ["", "-wal"] {
        fs::copy(beside(&stage.database, suffix), beside(&crashed, suffix)).unwrap();
    }
    drop(connection);
    let content = || ["", "-wal"].map(|suffix| fs::read(beside(&crashed, suffix)).unwrap());
    let before = content();
    stage.run(&["take", "--database", crashed.to_str().unwrap()]).expect(0);
    assert!(content() == before, "the source was changed");
    stage.lose_database();
    stage.restore(&[]);
    assert_eq!(ids(&stage.database), up_to(10));
}

#[test]
fn a_second_take_says_that_it_is_busy_or_waits() {
    let (stage, _connection) = Stage::with_rows(5);
    let writer = stage.repository.writer(Duration::ZERO).unwrap();
    stage.run(&["take"]).expect(4).says("another take or prune");
    stage.run(&["take", "--wait", "50ms"]).expect(4);
    stage.run(&["prune", "--keep-last", "1"]).expect(4);
    let mut waiting = stage.std_command(&["take", "--wait", "60s"]).spawn().unwrap();
    drop(writer);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(stage.sequences(), [1]);
}

#[test]
fn takes_at_once_get_a_sequence_number_each() {
    let (stage, _connection) = Stage::with_rows(5);
    let takes: Vec<_> =
        (0..4).map(|_| stage.std_command(&["take", "--copy-unchanged", "--wait", "60s"]).spawn().unwrap()).collect();
    for mut take in takes {
        assert!(take.wait().unwrap().success());
    }
    assert_eq!(stage.sequences(), [1, 2, 3, 4]);
}

#[test]
fn a_take_is_given_up_at_its_deadline() {
    // More than one step of the copy.
    let (stage, _connection) = Stage::with_rows(12_000);
    stage.run(&["take", "--deadline", "0s"]).expect(1).says("stopped reading");
    assert!(stage.files().is_empty());
}

#[test]
fn a_deadline_or_a_wait_may_be_as_long_as_anybody_likes() {
    let (stage, _connection) = Stage::with_rows(5);
    for duration in ["597h", "99999999999h"] {
        stage.run(&["take", "--deadline", duration, "--wait", duration]).expect(0);
    }
}

#[test]
fn a_database_that_a_writer_locks_is_waited_for_until_the_deadline() {
    let stage = Stage::new();
    let connection = Connection::open(&stage.database).unwrap();
    connection.execute_batch("CREATE TABLE t (a); BEGIN EXCLUSIVE").unwrap();
    stage.run(&["take", "--deadline", "100ms"]).expect(4).says("locked");
    assert!(stage.files().is_empty());
}

//! A database that nobody uses is read as it lies, and one that somebody has for themselves is busy.

use std::fs;

use backup::take::{self, Request};
use rusqlite::Connection;

use crate::stage::{Stage, create, ids, insert, up_to};

#[test]
fn a_take_of_a_stopped_service_leaves_nothing_beside_its_database() {
    let (stage, connection) = Stage::with_rows(5);
    drop(connection);
    stage.run(&["take"]).expect(0);
    stage.run(&["take", "--copy-unchanged", "--compress"]).expect(0);
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 2, "the database and the repository");
}

#[test]
fn a_service_that_starts_and_writes_during_a_take_loses_nothing_of_it() {
    let (stage, connection) = Stage::with_rows(1000);
    drop(connection);
    let mut service = None;
    let taken = take::run(
        &stage.repository.writer(std::time::Duration::ZERO).unwrap(),
        &Request::new(&stage.database),
        &mut |_| {
            service.get_or_insert_with(|| {
                let connection = Connection::open(&stage.database).unwrap();
                insert(&connection, 1);
                // Into the very pages that are being read.
                connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                connection
            });
        },
    );
    let taken = taken.unwrap().restore_point;
    assert_eq!(taken.high_water["message"], 1001);
    drop(service);
    stage.run(&["verify", "--check", "full"]).expect(0);
    stage.lose_database();
    stage.restore(&[]);
    assert_eq!(ids(&stage.database), up_to(1001));
}

#[test]
fn a_database_that_another_process_has_for_itself_is_busy() {
    for journal_mode in ["delete", "wal"] {
        let stage = Stage::new();
        let connection = create(&stage.database);
        connection
            .execute_batch(&format!(
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = {journal_mode}; BEGIN EXCLUSIVE;
                 INSERT INTO message (body) VALUES ('one'); COMMIT; BEGIN EXCLUSIVE"
            ))
            .unwrap();
        stage.run(&["take", "--deadline", "100ms"]).expect(4).says("kept").says("locked for 100ms");
        assert!(stage.files().is_empty(), "{journal_mode}");
    }
}

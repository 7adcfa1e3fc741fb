//! A database that has not changed: its newest restore point is confirmed, not copied.

use std::fs;

use backup::take::Taken;
use rusqlite::Connection;

use crate::stage::{Stage, insert};

fn take(stage: &Stage) -> Taken {
    stage.json(&["take"])
}

fn wal(connection: &Connection, mode: &str) {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
}

#[test]
fn an_unchanged_database_confirms_its_newest_restore_point() {
    let (stage, connection) = Stage::with_rows(5);
    let first = take(&stage);
    assert!(!first.confirmed);
    let files = stage.files();
    for disturb in ["PASSIVE", "TRUNCATE"] {
        wal(&connection, disturb);
        let again = take(&stage);
        assert!(again.confirmed, "after a checkpoint: {disturb}");
        assert_eq!(again.restore_point.name, first.restore_point.name);
        assert!(
            again.restore_point.current_at(jiff::Timestamp::now())
                > first.restore_point.current_at(jiff::Timestamp::now())
        );
    }
    assert_eq!(stage.files(), files);
    stage.run(&["verify", "--all"]).expect(0);
    let said = stage.run(&["take"]).expect(0).stdout;
    assert!(said.contains("confirmed app-") && said.contains("nothing has changed"), "{said}");
}

/// Each is a change that cheaper ways of looking miss.
#[test]
fn any_change_is_copied() {
    let (stage, connection) = Stage::with_rows(5);
    let changes = [
        "UPDATE message SET body = 'other' WHERE id = 1",
        "UPDATE message SET body = 'OTHER' WHERE id = 1",
        "PRAGMA user_version = 7",
        "CREATE VIEW v AS SELECT 1",
        "DELETE FROM message WHERE id = 5",
    ];
    for (takes, change) in (1..).zip(changes) {
        assert!(!take(&stage).confirmed, "{change}");
        assert_eq!(stage.sequences().len(), takes);
        connection.execute_batch(change).unwrap();
        wal(&connection, "TRUNCATE");
    }
    assert!(!take(&stage).confirmed);
}

#[test]
fn a_write_that_is_undone_byte_by_byte_is_no_change() {
    let (stage, connection) = Stage::with_rows(5);
    take(&stage);
    connection.execute_batch("UPDATE message SET body = body WHERE id = 1").unwrap();
    assert!(take(&stage).confirmed);
}

#[test]
fn a_restored_database_confirms_what_it_was_restored_from() {
    let (stage, connection) = Stage::with_rows(5);
    let taken = take(&stage);
    drop(connection);
    stage.lose_database();
    stage.restore(&[]);
    let after = take(&stage);
    assert!(after.confirmed);
    assert_eq!(after.restore_point.name, taken.restore_point.name);
}

#[test]
fn a_damaged_restore_point_is_not_confirmed_but_taken_anew() {
    let (stage, _connection) = Stage::with_rows(5);
    let path = stage.repository.database(&take(&stage).restore_point.name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ended = stage.run(&["take"]).expect(0).says("taking a new one");
    assert!(ended.stdout.contains("took app-"), "{}", ended.stdout);
    assert_eq!(stage.sequences(), [1, 2]);
}

#[test]
fn another_database_does_not_confirm_the_restore_points_of_the_first() {
    let (stage, connection) = Stage::with_rows(5);
    take(&stage);
    drop(connection);
    stage.lose_database();
    let connection = crate::stage::create(&stage.database);
    insert(&connection, 5);
    assert!(!stage.take_suspect().suspicions.is_empty());
    // As long as nothing changes, it stays suspect.
    let again = stage.run(&["take", "--json"]).expect(7);
    let again: Taken = serde_json::from_str(&again.stdout).unwrap();
    assert!(again.confirmed && again.restore_point.is_suspect());
}

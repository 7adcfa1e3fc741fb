//! A restore point that looks wrong beside its predecessor: published, and said to be suspect wherever it shows up.

use std::fs;

use backup::{Entry, Kind, Manifest};
use rusqlite::Connection;

use crate::stage::{Stage, beside, create, create_table, edit, ids, insert, up_to};

fn kinds(manifest: &Manifest) -> Vec<Kind> {
    manifest.suspicions.iter().map(|suspicion| suspicion.kind).collect()
}

/// The database is lost, and a service that knows no better starts with a new one.
fn start_empty(stage: &Stage) -> Connection {
    stage.lose_database();
    create(&stage.database)
}

#[test]
fn a_new_deployment_is_not_suspect_however_long_it_stays_empty() {
    let stage = Stage::new();
    let connection = create(&stage.database);
    stage.run(&["take"]).expect(0).says("holds no rows");
    connection.execute_batch("PRAGMA user_version = 2").unwrap();
    let taken = stage.take();
    assert_eq!((taken.has_rows, kinds(&taken)), (Some(false), vec![]));
    insert(&connection, 1);
    assert_eq!(stage.take().has_rows, Some(true));
}

#[test]
fn an_empty_database_in_the_place_of_a_full_one_is_published_and_suspect() {
    let (stage, connection) = Stage::with_rows(9);
    let full = stage.take();
    drop(connection);
    let connection = start_empty(&stage);
    let ended = stage.run(&["take", "--keep-last", "1"]).expect(7);
    assert!(ended.stdout.contains("\nsuspect, other-lineage: "), "{}", ended.stdout);
    ended.says(&format!("empty: rows expected as in {}, found none", full.name));
    assert_eq!(stage.sequences(), [1, 2]);
    let taken = stage.repository.newest(None).unwrap().unwrap();
    assert_eq!(kinds(&taken), [Kind::OtherLineage, Kind::Empty]);
    insert(&connection, 1);
    assert_eq!(kinds(&stage.take()), [], "compared with the suspect one");
}

#[test]
fn rows_that_a_database_is_born_with_do_not_make_it_full() {
    let (stage, connection) = Stage::with_rows(9);
    stage.take();
    drop(connection);
    let connection = start_empty(&stage);
    connection.execute_batch("CREATE TABLE settings (version); INSERT INTO settings VALUES (1)").unwrap();
    assert_eq!(kinds(&stage.take_suspect()), [Kind::OtherLineage, Kind::Empty]);
}

#[test]
fn a_database_without_autoincrement_is_empty_if_no_table_has_rows() {
    let stage = Stage::new();
    let connection = Connection::open(&stage.database).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE a (a); CREATE TABLE \"b \"\"'%\" (b PRIMARY KEY) WITHOUT ROWID; INSERT INTO \"b \"\"'%\" VALUES (1);
             CREATE VIEW v AS SELECT 1",
        )
        .unwrap();
    assert_eq!(stage.take().has_rows, Some(true));
    connection.execute_batch("DELETE FROM \"b \"\"'%\"").unwrap();
    let emptied = stage.take_suspect();
    assert_eq!((emptied.has_rows, kinds(&emptied)), (Some(false), vec![Kind::Empty]));
}

#[test]
fn what_needs_an_extension_of_its_owner_is_not_called_empty() {
    let stage = Stage::new();
    let connection = Connection::open(&stage.database).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE a (a PRIMARY KEY COLLATE nocase) WITHOUT ROWID;
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'theirs')",
        )
        .unwrap();
    let taken: backup::take::Taken = stage.json(&["take", "--check", "none"]);
    assert_eq!(taken.restore_point.has_rows, Some(true));
}

#[test]
fn a_database_that_shrank_or_was_rolled_back_is_suspect_once() {
    let (stage, connection) = Stage::with_rows(100);
    stage.take();
    connection.execute_batch("DELETE FROM message WHERE id > 10; VACUUM").unwrap();
    assert_eq!(kinds(&stage.take_suspect()), [Kind::Shrunk]);
    connection.execute_batch("UPDATE sqlite_sequence SET seq = 10").unwrap();
    assert_eq!(kinds(&stage.take_suspect()), [Kind::RolledBack]);
    insert(&connection, 1);
    assert_eq!(kinds(&stage.take()), []);
    connection.execute_batch("DROP TABLE message").unwrap();
    create_table(&connection);
    assert_eq!(kinds(&stage.take_suspect()), [Kind::Empty, Kind::RolledBack]);
}

#[test]
fn the_first_take_after_a_recovery_is_not_suspect() {
    let (stage, connection) = Stage::with_rows(9);
    let full = stage.take();
    drop(connection);
    drop(start_empty(&stage));
    stage.take_suspect();
    stage.restore(&[full.name.as_str(), "--force"]);
    assert_eq!(kinds(&stage.take()), []);
}

#[test]
fn a_list_says_what_is_suspect_within_80_columns() {
    let (stage, connection) = Stage::with_rows(9);
    stage.take();
    drop(connection);
    drop(start_empty(&stage));
    let suspect = stage.take_suspect();
    let list = stage.run(&["list"]).expect(0).stdout;
    let states: Vec<&str> = list.lines().take(3).map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(states, ["state", "complete", "suspect"], "{list}");
    for why in ["other-lineage: lineage expected", "empty: rows expected"] {
        assert!(list.contains(&format!("{}: {why}", suspect.name)), "{list}");
    }
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let listed: Vec<Entry> = stage.json(&["list"]);
    assert_eq!(listed[1].manifest().unwrap().suspicions, suspect.suspicions);
}

#[test]
fn a_list_shows_no_control_character_of_a_manifest() {
    let (stage, connection) = Stage::with_rows(9);
    let taken = stage.take();
    drop(connection);
    let escape = r#"[{"kind": "empty", "reason": "\u001b[2J\nall is well"}]"#;
    edit(&stage.repository, &taken.name, "\"suspicions\": []", &format!("\"suspicions\": {escape}"));
    let listed = stage.run(&["list"]).expect(0).stdout;
    assert!(listed.contains(r"\u{1b}[2J\nall is well"), "{listed:?}");
    let restored = stage.run(&["restore", "--force"]).expect(0);
    assert!(!restored.stderr.contains('\u{1b}'), "{:?}", restored.stderr);
}

#[test]
fn a_restore_of_a_suspect_one_says_what_to_take_instead() {
    let (stage, connection) = Stage::with_rows(100);
    let good = stage.take();
    connection.execute_batch("DELETE FROM message WHERE id > 10; VACUUM").unwrap();
    drop(connection);
    let suspect = stage.take_suspect();
    stage.lose_database();
    for (arguments, code) in [(&["restore", "--if-missing"][..], 0), (&["restore"], 7)] {
        stage.lose_database();
        let restored = stage.run(arguments).expect(code);
        assert!(
            restored.stdout.contains(&format!("skipped {}: suspect, shrunk: ", suspect.name)),
            "{}",
            restored.stdout
        );
        restored.says("suspect, shrunk: ").says(&format!("backup restore {}", suspect.name));
        assert_eq!(ids(&stage.database), up_to(100), "{}", good.name);
    }
    // What it says is what works.
    let ended = stage.run(&["restore", suspect.name.as_str(), "--force"]).expect(0);
    ended.says("restoring a suspect restore point, shrunk: ");
    assert_eq!(ids(&stage.database), up_to(10));
    assert!(!beside(&stage.database, ".restoring").exists());
}

#[test]
fn what_was_said_to_be_right_is_restored_like_any_other() {
    let (stage, connection) = Stage::with_rows(100);
    stage.take();
    connection.execute_batch("DELETE FROM message WHERE id > 10; VACUUM").unwrap();
    let suspect = stage.take_suspect();
    assert!(stage.run(&["list"]).expect(0).stdout.contains("shrunk: "));
    let said = stage.run(&["trust", suspect.name.as_str()]).expect(0);
    assert!(said.stdout.contains("is now trusted"), "{}", said.stdout);
    let listed = stage.run(&["list"]).expect(0).stdout;
    assert!(listed.contains("marked as trusted"), "{listed}");
    stage.run(&["trust", "app-20010101T000000.000Z"]).expect(5);
    drop(connection);
    stage.lose_database();
    let restored = stage.restore(&[]);
    assert_eq!((restored.restore_point.name, restored.suspects), (suspect.name, vec![]));
}

/// A database without a lineage and without AUTOINCREMENT, as most are.
fn foreign(stage: &Stage, rows: u32) {
    stage.lose_database();
    let connection = Connection::open(&stage.database).unwrap();
    connection.execute_batch("CREATE TABLE message (id INTEGER PRIMARY KEY, body); CREATE TABLE seed (a)").unwrap();
    connection.execute_batch("INSERT INTO seed VALUES (1)").unwrap();
    insert(&connection, rows);
}

#[test]
fn a_service_that_made_its_lost_database_anew_does_not_get_the_empty_one_back() {
    for rows in [0, 2] {
        let stage = Stage::new();
        foreign(&stage, 9);
        stage.take();
        foreign(&stage, rows);
        assert_ne!(stage.take_suspect().suspicions, []);
        stage.lose_database();
        stage.run(&["restore", "--if-missing"]).expect(0).says("skipped");
        assert_eq!(ids(&stage.database), up_to(9));
        // The restore is on record, and so is who goes on from there.
        let connection = Connection::open(&stage.database).unwrap();
        insert(&connection, 1);
        let taken = stage.take();
        assert!(taken.restored_from.is_some());
        drop(connection);
        stage.lose_database();
        assert_eq!(stage.restore(&[]).restore_point.name, taken.name);
    }
}

#[test]
fn what_follows_a_suspect_one_is_nobodys_guess() {
    let stage = Stage::new();
    foreign(&stage, 9);
    let good = stage.take();
    foreign(&stage, 0);
    stage.take_suspect();
    insert(&Connection::open(&stage.database).unwrap(), 1);
    let follower = stage.take();
    stage.lose_database();
    for arguments in [&["restore"][..], &["restore", "--if-missing"]] {
        let refused = stage.run(arguments).expect(6);
        refused.says(&format!("backup restore {}", good.name)).says(&format!("backup trust {}", follower.name));
        assert!(!stage.database.exists());
    }
    stage.run(&["trust", follower.name.as_str()]).expect(0);
    assert_eq!(stage.restore(&[]).restore_point.name, follower.name);
}

#[test]
fn a_queue_that_is_drained_and_a_table_that_is_truncated_are_not_suspect() {
    let (stage, connection) = Stage::with_rows(9);
    connection
        .execute_batch(
            "CREATE TABLE customer (id INTEGER PRIMARY KEY, name); INSERT INTO customer VALUES (500, 'x');
             CREATE TABLE log (line); INSERT INTO log VALUES ('a'), ('b')",
        )
        .unwrap();
    stage.take();
    for statement in ["DELETE FROM message", "DELETE FROM log", "DROP TABLE log"] {
        connection.execute_batch(statement).unwrap();
        assert_eq!(kinds(&stage.take()), [], "{statement}");
    }
}

#[test]
fn going_back_on_purpose_is_not_suspect() {
    let (stage, connection) = Stage::with_rows(5);
    let old = stage.take();
    insert(&connection, 5);
    let new = stage.take();
    drop(connection);
    stage.restore(&[old.name.as_str(), "--force"]);
    insert(&Connection::open(&stage.database).unwrap(), 1);
    let taken = stage.take();
    assert_eq!((kinds(&taken), taken.restored_from.as_ref()), (vec![], Some(&old.name)));
    // Once, and for this database alone: a copy elsewhere is no restore of it.
    let copy = stage.path("copy.db");
    stage.restore(&[new.name.as_str(), "--database", copy.to_str().unwrap()]);
    // What was killed while it kept the record is swept.
    let part = stage.repository.path().join("restores.json.partial");
    fs::write(&part, "half").unwrap();
    assert_eq!(stage.take().restored_from, None);
    assert!(!part.exists());
}

#[test]
fn a_suspect_one_with_no_other_is_restored_and_says_so() {
    let (stage, connection) = Stage::with_rows(100);
    let good = stage.take();
    connection.execute_batch("DELETE FROM message; UPDATE sqlite_sequence SET seq = 0").unwrap();
    stage.take_suspect();
    for path in [stage.repository.database(&good.name), stage.repository.manifest(&good.name)] {
        fs::remove_file(path).unwrap();
    }
    drop(connection);
    stage.run(&["restore", "--force"]).expect(0).says("restoring a suspect restore point");
}

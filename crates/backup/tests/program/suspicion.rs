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
    let instead = format!("backup restore {} --force", good.name);
    let restored = stage.run(&["restore", "--if-missing"]).expect(0);
    assert!(restored.stdout.contains(suspect.name.as_str()), "{}", restored.stdout);
    restored.says("suspect, shrunk: ").says(&instead);
    assert_eq!(ids(&stage.database), up_to(10));
    // What it says is what works.
    let words: Vec<&str> = instead.split(' ').skip(1).collect();
    let ended = stage.run(&words).expect(0);
    assert!(!ended.stderr.contains("suspect"), "{}", ended.stderr);
    assert_eq!(ids(&stage.database), up_to(100));
    assert!(!beside(&stage.database, ".restoring").exists());
}

#[test]
fn a_suspect_one_with_no_other_is_restored_and_says_so() {
    let (stage, connection) = Stage::with_rows(100);
    let good = stage.take();
    connection.execute_batch("DELETE FROM message").unwrap();
    stage.take_suspect();
    for path in [stage.repository.database(&good.name), stage.repository.manifest(&good.name)] {
        fs::remove_file(path).unwrap();
    }
    drop(connection);
    stage.run(&["restore", "--force"]).expect(0).says("there is none that is not");
}

//! `backup restore --if-missing`: what runs before a service starts. The service must come up with its data, or for
//! the first time, or not at all.

use std::fs;

use backup::restore::Ensured;

use crate::stage::{Stage, create, ids, insert, up_to};

fn ensure(stage: &Stage) -> Ensured {
    stage.json(&["restore", "--if-missing"])
}

#[test]
fn a_database_that_exists_is_left_alone_even_while_it_is_in_use() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    assert_eq!(ensure(&stage), Ensured::Present);
    assert!(stage.run(&["restore", "--if-missing"]).expect(0).stdout.contains("exists; nothing was restored"));
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(6));
}

#[test]
fn a_first_start_finds_nothing_to_restore() {
    let stage = Stage::new();
    assert_eq!(ensure(&stage), Ensured::NothingToRestore);
    assert!(stage.run(&["restore", "--if-missing"]).expect(0).stdout.contains("first start"));
    assert!(!stage.database.exists());
}

#[test]
fn a_lost_database_is_restored_from_the_newest_good_restore_point() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    let newest = stage.take();
    drop(connection);
    stage.lose_database();
    let Ensured::Restored(restored) = ensure(&stage) else { panic!("it was missing") };
    assert_eq!(restored.restore_point, newest);
    assert_eq!(ids(&stage.database), up_to(6));
    assert_eq!(ensure(&stage), Ensured::Present);

    stage.lose_database();
    fs::write(stage.repository.database(&newest.name), "damaged").unwrap();
    let Ensured::Restored(restored) = ensure(&stage) else { panic!("it was missing") };
    assert_eq!(restored.rejected[0].name, newest.name);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn an_interrupted_restore_is_run_again() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    stage.lose_database();
    fs::write(stage.path("app.db.restoring"), "half a database").unwrap();
    assert!(matches!(ensure(&stage), Ensured::Restored(_)));
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn nothing_is_guessed_where_several_lineages_are() {
    let (stage, connection) = Stage::with_rows(5);
    let old = stage.take().lineage.unwrap();
    drop(connection);
    stage.lose_database();
    drop(create(&stage.database));
    stage.take_suspect();
    assert_eq!(ensure(&stage), Ensured::Present);
    stage.lose_database();
    stage.run(&["restore", "--if-missing"]).expect(5).says("2 lineages");
    assert!(!stage.database.exists());
    stage.run(&["restore", "--if-missing", "--lineage", old.as_str()]).expect(0);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn with_nothing_but_damage_nothing_starts() {
    let (stage, connection) = Stage::with_rows(5);
    let only = stage.take();
    drop(connection);
    stage.lose_database();
    fs::write(stage.repository.database(&only.name), "damaged").unwrap();
    stage.run(&["restore", "--if-missing"]).expect(3);
    // A manifest that lost its database is a loss too, not a first start.
    fs::remove_file(stage.repository.database(&only.name)).unwrap();
    stage.run(&["restore", "--if-missing"]).expect(3);
    assert!(!stage.database.exists());
}

#[test]
fn a_volume_that_is_not_mounted_is_no_first_start() {
    let stage = Stage::new();
    fs::remove_dir(stage.repository.path()).unwrap();
    stage.run(&["restore", "--if-missing"]).expect(1).says("mount its volume");
    stage.run(&["restore", "--if-missing", "--database", "/nowhere/app.db"]).expect(1);
}

#[test]
fn it_neither_forces_nor_takes_a_name() {
    let stage = Stage::new();
    stage.run(&["restore", "--if-missing", "--force"]).expect(2);
    stage.run(&["restore", "--if-missing", "app-20010101T000000.000Z"]).expect(2);
}

#[test]
fn a_file_with_nothing_in_it_is_no_database() {
    let header = b"SQLite format 3\0";
    for nothing in [&b""[..], header, &[0; 4096], &[header, &[0; 4080][..]].concat()] {
        let (stage, connection) = Stage::with_rows(5);
        // Without a restore point, it is a first start.
        let empty = Stage::new();
        fs::write(&empty.database, nothing).unwrap();
        assert_eq!(ensure(&empty), Ensured::NothingToRestore);
        assert_eq!(fs::read(&empty.database).unwrap(), nothing);

        stage.take();
        drop(connection);
        stage.lose_database();
        fs::write(&stage.database, nothing).unwrap();
        let ended = stage.run(&["restore", "--if-missing", "--json"]).expect(0).says("not a database");
        let Ensured::Restored(restored) = serde_json::from_str(&ended.stdout).unwrap() else {
            panic!("{}", ended.stdout)
        };
        assert_eq!(ids(&stage.database), up_to(5));
        assert_eq!(fs::read(restored.safety_copy.unwrap()).unwrap(), nothing, "kept aside");
    }
}

#[test]
fn what_is_neither_a_database_nor_nothing_is_left_for_people_to_look_at() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    let damaged = [&b"SQLite format 3\0"[..], &[7; 8000]].concat();
    for (content, code) in [(&b"somebody's notes"[..], 1), (&damaged, 3)] {
        stage.lose_database();
        fs::write(&stage.database, content).unwrap();
        stage.run(&["restore", "--if-missing"]).expect(code);
        assert_eq!(fs::read(&stage.database).unwrap(), content);
    }
    stage.lose_database();
    fs::create_dir(&stage.database).unwrap();
    stage.run(&["restore", "--if-missing"]).expect(1).says("give the path of the database file");
}

#[test]
fn a_database_whose_tables_are_still_in_the_wal_exists() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    stage.lose_database();
    let connection = create(&stage.database);
    insert(&connection, 1);
    assert!(fs::metadata(&stage.database).unwrap().len() <= 4096, "all of it is in the -wal file");
    assert_eq!(ensure(&stage), Ensured::Present);
}

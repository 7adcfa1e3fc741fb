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
    assert!(stage.run(&["restore", "--if-missing"]).expect(0).stdout.contains("exists, nothing was restored"));
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(6));
}

#[test]
fn a_first_start_finds_nothing_to_restore() {
    let stage = Stage::new();
    assert_eq!(ensure(&stage), Ensured::NothingToRestore);
    assert!(stage.run(&["restore", "--if-missing"]).expect(0).stdout.contains("a first start"));
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

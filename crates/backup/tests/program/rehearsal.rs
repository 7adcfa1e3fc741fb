//! `backup verify --deep`: the restore is rehearsed, and nothing but the proof of it stays.

use std::fs;

use backup::Rehearsal;
use jiff::Timestamp;

use crate::stage::{Stage, insert};

fn scratch(stage: &Stage) -> String {
    let scratch = stage.path("scratch");
    fs::create_dir_all(&scratch).unwrap();
    scratch.to_str().unwrap().to_owned()
}

#[test]
fn a_rehearsal_reads_every_row_and_leaves_nothing_behind() {
    let (stage, _connection) = Stage::with_rows(40);
    let taken = stage.take();
    let scratch = scratch(&stage);
    let said = stage.run(&["verify", "--deep", "--scratch", &scratch, "--record"]).expect(0).stdout;
    assert!(said.contains("good, restored in") && said.contains(" rows of "), "{said}");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
    let [Rehearsal { name, rows, at, .. }] = &stage.repository.rehearsals().unwrap()[..] else {
        panic!("one expected")
    };
    assert_eq!(name, &taken.name);
    assert!(*rows == 40 && *at <= Timestamp::now() && *at >= taken.created_at, "{rows} {at}");
}

#[test]
fn only_tables_of_people_are_counted() {
    let (stage, connection) = Stage::with_rows(40);
    connection
        .execute_batch(
            "CREATE TABLE tag (name); INSERT INTO tag VALUES ('a'), ('b'); CREATE VIRTUAL TABLE words USING fts5(word);
             INSERT INTO words VALUES ('found')",
        )
        .unwrap();
    stage.take();
    stage.run(&["verify", "--deep", "--scratch", &scratch(&stage)]).expect(0).stdout_says("42 rows of 2 tables");
}

#[test]
fn what_was_proven_before_is_remembered_until_something_newer_is() {
    let (stage, connection) = Stage::with_rows(5);
    let good = stage.take();
    let scratch = scratch(&stage);
    let deep = ["verify", "--deep", "--scratch", &scratch, "--record"];
    stage.run(&deep).expect(0);
    insert(&connection, 1);
    let bad = stage.take();
    let path = stage.repository.stored_file(&bad);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(stage.run(&deep).expect(3).stdout.contains("damaged: BLAKE3"));
    assert_eq!(stage.repository.rehearsals().unwrap()[0].name, good.name);
    bytes[4200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    stage.run(&deep).expect(0);
    assert_eq!(stage.repository.rehearsals().unwrap()[0].name, bad.name);
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn a_scratch_directory_that_cannot_be_used_says_nothing_of_the_restore_point() {
    let (stage, _connection) = Stage::with_rows(5);
    stage.take();
    let missing = stage.path("missing");
    stage.run(&["verify", "--deep", "--scratch", missing.to_str().unwrap()]).expect(1).says("rehearse a restore in");
    stage.run(&["verify", "--record"]).expect(2);
}

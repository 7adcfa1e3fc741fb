//! The order of restore points where one repository was lost and counts anew.

use std::fs;

use backup::Entry;

use super::store::Store;
use crate::stage::{Stage, ids, insert, up_to};

/// The newest there is of sequence 3, with 5 rows; here it is of sequence 1, with 7.
fn counting_anew(store: &Store) -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    (0..3).for_each(|_| drop(stage.take()));
    store.push(&stage);
    fs::remove_dir_all(stage.repository.path()).unwrap();
    fs::create_dir(stage.repository.path()).unwrap();
    insert(&connection, 2);
    assert_eq!(stage.take().sequence, 1);
    stage
}

#[test]
fn a_younger_restore_point_comes_after_the_older_ones_whatever_its_number() {
    for store in Store::each() {
        let stage = counting_anew(&store);
        store.push(&stage);
        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
        let sequences: Vec<_> = listed.iter().map(|entry| entry.manifest().unwrap().sequence).collect();
        assert_eq!(sequences, [3, 4]);
        assert_eq!(store.push(&stage).present.len(), 1, "it is known again");
        let elsewhere = Stage::new();
        store.pull(&elsewhere);
        elsewhere.restore(&[]);
        assert_eq!(ids(&elsewhere.database), up_to(7));
    }
}

#[test]
fn an_older_one_that_would_come_out_newest_is_not_pulled() {
    let store = Store::directory();
    let stage = counting_anew(&store);
    store.run(&stage, &["pull"]).expect(6).says("would not count as the newest").says("--repository");
    assert_eq!(stage.sequences(), [1]);
    let empty = stage.path("empty");
    fs::create_dir(&empty).unwrap();
    store.run(&stage, &["pull", "--repository", empty.to_str().unwrap()]).expect(0);
}

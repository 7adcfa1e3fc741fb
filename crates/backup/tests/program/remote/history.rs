//! What was seen of a remote repository is remembered: records that are hidden, taken back or replaced are missed.

use std::fs;

use backup::Entry;
use backup::remote::push::Pushed;

use super::store::Store;
use crate::stage::{Stage, ids, insert, up_to};

/// Restore points of 5 and 7 rows, pushed one after the other.
fn pushed(store: &Store) -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    store.push(&stage);
    insert(&connection, 2);
    stage.take();
    store.push(&stage);
    stage
}

/// Hides the newest restore point, as whoever can delete in the store.
fn hide_newest(store: &Store, stage: &Stage) {
    let newest = stage.repository.manifests().unwrap().pop().unwrap().name;
    store.keys().iter().filter(|key| key.starts_with(newest.as_str())).for_each(|key| store.remove(key));
}

fn head(store: &Store, stage: &Stage) -> String {
    let listed = store.run(stage, &["list", "--remote"]).expect(0).stdout;
    listed.lines().last().unwrap().strip_prefix("head ").unwrap().to_owned()
}

#[test]
fn a_rollback_is_an_error_that_says_from_when() {
    for store in Store::each() {
        let stage = pushed(&store);
        let newest = stage.repository.manifests().unwrap().pop().unwrap();
        hide_newest(&store, &stage);
        for command in [&["pull"][..], &["pull", "--all"], &["list", "--remote"]] {
            let ended = store.run(&stage, command).expect(6).says("was rolled back: the newest record is 1 of ");
            assert!(ended.stderr.contains(&format!("record 2 ({}.json of ", newest.name)), "{}", ended.stderr);
        }
        // Who has never been there can be told, and is warned.
        store.run(&Stage::new(), &["pull"]).expect(0).says("are not checked");
        store.run(&stage, &["pull", "--accept-rollback"]).expect(0).says("was rolled back");
        store.run(&stage, &["pull"]).expect(0);
    }
}

#[test]
fn a_head_that_is_known_from_elsewhere_is_expected_where_nothing_is_remembered() {
    let store = Store::directory();
    let stage = pushed(&store);
    let known = head(&store, &stage);
    let expect =
        |command: &[&str], code| store.run(&Stage::new(), &[command, &["--expect-head", &known]].concat()).expect(code);
    expect(&["pull"], 0);
    expect(&["list", "--remote"], 0);
    hide_newest(&store, &stage);
    expect(&["pull"], 6).says("was rolled back");
    expect(&["list", "--remote"], 6).says("was rolled back");
    store.keys().iter().for_each(|key| store.remove(key));
    expect(&["pull", "--if-missing"], 6).says("was rolled back: it has no valid record");
    store.run(&Stage::new(), &["pull", "--if-missing"]).expect(0);
    store.run(&Stage::new(), &["pull", "--expect-head", "7"]).expect(2).says("INDEX:DIGEST");
}

#[test]
fn a_push_brings_back_what_was_hidden_and_otherwise_goes_on_saying_so() {
    let store = Store::directory();
    let stage = pushed(&store);
    hide_newest(&store, &stage);
    store.run(&stage, &["push"]).expect(0).says("was rolled back");
    assert!(head(&store, &stage).starts_with("3:"), "it comes after the one that is gone");
    store.pull(&Stage::new());

    // What the head was is not here any more.
    let newest = stage.repository.manifests().unwrap().pop().unwrap().name;
    hide_newest(&store, &stage);
    for suffix in ["db", "json"] {
        fs::remove_file(stage.repository.path().join(format!("{newest}.{suffix}"))).unwrap();
    }
    stage.take();
    for present in [0, 1] {
        let ended = store.run(&stage, &["push", "--json"]).expect(6).says("was rolled back").says("--accept-rollback");
        let pushed: Pushed = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((pushed.present.len(), pushed.doubt.is_some()), (present, true), "it is safe all the same");
    }
    store.run(&stage, &["push", "--accept-rollback"]).expect(0);
    store.run(&stage, &["push"]).expect(0);
}

#[test]
fn a_history_that_goes_another_way_is_told_from_two_pushes_at_once() {
    let store = Store::directory();
    let stage = pushed(&store);
    let reader = Stage::new();
    store.pull(&reader);
    // Without its memory, it goes on from where the store was taken back to.
    hide_newest(&store, &stage);
    fs::remove_file(stage.repository.path().join("remotes.json")).unwrap();
    stage.take();
    store.push(&stage);
    store.run(&reader, &["pull"]).expect(6).says("its history differs from record 2 of ");

    let (store, other) = (Store::directory(), Store::directory());
    let [(one, _first), (two, _second)] = [5, 7].map(Stage::with_rows);
    let lineage = one.take().lineage.unwrap();
    two.take();
    // Neither saw the other.
    store.push(&one);
    other.push(&two);
    for key in other.keys() {
        let target = store.file(&key);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(other.file(&key), target).unwrap();
    }
    let listed: Vec<serde_json::Value> = store.json(&one, &["list", "--remote"]);
    assert_eq!(listed.iter().map(|entry| entry["record"]["index"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(1)]);
    for reader in [&one, &Stage::new()] {
        store.run(reader, &["pull", "--lineage", lineage.short()]).expect(0);
    }
    store.push(&two);
}

#[test]
fn a_record_that_was_replaced_breaks_the_order() {
    let store = Store::directory();
    let stage = pushed(&store);
    let oldest = stage.repository.manifests().unwrap().remove(0).name.manifest_file();
    let changed = store.read(&oldest).replace("\"manifest_blake3\"", "\"was\"");
    store.write(&oldest, changed.as_bytes());
    store.run(&Stage::new(), &["pull"]).expect(6).says(&oldest).says("it was replaced");
}

#[test]
fn a_memory_that_cannot_be_read_or_written_is_said_and_stops_nothing() {
    let store = Store::directory();
    let stage = pushed(&store);
    let memory = stage.repository.path().join("remotes.json");
    fs::write(&memory, "{").unwrap();
    store.run(&stage, &["pull"]).expect(0).says("a rollback of").says("remotes.json");
    assert!(fs::read_to_string(&memory).unwrap().contains("\"index\": 2"));
    fs::remove_file(&memory).unwrap();
    fs::create_dir(&memory).unwrap();
    store.run(&stage, &["push"]).expect(0).says("will not be detected from here");
    let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
    assert_eq!(listed.len(), 2);
    let elsewhere = Stage::new();
    store.pull(&elsewhere);
    elsewhere.restore(&[]);
    assert_eq!(ids(&elsewhere.database), up_to(7));
}

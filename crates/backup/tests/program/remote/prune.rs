//! `backup prune --remote`: the rules of the local repository.

use std::fs::File;
use std::time::{Duration, SystemTime};

use backup::Entry;
use backup::remote::prune::RemotePruned;

use super::store::Store;
use crate::stage::Stage;

fn pushed(store: &Store, count: u32) -> Stage {
    let (stage, _connection) = Stage::with_rows(5);
    (0..count).for_each(|_| drop(stage.take()));
    store.run(&stage, &["push", "--all"]).expect(0);
    stage
}

fn sequences(store: &Store, stage: &Stage) -> Vec<u64> {
    let entries: Vec<Entry> = store.json(stage, &["list", "--remote"]);
    entries.iter().filter_map(|entry| Some(entry.manifest()?.sequence)).collect()
}

#[test]
fn what_no_rule_keeps_goes_with_its_pieces_and_nothing_else() {
    for store in Store::each() {
        let stage = pushed(&store, 4);
        store.write("notes-of-somebody.txt", b"");
        let prune = ["prune", "--remote", "--keep-last", "2"];
        store.run(&stage, &[&prune[..], &["--max-space", "1MB"]].concat()).expect(2).says("omit --max-space");
        let foretold: RemotePruned = store.json(&stage, &[&prune[..], &["--dry-run"]].concat());
        assert_eq!(sequences(&store, &stage), [1, 2, 3, 4], "a dry run removes nothing");
        assert_eq!(store.json::<RemotePruned>(&stage, &prune), foretold);
        assert_eq!(sequences(&store, &stage), [3, 4]);
        assert_eq!(store.keys().len(), 5, "two manifests, two pieces and the notes");
        assert_eq!(stage.sequences(), [1, 2, 3, 4], "here all stays");
    }
}

#[test]
fn the_last_one_whose_pieces_are_there_survives_newer_ones_without() {
    for store in Store::each() {
        let stage = pushed(&store, 3);
        let newest = stage.repository.manifests().unwrap()[2].name.clone();
        let piece = store.pieces().into_iter().find(|key| key.starts_with(newest.as_str())).unwrap();
        store.write(&piece, b"short");
        store.run(&stage, &["prune", "--remote", "--keep-last", "1"]).expect(0);
        assert_eq!(sequences(&store, &stage), [2]);
        assert!(store.keys().contains(&newest.manifest_file()), "what is incomplete is for people to remove");
    }
}

#[test]
fn what_an_unfinished_push_left_is_swept_once_no_push_can_build_on_it() {
    let store = Store::directory();
    let stage = pushed(&store, 1);
    let point = stage.take();
    store.push(&stage);
    store.remove(&point.name.manifest_file());
    let piece = store.pieces().into_iter().find(|key| key.starts_with(point.name.as_str())).unwrap();
    let aged = |hours: u64| {
        let then = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::options().write(true).open(store.file(&piece)).unwrap().set_modified(then).unwrap();
    };
    let prune = ["prune", "--remote", "--keep-last", "9"];
    aged(23);
    assert_eq!(store.json::<RemotePruned>(&stage, &prune).swept_objects, 0);
    assert_eq!(store.push(&stage).pushed[0].sent_bytes, point.size_bytes, "too old to build on");
    store.remove(&point.name.manifest_file());
    // Of a push that was killed while it wrote a piece.
    let half = store.file(&format!("{piece}#1"));
    std::fs::copy(store.file(&piece), &half).unwrap();
    aged(25);
    assert_eq!(store.json::<RemotePruned>(&stage, &prune).swept_objects, 1, "the half piece is young");
    assert!(half.exists());
    File::options().write(true).open(&half).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(store.json::<RemotePruned>(&stage, &prune).swept_objects, 1);
    assert_eq!(store.keys().len(), 2);
    assert!(!store.file(&piece).parent().unwrap().exists());
}

//! Credentials that may only add: what is there can be neither written again nor deleted with them, and they suffice to push.

use backup::Entry;
use backup::remote::push::Pushed;

use super::encryption::PUBLIC;
use super::proxy::{Fault, Request};
use super::store::Store;
use crate::stage::{Stage, ids, insert, up_to};

/// The same bucket for who may only add. A store may answer with a condition that does not hold, or that it is not allowed.
fn only_adding(bucket: &Store, refusal: u16) -> Store {
    let seen = Store::at(&bucket.url, &bucket.endpoint);
    bucket.behind(move |request: &Request| {
        let key = request.path.rsplit_once("/some/where/").map(|(_, key)| key.to_owned());
        let is_there = || key.as_ref().is_some_and(|key| seen.keys().contains(key));
        match request.method.as_str() {
            "GET" | "HEAD" => Fault::None,
            "PUT" if !is_there() => Fault::None,
            _ => Fault::Status(refusal),
        }
    })
}

#[test]
fn they_suffice_for_every_push() {
    let Some(bucket) = Store::bucket() else { return };
    for (refusal, encrypt) in [(403, false), (412, false), (403, true)] {
        let (stage, connection) = Stage::with_rows(5);
        let adding = only_adding(&bucket, refusal);
        let push = if encrypt { &["push", "--encrypt-to", PUBLIC][..] } else { &["push"] };
        // How many objects it adds.
        let push = || {
            let before = bucket.keys();
            adding.run(&stage, push).expect(0);
            let keys = bucket.keys();
            assert!(before.iter().all(|key| keys.contains(key)), "{before:?}, {keys:?}");
            keys.len() - before.len()
        };
        stage.run(&["take"]).expect(0);
        assert_eq!(push(), 2, "a record and a piece");
        stage.run(&["take"]).expect(0);
        assert_eq!(push(), 1, "it is confirmed by one more record");
        assert_eq!(push(), 0, "nothing is new");
        insert(&connection, 2);
        stage.run(&["take"]).expect(0);
        assert_eq!(push(), 2);
        // Without any of the records, what is sent anew goes on with the pieces that nobody could overwrite.
        bucket.records().iter().for_each(|key| bucket.remove(key));
        assert_eq!(push(), 1);
        bucket.keys().iter().for_each(|key| bucket.remove(key));
    }
}

#[test]
fn the_newest_record_of_a_restore_point_counts_and_a_prune_removes_the_others() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        for _ in 0..3 {
            stage.run(&["take"]).expect(0);
            store.push(&stage);
        }
        let point = stage.repository.manifests().unwrap().remove(0);
        let records = [point.name.manifest_file(), format!("{}.2.json", point.name), format!("{}.3.json", point.name)];
        let mut expected = records.to_vec();
        expected.sort();
        assert_eq!(store.records(), expected);
        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
        assert_eq!(listed[0].manifest(), Some(&point));
        store.run(&stage, &["prune", "--remote", "--keep-last", "1"]).expect(0);
        assert_eq!(store.records(), records[2..]);
        let elsewhere = Stage::new();
        store.pull(&elsewhere);
        assert_eq!(elsewhere.repository.manifests().unwrap(), [point]);
    }
}

#[test]
fn what_an_older_version_pushed_is_listed_confirmed_pulled_and_pruned() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        let older = stage.take();
        store.push(&stage);
        // As it was written before records had an order.
        let key = older.name.manifest_file();
        let mut record: serde_json::Value = serde_json::from_str(&store.read(&key)).unwrap();
        record.as_object_mut().unwrap().retain(|field, _| field != "chain" && field != "manifest_blake3");
        store.write(&key, record.to_string().as_bytes());
        std::fs::remove_file(stage.repository.path().join("remotes.json")).unwrap();

        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
        assert_eq!(listed[0].manifest(), Some(&older));
        store.pull(&Stage::new());
        stage.run(&["take"]).expect(0);
        let pushed: Pushed = store.json(&stage, &["push"]);
        assert_eq!(pushed.head.unwrap().index, 1, "the first record in the order");
        let confirmed = stage.repository.manifests().unwrap().remove(0);
        let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
        assert_eq!(listed[0].manifest(), Some(&confirmed));
        store.run(&stage, &["prune", "--remote", "--keep-last", "1"]).expect(0);
        assert!(!store.keys().contains(&key), "{:?}", store.keys());
        let elsewhere = Stage::new();
        store.pull(&elsewhere);
        elsewhere.restore(&[]);
        assert_eq!(ids(&elsewhere.database), up_to(5));
    }
}

#[test]
fn a_piece_that_is_spoiled_is_neither_overwritten_nor_built_upon() {
    for store in Store::each() {
        let (stage, _connection) = Stage::with_rows(5);
        let point = stage.take();
        store.push(&stage);
        let piece = store.pieces().remove(0);
        let bytes = usize::try_from(point.size_bytes).unwrap();
        // In its size, as bits flip, and cut, as an upload ends early.
        for spoiled in [vec![7; bytes], b"cut".to_vec()] {
            store.write(&piece, &spoiled);
            store.records().iter().for_each(|key| store.remove(key));
            store.pieces().iter().filter(|key| **key != piece).for_each(|key| store.remove(key));
            // Too old to be taken for a part of this push.
            if let Some(file) = store.try_file(&piece) {
                let file = std::fs::File::options().write(true).open(file).unwrap();
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            } else if spoiled.len() == bytes {
                continue;
            }
            store.push(&stage);
            assert_eq!(store.pieces().len(), 2, "it is sent to a folder of its own");
            let elsewhere = Stage::new();
            store.pull(&elsewhere);
            elsewhere.restore(&[]);
            assert_eq!(ids(&elsewhere.database), up_to(5));
        }
    }
}

#[test]
fn a_prune_keeps_the_newest_record_so_that_nobody_misses_it() {
    let store = Store::directory();
    let (stage, _connection) = Stage::with_rows(5);
    let names = [stage.take().name, stage.take().name, stage.take().name];
    store.push(&stage);
    store.run(&stage, &["push", names[0].as_str()]).expect(0);
    let prune = ["prune", "--remote", "--keep-last", "1"];
    let told = store.run(&stage, &[&prune[..], &["--dry-run"]].concat()).expect(0).stdout;
    assert!(told.contains(&format!("would keep {} (newest record)", names[0])), "{told}");
    store.run(&stage, &prune).expect(0);
    store.run(&stage, &["list", "--remote"]).expect(0);
    store.run(&stage, &["push", names[1].as_str()]).expect(0);
    store.run(&stage, &prune).expect(0);
    let listed: Vec<Entry> = store.json(&stage, &["list", "--remote"]);
    assert_eq!(listed.iter().map(|entry| &entry.name).collect::<Vec<_>>(), [&names[1], &names[2]]);
}

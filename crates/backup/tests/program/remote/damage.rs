//! Damage there and here: it is found, passed over, and mended by the next push or pull.

use std::fs;

use backup::remote::pull::Pulled;
use backup::remote::push::Pushed;

use super::store::Store;
use crate::stage::{Stage, ids, insert, up_to};

/// Two restore points of 5 and 7 rows, pushed.
fn pushed(store: &Store) -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 2);
    stage.take();
    store.run(&stage, &["push", "--all"]).expect(0);
    stage
}

/// A pull that has to say that newer ones were passed over.
fn passing_over(store: &Store, stage: &Stage, pull: &[&str]) -> Pulled {
    let ended = store.run(stage, &[pull, &["--json"]].concat()).expect(7).says("skipped");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn damage_here(stage: &Stage, index: usize) {
    let path = stage.repository.database(&stage.repository.manifests().unwrap()[index].name);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_piece_that_is_short_or_gone_makes_its_restore_point_incomplete() {
    for store in Store::each() {
        for shorten in [true, false] {
            let stage = pushed(&store);
            let piece = store.pieces().pop().unwrap();
            if shorten {
                store.write(&piece, b"short");
            } else {
                store.remove(&piece);
            }
            let listed = store.run(&stage, &["list", "--remote"]).expect(0).stdout;
            assert!(listed.contains("incomplete") && listed.contains("size in bytes: expected"), "{listed}");
            let name = stage.repository.manifests().unwrap()[1].name.clone();
            store.run(&Stage::new(), &["pull", name.as_str()]).expect(3).says("size in bytes: expected");

            let lineage = stage.repository.manifests().unwrap()[0].lineage.clone().unwrap();
            let elsewhere = Stage::new();
            let older = passing_over(&store, &elsewhere, &["pull", "--lineage", lineage.short()]);
            assert_eq!(older.pulled, [stage.repository.manifests().unwrap()[0].name.clone()]);
            assert_eq!(older.rejected[0].name, name);

            assert_eq!(store.push(&stage).pushed[0].name, name, "it is sent again");
            let whole = Stage::new();
            store.run(&whole, &["pull", "--lineage", lineage.short()]).expect(0);
            whole.restore(&[]);
            assert_eq!(ids(&whole.database), up_to(7));
        }
    }
}

#[test]
fn a_piece_with_other_content_is_passed_over_and_not_published() {
    for store in Store::each() {
        let stage = pushed(&store);
        let [older, newest] = [0, 1].map(|index| stage.repository.manifests().unwrap()[index].clone());
        let piece = store.pieces().into_iter().find(|key| key.starts_with(newest.name.as_str())).unwrap();
        store.write(&piece, &vec![0; usize::try_from(newest.size_bytes).unwrap()]);
        let elsewhere = Stage::new();
        store.run(&elsewhere, &["pull", newest.name.as_str()]).expect(3).says("BLAKE3: expected");
        assert_eq!(elsewhere.files(), [""; 0]);
        let pulled = passing_over(&store, &elsewhere, &["pull"]);
        assert_eq!((&pulled.pulled, &pulled.rejected[0].name), (&vec![older.name], &newest.name));
        store.run(&elsewhere, &["pull", "--all"]).expect(3);
    }
}

#[test]
fn what_is_damaged_here_is_not_pushed_and_an_older_one_is() {
    let store = Store::directory();
    let (stage, connection) = Stage::with_rows(5);
    let older = stage.take();
    insert(&connection, 2);
    let newest = stage.take();
    damage_here(&stage, 1);
    let ended = store.run(&stage, &["push", "--json"]).expect(3).says("BLAKE3: expected");
    let pushed: Pushed = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&pushed.pushed[0].name, &pushed.rejected[0].name), (&older.name, &newest.name));
    store.run(&stage, &["push", newest.name.as_str()]).expect(3).says("is damaged");
    assert!(!store.keys().contains(&newest.name.manifest_file()));
}

#[test]
fn what_is_damaged_here_is_mended_by_a_pull() {
    let store = Store::directory();
    let stage = pushed(&store);
    damage_here(&stage, 1);
    stage.run(&["verify", "--all"]).expect(3);
    store.run(&stage, &["pull"]).expect(0).says("pulling it again");
    stage.run(&["verify", "--all"]).expect(0);
    assert_eq!(stage.files().len(), 4);
}

#[test]
fn a_manifest_that_says_nothing_is_neither_overwritten_nor_pulled() {
    for store in Store::each() {
        let stage = pushed(&store);
        let newest = stage.repository.manifests().unwrap()[1].clone();
        store.write(&newest.name.manifest_file(), b"{");
        store.run(&stage, &["push"]).expect(6).says("malformed").says("move it away");
        store.run(&stage, &["prune", "--remote", "--keep-last", "1"]).expect(0);
        assert_eq!(store.keys().len(), 4, "what cannot be read is not removed");
        let elsewhere = Stage::new();
        let pulled = passing_over(&store, &elsewhere, &["pull"]);
        assert_eq!((&pulled.rejected[0].name, elsewhere.sequences()), (&newest.name, vec![1]));
    }
}

#[test]
fn a_pull_never_takes_an_older_one_in_silence() {
    for store in Store::each() {
        let stage = pushed(&store);
        let newest = stage.repository.manifests().unwrap()[1].name.clone();
        store.remove(&store.pieces().into_iter().find(|key| key.starts_with(newest.as_str())).unwrap());
        let elsewhere = Stage::new();
        for again in [false, true] {
            let ended = store.run(&elsewhere, &["pull"]).expect(7).says("skipped").says(newest.as_str());
            assert!(ended.stdout.contains(&format!("skipped {newest}")), "{} {again}", ended.stdout);
        }
        let all = store.run(&Stage::new(), &["pull", "--all"]).expect(3).says(newest.as_str());
        assert!(all.stdout.contains(&format!("skipped {newest}")), "{}", all.stdout);
        // What runs before a service has to start it, and says so too.
        let starting = Stage::new();
        store.run(&starting, &["pull", "--if-missing"]).expect(0).says(newest.as_str());
        assert_eq!(starting.sequences(), [1]);
        // One that is older than what is asked for is nobody's concern.
        let oldest = stage.repository.manifests().unwrap()[0].created_at.to_string();
        store.run(&Stage::new(), &["pull", "--at", &oldest]).expect(0);
    }
}

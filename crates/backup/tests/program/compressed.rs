//! `backup take --compress`: smaller, and as good.

use std::fs;

use backup::Manifest;
use backup::take::Taken;

use crate::stage::{Stage, ids, up_to};

fn compressed(stage: &Stage) -> Manifest {
    let taken: Taken = stage.json(&["take", "--copy-unchanged", "--compress"]);
    taken.restore_point
}

#[test]
fn a_compressed_restore_point_is_smaller_and_restores_the_same() {
    let (stage, _connection) = Stage::with_rows(500);
    let plain = stage.take();
    let small = compressed(&stage);
    assert_eq!((small.size_bytes, &small.content_blake3), (plain.size_bytes, &plain.content_blake3));
    assert!(small.stored_bytes() * 3 < plain.size_bytes * 2, "hexadecimal digits halve: {small:?}");
    let file = stage.repository.stored_file(&small);
    assert_eq!(fs::metadata(&file).unwrap().len(), small.stored_bytes());
    assert!(!stage.repository.database(&small.name).exists(), "{:?}", stage.files());
    for check in ["none", "quick", "full"] {
        stage.run(&["verify", "--all", "--check", check]).expect(0);
    }
    let copy = stage.path("copy.db");
    let restored = stage.restore(&["--database", copy.to_str().unwrap()]);
    assert_eq!(restored.restore_point, small);
    assert_eq!(ids(&copy), up_to(500));
}

#[test]
fn an_unchanged_database_confirms_a_compressed_restore_point_too() {
    let (stage, _connection) = Stage::with_rows(5);
    let small = compressed(&stage);
    let again: Taken = stage.json(&["take"]);
    assert!(again.confirmed);
    assert_eq!(again.restore_point.name, small.name);
}

#[test]
fn a_manifest_that_lies_about_the_size_does_not_fill_the_disk() {
    let (stage, _connection) = Stage::with_rows(500);
    let mut lie = compressed(&stage);
    lie.size_bytes = 4096;
    fs::write(stage.repository.manifest(&lie.name), serde_json::to_vec(&lie).unwrap()).unwrap();
    let copy = stage.path("copy.db");
    stage.run(&["restore", "--database", copy.to_str().unwrap()]).expect(3).says("BLAKE3");
    assert!(!copy.exists());
}

#[test]
fn pruning_removes_compressed_restore_points_whole() {
    let (stage, _connection) = Stage::with_rows(5);
    (0..3).for_each(|_| drop(compressed(&stage)));
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [3]);
    assert_eq!(stage.files().len(), 2, "{:?}", stage.files());
}

//! `backup prune`: what goes, and what never does.

use std::{fs, thread};

use backup::prune::Pruned;
use nix::sys::stat::Mode;

use crate::stage::{Stage, ended};

fn flip_the_last_byte(stage: &Stage, sequence: usize) {
    let manifests = stage.repository.manifests().unwrap();
    let path = stage.repository.database(&manifests[sequence - 1].name);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

fn with_restore_points(count: u32) -> Stage {
    let (stage, _connection) = Stage::with_rows(5);
    (0..count).for_each(|_| drop(stage.take()));
    stage
}

#[test]
fn a_prune_keeps_what_it_is_told_to_keep() {
    let stage = with_restore_points(4);
    let foretold: Pruned = stage.json(&["prune", "--keep-last", "2", "--dry-run"]);
    assert_eq!(stage.sequences(), [1, 2, 3, 4], "a dry run removes nothing");
    let done: Pruned = stage.json(&["prune", "--keep-last", "2"]);
    assert_eq!(foretold, done);
    assert_eq!(stage.sequences(), [3, 4]);
    assert_eq!(stage.files().len(), 4, "databases and manifests");
}

#[test]
fn a_take_can_prune_after_it() {
    let stage = with_restore_points(3);
    stage.run(&["take", "--keep-last", "2"]).expect(0);
    assert_eq!(stage.sequences(), [3, 4]);
    stage.run(&["take", "--keep-last", "0"]).expect(0);
    assert_eq!(stage.sequences(), [5], "the newest is always kept");
}

#[test]
fn the_newest_good_restore_point_survives_damaged_newer_ones() {
    let stage = with_restore_points(4);
    flip_the_last_byte(&stage, 3);
    flip_the_last_byte(&stage, 4);
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [2, 4]);
}

#[test]
fn nothing_is_removed_of_a_lineage_without_a_good_restore_point() {
    let stage = with_restore_points(3);
    (1..=3).for_each(|sequence| flip_the_last_byte(&stage, sequence));
    stage.run(&["prune", "--keep-last", "1"]).expect(3).says("no good restore point");
    assert_eq!(stage.sequences(), [1, 2, 3]);
}

#[test]
fn incomplete_entries_neither_count_nor_go() {
    let stage = with_restore_points(3);
    let manifests = stage.repository.manifests().unwrap();
    fs::remove_file(stage.repository.manifest(&manifests[0].name)).unwrap();
    fs::remove_file(stage.repository.database(&manifests[2].name)).unwrap();
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [2]);
    assert_eq!(stage.files().len(), 4);
}

/// The first restore point is made a pipe, so that a verify stands still where it reads it.
#[test]
fn a_verify_skips_what_a_prune_removes_meanwhile() {
    let stage = with_restore_points(3);
    let first = stage.repository.manifests().unwrap().remove(0);
    let (pipe, manifest) = (stage.repository.database(&first.name), stage.repository.manifest(&first.name));
    fs::remove_file(&pipe).unwrap();
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let size = format!("\"size_bytes\": {}", first.size_bytes);
    let edited = fs::read_to_string(&manifest).unwrap().replace(&size, "\"size_bytes\": 0");
    fs::write(manifest, edited).unwrap();

    let command = stage.std_command(&["verify", "--all"]);
    let verify = thread::spawn(move || ended(command));
    let opened = fs::File::options().write(true).open(pipe).unwrap();
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    drop(opened);
    let verified = verify.join().unwrap().expect(0);
    assert_eq!(verified.stdout.lines().count(), 1, "{}", verified.stdout);
    verified.says("removed meanwhile");
}

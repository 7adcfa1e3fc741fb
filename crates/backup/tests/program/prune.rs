//! `backup prune`: what goes, and what never does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use backup::Manifest;
use backup::prune::Pruned;
use jiff::{SignedDuration, Timestamp};

use crate::stage::{Stage, edit, insert};

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
    stage.run(&["take", "--copy-unchanged", "--keep-last", "2"]).expect(0);
    assert_eq!(stage.sequences(), [3, 4]);
    stage.run(&["take", "--copy-unchanged", "--keep-last", "0"]).expect(0);
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

/// The first restore point is made a file without end, so that a verify stays where it reads it.
#[test]
fn a_verify_skips_what_a_prune_removes_meanwhile() {
    let stage = with_restore_points(3);
    let first = stage.repository.manifests().unwrap().remove(0);
    let endless = fs::File::options().write(true).open(stage.repository.database(&first.name)).unwrap();
    let bytes: u64 = 1 << 40;
    endless.set_len(bytes).unwrap();
    let size = format!("\"size_bytes\": {}", first.size_bytes);
    edit(&stage.repository, &first.name, &size, &format!("\"size_bytes\": {bytes}"));

    let mut command = stage.std_command(&["verify", "--all"]);
    let verify = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let open = PathBuf::from(format!("/proc/{}/fd", verify.id()));
    let reads =
        |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(|path| path.ends_with(first.name.database_file()));
    let asked = Instant::now();
    while !fs::read_dir(&open).unwrap().any(|fd| reads(fd.unwrap())) {
        assert!(asked.elapsed() < Duration::from_secs(60), "it does not read {}", first.name);
        thread::sleep(Duration::from_millis(5));
    }
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    endless.set_len(0).unwrap();
    let verified = verify.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(verified.stdout).unwrap(), String::from_utf8(verified.stderr).unwrap());
    assert!(verified.status.success() && stdout.lines().count() == 1, "{stdout}{stderr}");
    assert!(stderr.contains("it was removed during the check"), "{stderr}");
}

/// Sets when the snapshot of a restore point began.
fn began(stage: &Stage, manifest: &Manifest, created_at: Timestamp) {
    let created = |at: Timestamp| format!("\"created_at\": \"{at}\"");
    edit(&stage.repository, &manifest.name, &created(manifest.created_at), &created(created_at));
}

#[test]
fn of_months_of_restore_points_those_stay_that_the_rules_name_and_each_says_why() {
    let stage = with_restore_points(40);
    // Every 60 hours, the last one on Sunday, 22 November 2026, at 12:00.
    let newest: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    for (age, manifest) in (0..).zip(stage.repository.manifests().unwrap().iter().rev()) {
        began(&stage, manifest, newest - SignedDuration::from_hours(60 * age));
    }
    let rules = ["prune", "--keep-last=1", "--keep-daily=2", "--keep-weekly=5", "--keep-within=1w 3d"];
    let foretold: Pruned = stage.json(&[&rules[..], &["--dry-run"]].concat());
    assert_eq!(stage.sequences().len(), 40, "a dry run removes nothing");
    let said = stage.run(&[&rules[..], &["--dry-run"]].concat()).expect(0).stdout;
    let name = |sequence: usize| stage.repository.manifests().unwrap()[sequence - 1].name.clone();
    for (sequence, why) in [
        (40, "newest, last, daily, weekly, within, newest good"),
        (39, "daily, within"),
        // Sunday the 15th at 00:00.
        (37, "weekly, within"),
        (36, "within"),
        (34, "weekly"),
        (31, "weekly"),
        (28, "weekly"),
    ] {
        assert!(said.contains(&format!("would keep {} ({why})\n", name(sequence))), "{sequence}: {said}");
    }
    assert!(said.ends_with("would remove 32 of 40\n"), "{said}");
    assert_eq!(stage.json::<Pruned>(&rules), foretold);
    assert_eq!(stage.sequences(), [28, 31, 34, 36, 37, 38, 39, 40]);
    assert_eq!(stage.json::<Pruned>(&rules).removed, []);
    stage.run(&["verify", "--all"]).expect(0);
}

#[test]
fn a_schedule_that_stopped_expires_nothing() {
    let stage = with_restore_points(2);
    for manifest in stage.repository.manifests().unwrap() {
        began(&stage, &manifest, "2001-01-01T00:00:00Z".parse().unwrap());
    }
    stage.run(&["prune", "--keep-within", "30m"]).expect(0);
    assert_eq!(stage.sequences(), [1, 2]);
    stage.run(&["take", "--copy-unchanged", "--keep-within", "30m"]).expect(0);
    assert_eq!(stage.sequences(), [1, 2, 3], "whether the clock is right shows with the next one");
    stage.run(&["take", "--copy-unchanged", "--keep-within", "30m"]).expect(0);
    assert_eq!(stage.sequences(), [3, 4], "they are 30 minutes older than the newest now");
}

#[test]
fn the_good_one_from_before_a_suspect_one_outlives_every_rule() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    connection.execute_batch("DELETE FROM message; UPDATE sqlite_sequence SET seq = 0").unwrap();
    stage.take_suspect();
    insert(&connection, 1);
    (0..3).for_each(|_| drop(stage.take()));
    stage.run(&["prune", "--keep-last", "1"]).expect(0);
    assert_eq!(stage.sequences(), [1, 2, 5]);
}

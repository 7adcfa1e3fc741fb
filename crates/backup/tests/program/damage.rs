//! Damaged restore points: they are found, named, passed over, and never restored.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use backup::{Manifest, Repository};
use nix::sys::stat::Mode;

use crate::stage::{Stage, edit, ids, insert, up_to};

/// A way to damage a restore point, and what has to be said about it.
type Damage = (fn(&Repository, &Manifest), &'static str);

const DAMAGES: [Damage; 9] = [
    (flip_a_byte, "BLAKE3: expected"),
    (truncate, "size in bytes: expected"),
    (append, "size in bytes: expected"),
    (|repository, point| fs::remove_file(repository.manifest(&point.name)).unwrap(), "no manifest"),
    (|repository, point| fs::remove_file(repository.database(&point.name)).unwrap(), "database file is missing"),
    (|repository, point| fs::write(repository.manifest(&point.name), "{").unwrap(), "malformed"),
    (|repository, point| edit(repository, &point.name, "\"schema_version\": 1", "\"schema_version\": 2"), "schema 2"),
    (|repository, point| sequence(repository, point, u64::MAX), "sequence number is too high: expected"),
    (
        |repository, point| edit(repository, &point.name, "\"message\": 7", "\"message\": 8"),
        "high-water marks: expected",
    ),
];

fn flip_a_byte(repository: &Repository, point: &Manifest) {
    let path = repository.database(&point.name);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(repository: &Repository, point: &Manifest) {
    let file = fs::File::options().write(true).open(repository.database(&point.name)).unwrap();
    file.set_len(point.size_bytes - 1).unwrap();
}

fn append(repository: &Repository, point: &Manifest) {
    let path = repository.database(&point.name);
    let bytes = [fs::read(&path).unwrap(), vec![0]].concat();
    fs::write(path, bytes).unwrap();
}

fn sequence(repository: &Repository, point: &Manifest, number: u64) {
    let found = format!("\"sequence\": {}", point.sequence);
    edit(repository, &point.name, &found, &format!("\"sequence\": {number}"));
}

#[test]
fn a_sequence_number_too_great_to_be_followed_is_no_end_of_takes() {
    let (stage, _connection) = Stage::with_rows(5);
    for number in [u64::MAX, u64::MAX - 1, 1 << 53] {
        let bad = stage.take();
        sequence(&stage.repository, &bad, number);
        assert!(stage.run(&["list"]).expect(0).stdout.contains("sequence number is too high: expected"));
        let next = stage.take();
        assert_eq!(stage.take().sequence, next.sequence + 1);
    }
    let last = stage.take();
    sequence(&stage.repository, &last, (1 << 53) - 1);
    let files = stage.files();
    stage
        .run(&["take", "--copy-unchanged"])
        .expect(3)
        .says(last.name.as_str())
        .says("is the highest possible, so none can follow");
    assert_eq!(stage.files(), files);
}

#[test]
fn each_damage_is_found_and_the_older_restore_point_is_restored() {
    for (damage, reason) in DAMAGES {
        let (stage, connection) = Stage::with_rows(5);
        let good = stage.take();
        insert(&connection, 2);
        let bad = stage.take();
        drop(connection);
        damage(&stage.repository, &bad);

        let listed = stage.run(&["list", "--json"]).expect(0);
        assert!(listed.stdout.contains(bad.name.as_str()), "{reason}");
        let verified = stage.run(&["verify", bad.name.as_str()]).expect(3).stdout;
        assert!(verified.contains(reason), "expected {reason}, found: {verified}");
        stage.run(&["verify", "--all"]).expect(3);
        let verified = stage.run(&["verify"]).expect(3).stdout;
        assert!(verified.contains(reason), "expected {reason}, found: {verified}");
        stage.run(&["verify", good.name.as_str()]).expect(0);

        stage.lose_database();
        stage.run(&["restore", bad.name.as_str()]).expect(3).says(reason);
        assert!(!stage.database.exists(), "{reason}");
        let restored = stage.restore(&["--latest"]);
        assert_eq!(restored.restore_point, good);
        assert_eq!(restored.rejected.len(), 1, "{reason}");
        assert_eq!(restored.rejected[0].name, bad.name);
        assert!(restored.rejected[0].reason.contains(reason), "{:?}", restored.rejected);
        assert_eq!(ids(&stage.database), up_to(5));
        assert_eq!(backup::restore::interrupted(&stage.database), None);
    }
}

#[test]
fn an_incomplete_restore_point_is_verified_until_a_newer_one_is_taken() {
    let (stage, _connection) = Stage::with_rows(5);
    let only = stage.take();
    fs::remove_file(stage.repository.manifest(&only.name)).unwrap();
    assert!(stage.run(&["verify"]).expect(3).stdout.contains("no manifest"));
    stage.take();
    stage.run(&["verify"]).expect(0);
}

#[test]
fn with_nothing_good_left_nothing_is_restored() {
    let (stage, connection) = Stage::with_rows(5);
    let only = stage.take();
    drop(connection);
    flip_a_byte(&stage.repository, &only);
    let before = fs::read(&stage.database).unwrap();
    stage.run(&["restore", "--force"]).expect(3).says("no good restore point is left").says("BLAKE3");
    assert!(fs::read(&stage.database).unwrap() == before, "the database in place is untouched");
    stage.lose_database();
    stage.run(&["restore"]).expect(3);
    assert!(!stage.database.exists());
}

#[test]
fn an_index_that_contradicts_its_table_is_found_by_the_full_check_only() {
    let (stage, connection) = Stage::with_rows(50);
    // Sound pages with the wrong content: the index of one expression is said to be one of another.
    let sql = "CREATE INDEX i ON message (body);
               PRAGMA writable_schema = ON;
               UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON message (lower(body))' WHERE name = 'i'";
    connection.execute_batch(sql).unwrap();
    stage.run(&["take"]).expect(0);
    stage.run(&["verify"]).expect(0);
    let verified = stage.run(&["verify", "--check", "full"]).expect(3).stdout;
    assert!(verified.contains("SQLite's check expected ok"), "{verified}");
    stage.run(&["take", "--check", "full"]).expect(1).says("damaged");
}

/// Ways to make a file unreadable that hold for a privileged user too, and what has to be said about each.
type Obstacle = (fn(&Path), &'static str);

const OBSTACLES: [Obstacle; 4] = [
    (|path| fs::create_dir(path).unwrap(), "not a regular file"),
    (|path| nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(), "not a regular file"),
    (|path| symlink(path, path).unwrap(), "not a regular file but a symbolic link"),
    (|path| symlink("/proc/self/mem", path).unwrap(), "not a regular file but a symbolic link"),
];

#[test]
fn a_manifest_that_cannot_be_read_spoils_its_own_restore_point_only() {
    for (obstruct, reason) in OBSTACLES {
        let (stage, connection) = Stage::with_rows(5);
        let good = stage.take();
        insert(&connection, 2);
        let bad = stage.take();
        drop(connection);
        let manifest = stage.repository.manifest(&bad.name);
        fs::rename(&manifest, stage.path("kept")).unwrap();
        obstruct(&manifest);

        assert!(stage.run(&["list"]).expect(0).stdout.contains(reason), "{reason}");
        assert_eq!(stage.sequences(), [1]);
        stage.run(&["verify", good.name.as_str()]).expect(0);
        stage.run(&["prune", "--keep-last", "1"]).expect(0);
        let restored = stage.restore(&[good.name.as_str(), "--force"]);
        assert_eq!((ids(&stage.database), restored.rejected.len()), (up_to(5), 1));
        let newest = stage.take();

        // The order still holds when the manifest is back.
        if manifest.is_dir() { fs::remove_dir(&manifest) } else { fs::remove_file(&manifest) }.unwrap();
        fs::rename(stage.path("kept"), &manifest).unwrap();
        assert_eq!(stage.sequences(), [1, 2, newest.sequence], "{reason}");
        assert_eq!(stage.take().sequence, newest.sequence + 1);
        stage.run(&["verify", "--all"]).expect(0);
    }
}

#[test]
fn an_old_manifest_that_cannot_be_read_leaves_the_sequence_as_it_is() {
    let (stage, _connection) = Stage::with_rows(5);
    let old = stage.take();
    stage.take();
    fs::remove_file(stage.repository.manifest(&old.name)).unwrap();
    fs::create_dir(stage.repository.manifest(&old.name)).unwrap();
    assert_eq!(stage.take().sequence, 3);
}

#[test]
fn a_pipe_in_the_place_of_a_database_is_passed_over() {
    let (stage, connection) = Stage::with_rows(5);
    let good = stage.take();
    let bad = stage.take();
    drop(connection);
    fs::remove_file(stage.repository.database(&bad.name)).unwrap();
    nix::unistd::mkfifo(&stage.repository.database(&bad.name), Mode::S_IRWXU).unwrap();
    assert_eq!(stage.restore(&["--force"]).restore_point, good);
}

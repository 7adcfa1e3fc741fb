//! kill -9 at any instant leaves the old state or the new one. The instants are spread over the length of a whole run;
//! states too short to hit are made by hand.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use backup::restore::interrupted;

use crate::stage::{Stage, beside, ids, insert, up_to};

const KILLS: u32 = 25;
/// Some 30 MB, that is four steps of the copy.
const ROWS: u32 = 30_000;

fn duration_of(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

/// Starts the program, kills it after `delay` and says whether it had ended well before.
fn kill_after(stage: &Stage, arguments: &[&str], delay: Duration) -> bool {
    let mut command = stage.std_command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap().success()
}

fn safety_copies(stage: &Stage) -> Vec<PathBuf> {
    let files = fs::read_dir(stage.directory.path()).unwrap().map(|file| file.unwrap().path());
    let is_copy = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains(".replaced-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    files.filter(is_copy).collect()
}

#[test]
fn a_killed_take_leaves_the_old_restore_points_or_one_more() {
    let (stage, connection) = Stage::with_rows(ROWS);
    let whole = duration_of(|| drop(stage.take()));
    let copy = stage.path("copy.db");
    for kill in 0..KILLS {
        let before = stage.sequences();
        let ended = kill_after(&stage, &["take", "--copy-unchanged", "--wait", "10s"], whole * kill / (KILLS - 1));
        stage.run(&["list"]).expect(0);
        let after = stage.sequences();
        assert_eq!(after[..before.len()], before);
        assert!(after.len() == before.len() + 1 || (after == before && !ended), "{before:?} {after:?}");
        let newest = stage.repository.newest(None).unwrap().unwrap().sequence;
        let restored = stage.restore(&["--check", "none", "--force", "--database", copy.to_str().unwrap()]);
        assert_eq!((restored.restore_point.sequence, restored.rejected.len()), (newest, 0));
        fs::remove_file(&copy).unwrap();
    }
    insert(&connection, 1);
    stage.take();
    let rubbish: Vec<_> = stage.files().into_iter().filter(|name| name.contains("partial")).collect();
    assert_eq!(rubbish, [""; 0], "the next take sweeps");
    stage.run(&["verify", "--all", "--check", "none"]).expect(0);
}

#[test]
fn a_killed_restore_leaves_the_old_database_or_the_new_one_or_can_be_run_again() {
    let (stage, connection) = Stage::with_rows(ROWS);
    stage.take();
    insert(&connection, 1);
    drop(connection);
    let old = fs::read(&stage.database).unwrap();
    let whole = duration_of(|| drop(stage.restore(&["--force"])));
    let (rows, more) = (i64::from(ROWS), i64::from(ROWS) + 1);
    for kill in 0..KILLS {
        fs::write(&stage.database, &old).unwrap();
        let ended = kill_after(&stage, &["restore", "--force"], whole * kill / (KILLS - 1));
        if stage.database.exists() {
            let found = ids(&stage.database).len() as i64;
            assert!(found == rows || (found == more && !ended), "{found} rows");
        } else {
            assert!(interrupted(&stage.database).is_some(), "whoever finds no database must see why");
        }
        stage.lose_database();
        // Without --force, whatever the kill left.
        stage.restore(&["--check", "none"]);
        assert_eq!(interrupted(&stage.database), None);
        assert!(!beside(&stage.database, ".restoring").exists());
    }
    assert_eq!(ids(&stage.database), up_to(rows));
}

#[test]
fn a_killed_restore_into_a_live_database_leaves_the_old_content_or_the_new() {
    let (stage, connection) = Stage::with_rows(ROWS / 3);
    let point = stage.take();
    insert(&connection, 1);
    let newer = stage.take();
    let (rows, more) = (i64::from(ROWS / 3), i64::from(ROWS / 3) + 1);
    let into_live = ["restore", "--into-live", "--check", "none", point.name.as_str()];
    let whole = duration_of(|| drop(stage.run(&into_live).expect(0)));
    let (mut old, mut new) = (0, 0);
    for kill in 0..KILLS {
        // By another way than the one that is tested.
        connection.execute("INSERT INTO message VALUES (?1, 'more')", [more]).unwrap();
        let ended = kill_after(&stage, &into_live, whole * kill / (KILLS - 1));
        let found = ids(&stage.database).len() as i64;
        assert!(found == rows || (found == more && !ended), "{found} rows");
        *(if found == rows { &mut new } else { &mut old }) += 1;
        connection.execute("DELETE FROM message WHERE id = ?1", [more]).unwrap();
        for safety_copy in safety_copies(&stage) {
            assert_eq!(ids(&safety_copy).len() as i64, more, "a safety copy has its name once it is whole");
            fs::remove_file(safety_copy).unwrap();
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new: no kill came at a moment that matters");
    // Whatever the kills left is in nobody's way.
    stage.restore(&["--into-live", newer.name.as_str()]);
    assert_eq!(ids(&stage.database), up_to(more));
    assert!(![".restoring", ".saving"].iter().any(|suffix| beside(&stage.database, suffix).exists()));
}

#[test]
fn a_restore_killed_between_its_renames_is_seen_and_can_be_run_again() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    drop(connection);
    fs::rename(&stage.database, beside(&stage.database, ".replaced-20260101T000000.000Z")).unwrap();
    fs::write(beside(&stage.database, ".restoring"), "half a database").unwrap();
    for suffix in ["-wal", "-journal", "-shm"] {
        fs::write(beside(&stage.database, suffix), "stale").unwrap();
    }
    assert_eq!(interrupted(&stage.database), Some(beside(&stage.database, ".restoring")));
    stage.restore(&[]);
    assert_eq!(interrupted(&stage.database), None);
    assert!(["-wal", "-journal", "-shm"].iter().all(|suffix| !beside(&stage.database, suffix).exists()));
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn unfinished_publications_and_removals_are_ignored_and_swept() {
    // Each pair of files that a kill can leave under one name, as the extensions of the live and partial ones.
    for (left, first_seen) in [
        (&["db.partial"][..], "while copying"),
        (&["db.partial", "json.partial"], "while writing the manifest"),
        (&["db.partial", "json"], "before the commit point, or early in a removal"),
        (&["json.partial"], "nowhere, yet swept"),
    ] {
        let (stage, connection) = Stage::with_rows(5);
        let good = stage.take();
        let other = stage.take();
        let (database, manifest) = (stage.repository.database(&other.name), stage.repository.manifest(&other.name));
        let (bytes, text) = (fs::read(&database).unwrap(), fs::read(&manifest).unwrap());
        fs::remove_file(&database).unwrap();
        fs::remove_file(&manifest).unwrap();
        for extension in left {
            let content = if extension.starts_with("db") { &bytes } else { &text };
            fs::write(stage.repository.path().join(format!("{}.{extension}", other.name)), content).unwrap();
        }
        let listed: Vec<backup::Entry> = stage.json(&["list"]);
        assert_eq!(listed.len(), 1, "{first_seen}");
        assert_eq!(listed[0].name, good.name, "{first_seen}");
        stage.run(&["verify", "--all"]).expect(0);
        drop(connection);
        stage.run(&["take", "--copy-unchanged"]).expect(0);
        assert_eq!(stage.files().len(), 4, "{first_seen}: {:?}", stage.files());
    }
}

//! `backup restore`: what it refuses, what it replaces, and what it leaves.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::sys::stat::Mode;
use rusqlite::Connection;

use crate::stage::{Stage, beside, ended, ids, insert, up_to};

/// Ten rows of which the restore point has five; the other five are in the WAL only. The database is closed by a
/// "crash": its files are as a killed process leaves them.
fn crashed_with_rows_in_its_wal() -> Stage {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0").unwrap();
    insert(&connection, 5);
    for suffix in ["", "-wal"] {
        fs::copy(beside(&stage.database, suffix), beside(&stage.path("kept"), suffix)).unwrap();
    }
    drop(connection);
    stage.lose_database();
    for suffix in ["", "-wal"] {
        fs::rename(beside(&stage.path("kept"), suffix), beside(&stage.database, suffix)).unwrap();
    }
    stage
}

#[test]
fn a_stale_wal_does_not_undo_a_restore() {
    let stage = crashed_with_rows_in_its_wal();
    let wal = fs::read(beside(&stage.database, "-wal")).unwrap();
    stage.lose_database();
    fs::write(beside(&stage.database, "-wal"), &wal).unwrap();

    // That the danger is real: with a plain copy, SQLite plays the leftover into the restored database.
    let control = stage.path("control.db");
    let newest = stage.repository.newest(None).unwrap().unwrap();
    fs::copy(stage.repository.database(&newest.name), &control).unwrap();
    fs::write(beside(&control, "-wal"), &wal).unwrap();
    assert_eq!(ids(&control), up_to(10), "the control is not undone, so this test proves nothing");

    stage.restore(&[]);
    assert_eq!(ids(&stage.database), up_to(5));
    let moved_aside = |name: &str| name.contains(".replaced-") && name.ends_with("-wal");
    let files = fs::read_dir(stage.directory.path()).unwrap();
    let kept: Vec<_> =
        files.map(|file| file.unwrap()).filter(|file| moved_aside(file.file_name().to_str().unwrap())).collect();
    assert_eq!(fs::read(kept[0].path()).unwrap(), wal, "nothing is deleted that may hold transactions");
}

#[test]
fn a_safety_copy_opens_and_holds_the_rows_of_its_wal_too() {
    let stage = crashed_with_rows_in_its_wal();
    let restored = stage.restore(&["--force"]);
    assert_eq!(ids(&stage.database), up_to(5));
    assert_eq!(ids(&restored.safety_copy.unwrap()), up_to(10));
}

#[test]
fn a_database_in_use_is_not_replaced_and_its_user_is_named() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    // This very process is the other process.
    let user = format!("in use by process {}", std::process::id());
    stage.run(&["restore", "--force"]).expect(4).says(&user);
    stage.run(&["restore"]).expect(4).says(&user);
    insert(&connection, 1);
    drop(connection);
    assert_eq!(ids(&stage.database), up_to(7));
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 2, "the database and the repository");
    stage.restore(&["--force"]);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn a_database_that_exists_is_not_replaced_without_force() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    drop(connection);
    stage.run(&["restore"]).expect(6).says("--force");
    assert_eq!(ids(&stage.database), up_to(6));
}

#[test]
fn a_restore_goes_back_to_a_time_or_a_name() {
    let (stage, connection) = Stage::with_rows(1);
    let first = stage.take();
    insert(&connection, 1);
    let second = stage.take();
    insert(&connection, 1);
    stage.take();
    drop(connection);
    let go_back = |arguments: &[&str], rows| {
        stage.restore(&[arguments, &["--force"]].concat());
        assert_eq!(ids(&stage.database), up_to(rows), "{arguments:?}");
    };
    go_back(&["--at", &second.created_at.to_string()], 2);
    go_back(&[first.name.as_str()], 1);
    go_back(&[second.name.database_file().as_str()], 2);
    go_back(&["--latest"], 3);
    go_back(&["--check", "full"], 3);
    go_back(&["--check", "none"], 3);
    stage.run(&["restore", "--force", "--at", "2001-01-01T00:00:00Z"]).expect(5).says("the oldest began at");
    stage.run(&["restore", "--force", "app-20010101T000000.000Z"]).expect(5).says("backup list");
}

#[test]
fn the_directory_of_the_destination_must_exist() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.take();
    let nowhere = stage.path("nowhere/app.db");
    stage.run(&["restore", "--database", nowhere.to_str().unwrap()]).expect(1).says("its directory does not exist");
}

#[test]
fn a_path_that_is_no_unicode_is_restored_to_and_told_as_far_as_possible() {
    let (mut stage, connection) = Stage::with_rows(2);
    drop(connection);
    let path = stage.directory.path().join(OsStr::from_bytes(b"a\xff.db"));
    fs::rename(&stage.database, &path).unwrap();
    stage.database = path;
    stage.take();
    let safety_copy = stage.restore(&["--force"]).safety_copy.unwrap();
    assert!(safety_copy.to_str().unwrap().contains("a\u{fffd}.db.replaced-"), "{}", safety_copy.display());
    assert_eq!(ids(&stage.database), up_to(2));
}

#[test]
fn through_a_symbolic_link_the_file_it_names_is_replaced() {
    let (stage, connection) = Stage::with_rows(2);
    stage.take();
    drop(connection);
    let link = stage.path("link.db");
    symlink(&stage.database, &link).unwrap();
    stage.restore(&["--force", "--database", link.to_str().unwrap()]);
    assert!(link.is_symlink());
    assert_eq!(ids(&stage.database), up_to(2));
}

#[test]
fn through_a_symbolic_link_to_nothing_the_file_it_names_is_created() {
    let (mut stage, connection) = Stage::with_rows(2);
    stage.take();
    drop(connection);
    stage.lose_database();
    let link = stage.path("link.db");
    let lost = std::mem::replace(&mut stage.database, link.clone());
    symlink("second.db", &link).unwrap();
    symlink("app.db", stage.path("second.db")).unwrap();

    let temporary = beside(&lost, ".restoring");
    fs::write(&temporary, "half a database").unwrap();
    assert_eq!(backup::restore::interrupted(&link).map(|path| path.canonicalize().unwrap()), Some(temporary));
    stage.restore(&[]);
    assert!(link.is_symlink() && stage.path("second.db").is_symlink() && !lost.is_symlink());
    assert_eq!(ids(&lost), up_to(2));
    assert_eq!(backup::restore::interrupted(&link), None);

    fs::remove_file(&link).unwrap();
    symlink("nowhere/app.db", &link).unwrap();
    stage.run(&["restore"]).expect(1).says("nowhere/app.db").says("its directory does not exist");
    assert!(link.is_symlink());
}

#[test]
fn a_restore_that_fails_before_it_replaces_anything_leaves_nothing() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 1);
    drop(connection);
    fs::write(beside(&stage.database, "-wal"), "").unwrap();
    fs::create_dir(beside(&stage.database, "-journal")).unwrap();
    stage.run(&["restore", "--force"]).expect(1).says("app.db-journal");
    let mut files: Vec<_> =
        fs::read_dir(stage.directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["app.db", "app.db-journal", "app.db-wal", "repository"]);
    fs::remove_dir(beside(&stage.database, "-journal")).unwrap();
    assert_eq!(ids(&stage.database), up_to(6));
}

#[test]
fn what_is_no_regular_file_is_not_replaced() {
    let (stage, connection) = Stage::with_rows(1);
    stage.take();
    drop(connection);
    stage.lose_database();
    nix::unistd::mkfifo(&stage.database, Mode::S_IRWXU).unwrap();
    let socket = stage.path("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    for other in [&stage.database, stage.directory.path(), &socket] {
        for force in [&["--force"][..], &[]] {
            let arguments = [&["restore", "--database", other.to_str().unwrap()], force].concat();
            stage.run(&arguments).expect(1).says("not a regular file");
        }
    }
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 3, "pipe, socket, repository");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.take();
    let mut piped = std::process::Command::new("sh");
    let script = "\"$0\" list --json 2>&1 >/dev/full | grep -q 'No space'; { \"$0\" list --json; echo $? >&2; } | true";
    piped.args(["-c", script, crate::stage::PROGRAM]).env("BACKUP_DIR", stage.repository.path());
    assert_eq!(ended(piped).stderr.trim(), "0");
}

#[test]
fn a_restore_does_not_disturb_another_that_is_under_way() {
    let (stage, connection) = Stage::with_rows(1);
    stage.take();
    drop(connection);
    stage.lose_database();
    let temporary = beside(&stage.database, ".restoring");
    fs::write(&temporary, "half a database").unwrap();
    let held = fs::File::open(&temporary).unwrap();
    held.try_lock().unwrap();
    stage.run(&["restore"]).expect(4).says("another restore");
    assert_eq!(fs::read_to_string(&temporary).unwrap(), "half a database");
}

#[test]
fn restores_to_one_place_at_once_leave_one_good_database() {
    let (stage, connection) = Stage::with_rows(300);
    stage.take();
    drop(connection);
    stage.lose_database();
    let restores: Vec<_> = (0..4).map(|_| stage.std_command(&["restore"]).spawn().unwrap()).collect();
    let codes: Vec<_> = restores.into_iter().map(|mut restore| restore.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| [0, 4, 6].contains(code)), "{codes:?}");
    assert_eq!(ids(&stage.database), up_to(300));
    assert!(Connection::open(&stage.database).is_ok());
    assert_eq!(fs::read_dir(stage.directory.path()).unwrap().count(), 2, "no temporary file is left");
}

//! A file system that takes no more bytes. A file size limit does that for one process, without privileges.

use std::process::Command;

use crate::stage::{Ended, PROGRAM, Stage, ended, ids, insert, up_to};

/// Runs the program where no file can grow beyond 512 KiB (or 1 MiB, by the shell's unit).
fn run_limited(stage: &Stage, arguments: &[&str]) -> Ended {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1024; exec \"$0\" \"$@\"", PROGRAM]).args(arguments);
    shell.env("DB_PATH", &stage.database).env("BACKUP_DIR", stage.repository.path());
    ended(shell)
}

#[test]
fn a_full_disk_fails_a_take_and_leaves_the_repository_as_it_was() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    let files = stage.files();
    insert(&connection, 3000);
    run_limited(&stage, &["take"]).expect(1).says(".db.partial");
    assert_eq!(stage.files(), files);
    drop(connection);
    stage.lose_database();
    stage.restore(&[]);
    assert_eq!(ids(&stage.database), up_to(5));
}

#[test]
fn a_full_disk_fails_a_restore_and_leaves_the_database_as_it_was() {
    let (stage, connection) = Stage::with_rows(3000);
    stage.take();
    insert(&connection, 1);
    drop(connection);
    run_limited(&stage, &["restore", "--force"]).expect(1).says(".restoring");
    assert_eq!(ids(&stage.database), up_to(3001));
    stage.lose_database();
    run_limited(&stage, &["restore"]).expect(1);
    assert_eq!(backup::restore::interrupted(&stage.database), None, "an orderly failure is no interruption");
    stage.restore(&[]);
    assert_eq!(ids(&stage.database), up_to(3000));
}

#[test]
fn a_full_disk_fails_a_restore_into_a_live_database_and_leaves_it_as_it_was() {
    let (stage, connection) = Stage::with_rows(5);
    stage.take();
    insert(&connection, 3000);
    // The restore point is small enough for its temporary file; the safety copy is not.
    run_limited(&stage, &["restore", "--into-live"]).expect(1).says(".saving");
    assert_eq!(ids(&stage.database), up_to(3005));
    insert(&connection, 1);
    stage.restore(&["--into-live"]);
    assert_eq!(ids(&stage.database), up_to(5));
    assert_eq!(std::fs::read_dir(stage.directory.path()).unwrap().count(), 5, "database, -wal, -shm, safety copy");
}

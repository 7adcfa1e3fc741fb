//! A limit on the size of files: it is an error like that of a full disk, not a death by signal.

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
fn a_file_size_limit_fails_a_take_and_leaves_the_repository_as_it_was() {
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

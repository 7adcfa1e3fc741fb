//! Names of every kind: not UTF-8, as long as they may be, relative, behind links.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use backup::Repository;

use crate::stage::{Stage, create, ended, ids, insert, up_to};

/// A database and a repository of these names.
fn named(directory: &[u8], database: &[u8], repository: &[u8]) -> Stage {
    let mut stage = Stage::new();
    let path = |name: &[u8]| stage.directory.path().join(OsStr::from_bytes(name));
    let (data, repository) = (path(directory), path(repository));
    fs::create_dir_all(&data).unwrap();
    fs::create_dir_all(&repository).unwrap();
    stage.database = data.join(OsStr::from_bytes(database));
    stage.repository = Repository::at(repository);
    insert(&create(&stage.database), 3);
    stage
}

fn every_command(stage: &Stage) {
    let remote = tempfile::tempdir().unwrap();
    let remote = format!("file://{}", remote.path().display());
    for arguments in [
        &["take"][..],
        &["take"],
        &["list"],
        &["verify", "--all"],
        &["verify", "--deep", "--record"],
        &["restore", "--force", "--dry-run"],
        &["restore", "--force", "--dry-run", "--json"],
        &["restore", "--force"],
        &["restore", "--force", "--json"],
        &["restore", "--into-live"],
        &["restore", "--into-live", "--json"],
        &["restore", "--if-missing"],
        &["push", "--remote", &remote],
        &["pull", "--all", "--remote", &remote],
        &["take", "--copy-unchanged", "--compress"],
        &["prune", "--keep-last", "1"],
    ] {
        stage.run(arguments).expect(0);
    }
    stage.lose_database();
    stage.run(&["restore"]).expect(0);
    assert_eq!(ids(&stage.database), up_to(3));
}

#[test]
fn names_need_not_be_utf_8() {
    const LATIN_1: &[u8] = b"caf\xe9";
    for (directory, database, repository) in
        [(LATIN_1, &b"app.db"[..], &b"repo"[..]), (b"data", LATIN_1, b"repo"), (b"data", b"app.db", LATIN_1)]
    {
        every_command(&named(directory, database, repository));
    }
    let stage = named(b"data", b"app.db", b"repo");
    stage.take();
    fs::create_dir(stage.directory.path().join(OsStr::from_bytes(LATIN_1))).unwrap();
    let remote = format!("file://{}/caf%E9", stage.directory.path().display());
    stage.run(&["push", "--remote", &remote]).expect(0);
    stage.run(&["pull", "--remote", &remote]).expect(0);
}

#[test]
fn a_name_may_be_as_long_as_sqlite_can_use() {
    // With `-journal` it has the 255 bytes that a name may have.
    let longest = "n".repeat(247);
    let accents = "é".repeat(117);
    for name in [&longest[..235], &longest, &accents] {
        let stage = named(b"data", name.as_bytes(), b"repo");
        every_command(&stage);
        let names = fs::read_dir(stage.database.parent().unwrap()).unwrap();
        let names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| name.contains(".restoring") || name.contains(".saving")), "{names:?}");
    }
}

#[test]
fn databases_of_long_names_that_differ_at_the_end_do_not_share_a_temporary_file() {
    let stage = named(b"data", "n".repeat(247).as_bytes(), b"repo");
    stage.take();
    let other = stage.database.with_file_name("n".repeat(246) + "m");
    let temporary = "n".repeat(247);
    fs::write(other.with_file_name(&temporary[..200]), "").unwrap();
    stage.run(&["restore", "--database", other.to_str().unwrap()]).expect(0);
    assert_eq!((ids(&other), ids(&stage.database)), (up_to(3), up_to(3)));
}

#[test]
fn a_path_may_be_relative_and_lead_through_links() {
    let stage = named(b"data", b"app.db", b"repo");
    symlink("data/app.db", stage.path("link.db")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = stage.std_command(arguments);
        command.current_dir(stage.directory.path()).env("DB_PATH", "link.db").env("BACKUP_DIR", "repo");
        ended(command).expect(0);
    };
    run(&["take"]);
    run(&["restore", "--force"]);
    run(&["restore", "--into-live"]);
    stage.lose_database();
    run(&["restore"]);
    assert_eq!(ids(&stage.database), up_to(3));
    assert_eq!(fs::read_link(stage.path("link.db")).unwrap(), Path::new("data/app.db"));
}

//! What can be taken and restored, and what cannot.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::stage::{Stage, create, create_table, ids, insert, up_to};

#[test]
fn any_sqlite_database_survives_a_round_trip() {
    for journal_mode in ["wal", "delete", "truncate", "persist"] {
        for page_size in [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] {
            let stage = Stage::new();
            let connection = Connection::open(&stage.database).unwrap();
            connection
                .execute_batch(&format!("PRAGMA page_size = {page_size}; PRAGMA journal_mode = {journal_mode}"))
                .unwrap();
            create_table(&connection);
            insert(&connection, 20);
            let taken = stage.take();
            assert_eq!((taken.page_size, &taken.lineage), (page_size, &None));
            drop(connection);
            stage.lose_database();
            stage.restore(&[]);
            assert_eq!(ids(&stage.database), up_to(20), "{journal_mode} {page_size}");
            let restored = Connection::open(&stage.database).unwrap();
            let mode: String = restored.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode == "wal", journal_mode == "wal", "only WAL is a property of the file");
        }
    }
}

#[test]
fn a_database_may_have_any_name() {
    for name in ["a b.db", "a?immutable=0.db", "100%25.db", "a#b.db", "été.db", "-x.db"] {
        let mut stage = Stage::new();
        let repository = stage.path("repo ?%20#");
        fs::create_dir(&repository).unwrap();
        stage.repository = backup::Repository::at(repository);
        stage.database = stage.path(name);
        insert(&create(&stage.database), 3);
        stage.take();
        stage.run(&["verify"]).expect(0);
        stage.lose_database();
        stage.restore(&[]);
        assert_eq!(ids(&stage.database), up_to(3), "{name}");
    }
}

#[test]
fn what_is_no_database_is_not_taken() {
    let stage = Stage::new();
    let refuse = |path: &Path, fact: &str| {
        stage.run(&["take", "--database", path.to_str().unwrap()]).expect(1).says(fact).says(path.to_str().unwrap());
        assert!(stage.files().is_empty(), "{fact}");
    };
    refuse(&stage.database, "does not exist");
    assert!(!stage.database.exists(), "a take creates no database");
    refuse(stage.directory.path(), "not a file");
    fs::write(&stage.database, "").unwrap();
    refuse(&stage.database, "empty");
    fs::write(&stage.database, "words, not pages. ".repeat(500)).unwrap();
    refuse(&stage.database, "not a SQLite database");
    let (whole, connection) = Stage::with_rows(5);
    drop(connection);
    let mut encrypted = fs::read(whole.database).unwrap();
    encrypted[..16].copy_from_slice(b"\x9e\x1c\x00\x53\xff\x08\xab\xcd\x11\x77\xe0\x42\x5a\x96\x3b\xd4");
    fs::write(&stage.database, encrypted).unwrap();
    refuse(&stage.database, "it is encrypted");
}

#[test]
fn a_corrupt_source_is_said_to_be_corrupt() {
    let (stage, connection) = Stage::with_rows(500);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(connection);
    let mut bytes = fs::read(&stage.database).unwrap();
    let end = bytes.len();
    bytes[end - 3 * 4096..end - 4096].fill(0xff);
    fs::write(&stage.database, &bytes).unwrap();
    stage.run(&["take"]).expect(1).says("damaged");
    assert!(stage.files().is_empty());
    stage.run(&["take", "--check", "none"]).expect(0);
}

#[test]
fn a_repository_that_is_not_there_is_an_error_everywhere() {
    let (stage, _connection) = Stage::with_rows(1);
    fs::remove_dir(stage.repository.path()).unwrap();
    for arguments in [&["take"][..], &["list"], &["verify"], &["restore"], &["prune", "--keep-last", "1"]] {
        stage.run(arguments).expect(1).says("does not exist");
    }
    assert!(stage.repository.newest(None).is_err());
}

#[test]
fn an_empty_repository_lists_nothing_and_has_nothing_to_verify_or_restore() {
    let stage = Stage::new();
    assert_eq!(stage.json::<Vec<backup::Entry>>(&["list"]), []);
    assert_eq!(stage.repository.newest(None).unwrap(), None);
    stage.run(&["verify"]).expect(5);
    stage.run(&["restore"]).expect(5).says("empty");
    assert!(!stage.database.exists());
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    let stage = Stage::new();
    for arguments in [
        &["prune"][..],
        &["take", "--check", "maybe"],
        &["take", "--wait", "-1s"],
        &["restore", "latest"],
        &["restore", "--at", "yesterday"],
        &["restore", "--latest", "--at", "2026-11-22T18:09:35Z"],
    ] {
        stage.run(arguments).expect(2);
    }
    assert!(stage.run(&["--help"]).expect(0).stdout.contains("Exit codes"));
}

#[test]
fn a_database_path_that_ends_with_a_slash_is_said_to_be_a_directory_path() {
    let (stage, _connection) = Stage::with_rows(1);
    for path in [stage.database.as_path(), stage.directory.path(), &stage.path("new.db")] {
        let path = format!("{}/", path.display());
        for command in ["take", "restore"] {
            stage.run(&[command, "--database", &path]).expect(2).says(&path).says("so it is a directory");
        }
    }
}

#[test]
fn a_list_fits_a_terminal_of_80_columns() {
    let (stage, _connection) = Stage::with_rows(10);
    let first = stage.take();
    stage.take();
    fs::remove_file(stage.repository.manifest(&first.name)).unwrap();
    let listed = stage.run(&["list"]).expect(0).stdout;
    assert!(listed.contains("incomplete") && listed.contains("no manifest"), "{listed}");
    let table = listed.lines().filter(|line| !line.contains("no manifest"));
    assert!(table.map(|line| line.chars().count()).max().unwrap() <= 80, "{listed}");
}

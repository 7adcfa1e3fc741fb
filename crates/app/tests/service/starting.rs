//! What the service says, and what it leaves alone, where it cannot or must not start.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use crate::harness::{App, Place, command, fails};

#[track_caller]
fn refused(command: Command, reason: &str) {
    let (code, stderr) = fails(command);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(reason), "expected {reason:?} in {stderr}");
}

#[test]
fn a_directory_is_no_database() {
    let place = Place::new();
    fs::create_dir(place.database()).unwrap();
    refused(place.command(), "is a directory");
}

#[test]
fn a_missing_directory_is_not_created() {
    let place = Place::new();
    refused(command(&place.path().join("missing/app.db")), "is not a directory; create it");
    assert!(!place.path().join("missing").exists());
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let place = Place::new();
    let text = "somebody's letter, long enough to be looked at as a database header ".repeat(20);
    fs::write(place.database(), &text).unwrap();
    refused(place.command(), "file is not a database");
    assert_eq!(fs::read_to_string(place.database()).unwrap(), text);
}

#[test]
fn somebody_elses_database_is_left_alone() {
    for setup in [
        "CREATE TABLE customer (name TEXT)",
        "PRAGMA journal_mode = WAL; CREATE TABLE customer (name TEXT)",
        "CREATE TABLE message (text TEXT); PRAGMA user_version = 1",
        "PRAGMA user_version = 7",
    ] {
        let place = Place::new();
        place.sqlite().execute_batch(setup).unwrap();
        let before = fs::read(place.database()).unwrap();
        refused(place.command(), "it belongs to another program");
        assert!(fs::read(place.database()).unwrap() == before, "{setup}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "{setup}");
    }
}

#[test]
fn the_wal_of_somebody_elses_database_is_left_alone() {
    let place = Place::new();
    let owner = place.sqlite();
    owner.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE customer (name TEXT)").unwrap();
    // As a crash leaves it: the files as they are while the database is open.
    let crashed = Place::new();
    for (from, to) in [(place.database(), crashed.database()), (place.wal(), crashed.wal())] {
        assert!(Command::new("cp").args([from, to]).status().unwrap().success());
    }
    let before = (fs::read(crashed.database()).unwrap(), fs::read(crashed.wal()).unwrap());
    refused(crashed.command(), "it belongs to another program");
    assert!((fs::read(crashed.database()).unwrap(), fs::read(crashed.wal()).unwrap()) == before);
}

#[test]
fn a_newer_database_is_left_alone() {
    let place = Place::new();
    place.start().stop();
    place.sqlite().execute_batch("PRAGMA user_version = 2").unwrap();
    let before = fs::read(place.database()).unwrap();
    refused(place.command(), "version 2, but this program knows versions up to 1");
    assert!(fs::read(place.database()).unwrap() == before);
}

#[test]
fn a_read_only_database_is_refused() {
    let place = Place::new();
    place.start().stop();
    fs::set_permissions(place.database(), fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = place.command();
    // The superuser may write what is read-only, unless it gives that up.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        let mut unprivileged = Command::new("setpriv");
        unprivileged.arg("--bounding-set=-dac_override").arg(command.get_program()).args(command.get_args());
        unprivileged.env("LISTEN", "127.0.0.1:0");
        command = unprivileged;
    }
    refused(command, "read-only");
}

#[test]
fn an_interrupted_restore_is_not_papered_over_with_an_empty_database() {
    let place = Place::new();
    fs::write(place.path().join("app.db.restoring"), "half a database").unwrap();
    refused(place.command(), "run the restore again");
    assert!(!place.database().exists());
}

#[test]
fn a_port_in_use_is_told_before_anything_is_created() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = place.command();
    command.args(["--listen", &taken.local_addr().unwrap().to_string()]);
    refused(command, "cannot listen on 127.0.0.1:");
    assert!(!place.database().exists());
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Place::new();
    for flags in [["--listen", "nowhere"], ["--queue-depth", "0"], ["--log-format", "xml"], ["--no-such", "flag"]] {
        let mut command = place.command();
        command.args(flags);
        assert_eq!(fails(command).0, Some(2), "{flags:?}");
    }
}

#[tokio::test]
async fn where_a_restore_comes_first_no_empty_database_takes_its_place() {
    let place = Place::new();
    let repository = place.path().join("repository");
    let careful = || {
        let mut command = place.command();
        command.arg("--restore-first").env("BACKUP_DIR", &repository);
        command
    };
    refused(careful(), "does not exist");
    fs::create_dir(&repository).unwrap();
    let app = App::start(careful());
    app.add("x").await.id();
    let request = backup::take::Request::new(place.database());
    let writer = backup::Repository::at(&repository).writer(std::time::Duration::ZERO).unwrap();
    backup::take::run(&writer, &request, &mut |_| {}).unwrap();
    app.stop();
    App::start(careful()).stop();

    fs::remove_file(place.database()).unwrap();
    refused(careful(), "holds 1 restore points; run `backup restore --if-missing` first");
    assert!(!place.database().exists());
    for nothing in [vec![], vec![0; 4096]] {
        fs::write(place.database(), &nothing).unwrap();
        refused(careful(), "found a");
        assert_eq!(fs::read(place.database()).unwrap(), nothing);
    }
    fs::remove_file(place.database()).unwrap();
    place.start().stop();
}

#[tokio::test]
async fn the_environment_configures_and_a_symbolic_link_is_followed() {
    let place = Place::new();
    fs::create_dir(place.path().join("real")).unwrap();
    std::os::unix::fs::symlink(place.path().join("real/app.db"), place.database()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_app"));
    command.env("DB_PATH", place.database()).env("LISTEN", "127.0.0.1:0").env("LOG_FORMAT", "json");
    let app = App::start(command);
    assert_eq!(app.add("x").await.id(), 1);
    assert_eq!(app.get("/health").await.status, 200);
    for line in app.stderr().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    app.stop();
    assert!(place.path().join("real/app.db").is_file());
}

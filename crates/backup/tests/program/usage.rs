//! What the command line takes, and what it says to people who are new to it or about to undo something.

use std::process::Command;

use backup::Restored;
use backup::restore::{Plan, Undone};

use crate::stage::{PROGRAM, Stage, ended, insert};

#[test]
fn a_repository_that_is_not_there_is_asked_for_by_its_option() {
    let stage = Stage::new();
    let mut take = Command::new(PROGRAM);
    take.args(["take", "--repository"]).arg(stage.path("nowhere")).env("DB_PATH", &stage.database);
    ended(take).expect(1).says("does not exist").says("--repository");
}

#[test]
fn what_is_no_time_duration_or_size_is_answered_with_an_example() {
    let stage = Stage::new();
    for (arguments, example) in [
        (&["restore", "--at", "yesterday"][..], "2026-11-22T18:09:35Z"),
        (&["list", "--remote", "file:///r", "--as-of", "2026-11-22"], "2026-11-22T18:09:35Z"),
        (&["take", "--wait", "20"], "20s"),
        (&["prune", "--keep-within", "week"], "7d"),
        (&["take", "--wal-growth", "much"], "200MiB"),
    ] {
        stage.run(arguments).expect(2).says(example);
    }
}

#[test]
fn options_are_read_by_their_earlier_names_too() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.run(&["take", "--log", "error"]).expect(0);
    stage.run(&["restore", "--into-live", "--deadline", "0s"]).expect(1).says("--hold");
}

#[test]
fn a_quiet_run_says_only_what_went_wrong() {
    let (stage, _connection) = Stage::with_rows(1);
    stage.run(&["take"]).expect(0).stdout_says("took");
    let quiet = stage.run(&["list", "--quiet"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    stage.run(&["restore", "--quiet"]).expect(4).says("is in use");
    stage.run(&["list", "--quiet", "--json"]).expect(2);
}

#[test]
fn logs_have_colours_where_they_are_asked_for() {
    let stage = Stage::new();
    let says = |color: &str| stage.run(&["restore", "--color", color]).expect(5).stderr;
    assert!(says("always").contains('\u{1b}'));
    for color in ["auto", "never"] {
        assert!(!says(color).contains('\u{1b}'), "{color}");
    }
}

#[test]
fn a_repository_that_would_be_lost_with_the_database_is_warned_of() {
    let (stage, connection) = Stage::with_rows(1);
    let within = "is in the directory of the database";
    stage.run(&["take"]).expect(0).says(within);
    stage.run(&["take"]).expect(0).says(within);

    let beside = tempfile::tempdir().unwrap();
    let repository = beside.path().to_str().unwrap();
    let on_one = "is on the same file system as the database";
    stage.run(&["take", "--repository", repository]).expect(0).says(on_one);
    insert(&connection, 1);
    let again = stage.run(&["take", "--repository", repository]).expect(0);
    assert!(!again.stderr.contains(on_one) && !again.stderr.contains(within), "{}", again.stderr);
}

#[test]
fn a_restore_of_an_older_restore_point_says_what_it_undoes() {
    let (stage, connection) = Stage::with_rows(5);
    let old = stage.take();
    insert(&connection, 2);
    let newest = stage.take();
    drop(connection);
    let keys = [("message".to_owned(), 6..=7)].into();
    let undone = Some(Undone { newest: newest.name.clone(), created_at: newest.created_at, keys });
    let at = old.created_at.to_string();
    for which in [&[old.name.as_str()][..], &["--at", &at]] {
        let arguments = [&["restore", "--force"], which].concat();
        let plan: Plan = stage.json(&[&arguments[..], &["--dry-run"]].concat());
        assert_eq!(plan.undone, undone);
        let said = stage.run(&[&arguments[..], &["--dry-run"]].concat()).expect(0).stdout;
        assert!(said.contains(newest.name.as_str()) && said.contains("keys 6 to 7 of \"message\""), "{said}");
        let restored: Restored = stage.json(&arguments);
        assert_eq!(restored.undone, undone);
    }
    assert_eq!(stage.restore(&["--force"]).undone, None);
    assert_eq!(stage.restore(&["--force", newest.name.as_str()]).undone, None);
}

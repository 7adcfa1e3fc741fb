//! A restore that is in place has happened, whatever fails after it.

use std::fs::File;

use crate::faults::Faults;
use crate::stage::{Stage, ended, ids, up_to};

#[test]
fn a_report_that_cannot_be_printed_does_not_make_a_restore_fail() {
    let (stage, connection) = Stage::with_rows(3);
    stage.take();
    drop(connection);
    for arguments in [&["--force"][..], &["--force", "--json"], &["--into-live"], &["--into-live", "--json"]] {
        let mut command = stage.std_command(&[&["restore"], arguments].concat());
        // assert_cmd takes stdout for itself.
        let output = command.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}");
        assert!(words.contains("kept as") && words.contains("app.db.replaced-"), "{words}");
        assert_eq!(ids(&stage.database), up_to(3));
    }
    stage.lose_database();
    let mut command = stage.std_command(&["restore", "--if-missing"]);
    let output = command.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ids(&stage.database), up_to(3));
}

#[test]
fn a_file_system_without_sync_of_directories_nor_owners_and_modes_is_worked_on_and_said_once() {
    let Some(faults) = Faults::ready() else { return };
    let (stage, connection) = Stage::with_rows(3);
    drop(connection);
    let remote = tempfile::tempdir().unwrap();
    let remote = format!("file://{}", remote.path().display());
    for arguments in [
        &["take"][..],
        &["take", "--copy-unchanged", "--compress"],
        &["restore", "--force"],
        &["restore", "--into-live"],
        &["push", "--remote", &remote],
        &["pull", "--all", "--remote", &remote],
        &["verify", "--deep", "--record"],
        &["prune", "--keep-last", "1"],
    ] {
        let ended = ended(faults.on_a_plain_file_system(&stage, arguments)).expect(0);
        assert!(ended.stderr.matches("cannot sync a directory").count() <= 1, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.matches("cannot set on").count() <= 1, "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(ids(&stage.database), up_to(3));
}

//! The judge, tested by damaging what it judges: in a real drill, a stand-in for `backup` restores as it should, then
//! lets the test tamper with the restored database before the service starts on it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{LIMIT, Place, Running, assert_exit, program};

/// Restores, then waits for as long as the file `tampering` exists.
fn restore_then_wait(place: &Path) -> String {
    let (backup, tampering) = (program("backup"), place.join("tampering"));
    let (backup, tampering) = (backup.display(), tampering.display());
    format!(
        "#!/bin/sh\n[ \"$1\" = restore ] || exec {backup} \"$@\"\n{backup} \"$@\" || exit\n: > {tampering}\n\
         while [ -e {tampering} ]; do sleep 0.02; done\n"
    )
}

/// Runs kill-pvc and changes the restored database; gives the report.
fn tampered(tamper: impl FnOnce(&Connection, &str)) -> Value {
    let place = Place::with_backup_in(restore_then_wait);
    let mut drill = Running::start(place.drill_in_place(&["run", "kill-pvc", "--backup-every", "1s", "--rpo", "60s"]));
    let tampering = place.path().join("tampering");
    testing::until(LIMIT, || tampering.exists().then_some(()).ok_or("the restore never came".into()));
    let folder: PathBuf = place.list(".drill").into_iter().find(|path| path.is_dir()).unwrap();
    let database = Connection::open(folder.join("pra-data/app.db")).unwrap();
    tamper(&database, folder.file_name().unwrap().to_str().unwrap());
    database.close().unwrap();
    fs::remove_file(tampering).unwrap();
    assert_eq!(drill.end(), Some(1));
    place.assert_clean();
    let report = place.report();
    assert_eq!(report["verdict"], "fail", "{report:#}");
    report
}

fn assert_reason(report: &Value, part: &str) {
    let reasons = report["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason.as_str().unwrap().contains(part)), "{part:?} is not in {reasons:?}");
}

#[test]
fn an_acknowledged_row_that_is_missing_turns_the_verdict_red() {
    let report = tampered(|database, run| {
        assert_eq!(database.execute("DELETE FROM message WHERE message = ?1", [format!("drill/{run}/4")]).unwrap(), 1);
    });
    assert_reason(&report, "the restored copy is torn");
    assert_reason(&report, "that a newer good restore point held (numbers 4)");
}

#[test]
fn a_hole_of_several_rows_turns_the_verdict_red() {
    let report = tampered(|database, _| {
        assert_eq!(database.execute("DELETE FROM message WHERE id BETWEEN 3 AND 6", []).unwrap(), 4);
    });
    assert_reason(&report, "the restored copy is torn");
}

#[test]
fn a_row_that_nobody_sent_turns_the_verdict_red() {
    let report = tampered(|database, run| {
        let token = format!("drill/{run}/999999");
        database.execute("INSERT INTO message (timestamp, message) VALUES ('', ?1)", [token]).unwrap();
    });
    assert_reason(&report, "1 messages of this run that nobody sent");
}

#[test]
fn a_row_that_is_there_twice_turns_the_verdict_red() {
    let report = tampered(|database, _| {
        let doubled = "INSERT INTO message (timestamp, message) SELECT timestamp, message FROM message WHERE id = 5";
        assert_eq!(database.execute(doubled, []).unwrap(), 1);
    });
    assert_reason(&report, "1 writes are stored more than once");
}

#[test]
fn an_older_restore_point_turns_the_verdict_red() {
    let place = Place::with_backup_in(|_| {
        // The name of the oldest restore point takes the place of `--latest --lineage …`.
        let backup = program("backup");
        format!(
            "#!/bin/sh\n[ \"$1\" = restore ] || exec {backup} \"$@\"\n\
             oldest=$(ls \"$5\" | grep '\\.db$' | head -n 1)\nexec {backup} restore \"$2\" \"$3\" \"$4\" \"$5\" --json \"${{oldest%.db}}\"\n",
            backup = backup.display()
        )
    });
    let arguments = ["run", "kill-pvc", "--backup-every", "1s", "--rpo", "60s"];
    assert_exit(&place.drill_in_place(&arguments).output().unwrap(), 1);
    assert_reason(&place.report(), "that a newer good restore point held");
}

#[test]
fn a_restore_that_fails_is_a_failure_and_not_an_accident() {
    let place = Place::with_backup_in(|_| {
        let backup = program("backup");
        format!(
            "#!/bin/sh\n[ \"$1\" = restore ] || exec {} \"$@\"\necho 'error: nothing good' >&2\nexit 3\n",
            backup.display()
        )
    });
    assert_exit(&place.drill_in_place(&["run", "kill-pvc", "--backup-every", "1s"]).output().unwrap(), 1);
    let report = place.report();
    assert_reason(&report, "nothing good");
    assert_eq!(report["recovery"], "none");
    place.assert_clean();
}

#[test]
fn a_missed_objective_fails_and_says_by_how_much() {
    let place = Place::new();
    assert_exit(&place.drill(&["run", "kill-pvc", "--backup-every", "1s", "--rpo", "0s"]).output().unwrap(), 1);
    assert_reason(&place.report(), "RPO missed");
    let place = Place::new();
    assert_exit(&place.drill(&["run", "kill-pod", "--backup-every", "1s", "--rto", "1ms"]).output().unwrap(), 1);
    assert_reason(&place.report(), "RTO missed");
}

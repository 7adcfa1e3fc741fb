//! Other programs that protect the database, held by the same witness.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{LIMIT, Place, Running, assert_exit};

/// Copies of the database and its `-wal` file; the newest of them back.
fn cp() -> Value {
    let each =
        r#"cp "$DRILL_DATABASE" "$DRILL_REPLICA/app.db" && cp "$DRILL_DATABASE-wal" "$DRILL_REPLICA/app.db-wal""#;
    let restore = r#"cp "$1" "$DRILL_DATABASE" && cp "$1-wal" "$DRILL_DATABASE-wal""#;
    json!({"name": "cp", "each": ["sh", "-c", each], "restore": ["sh", "-c", restore, "sh", "{replica}/app.db"]})
}

/// Describes a protector in a file of this place.
fn describe(place: &Place, protector: &Value) {
    fs::write(place.path().join("protector.json"), protector.to_string()).unwrap();
}

const RUN: [&str; 6] = ["run", "kill-pvc", "--backup-every", "1s", "--protector", "protector.json"];

#[test]
fn what_a_copy_loses_is_measured_as_it_is_of_restore_points() {
    let place = Place::new();
    describe(&place, &cp());
    assert_exit(&place.drill(&RUN).output().unwrap(), 0);
    place.assert_clean();
    let report = place.report();
    assert_eq!((&report["verdict"], &report["method"]["protector"]), (&"pass".into(), &"cp".into()), "{report:#}");
    assert!(report["ledger"]["lost"].as_u64().unwrap() > 0, "half an interval of writes: {report:#}");
    assert!(report["actual"]["reprotection_seconds"].as_f64().is_some(), "{report:#}");
    // There are no manifests to read these in.
    assert_eq!(report["actual"]["worst_case_rpo_seconds"], Value::Null);
    assert_eq!((&report["restore_point"], &report["restore_points"]), (&Value::Null, &json!([])));
}

#[test]
fn a_killed_service_costs_nothing_whoever_protects_it() {
    let place = Place::new();
    describe(&place, &cp());
    let arguments = ["run", "kill-pod", "--backup-every", "1s", "--protector", "protector.json"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    assert_eq!(place.report()["ledger"]["lost"], 0);
}

#[test]
fn a_copy_that_cannot_be_had_back_is_no_protection() {
    let place = Place::new();
    describe(&place, &json!({"name": "liar", "each": ["true"], "restore": ["false"]}));
    let output = place.drill(&[&RUN[..], &["--patience", "5s"]].concat()).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("message 1 was not restorable") && said.contains("false failed"), "{said}");
    place.assert_clean();
}

#[test]
fn a_copy_that_is_never_made_again_leaves_the_service_unprotected() {
    let place = Place::new();
    let mut protector = cp();
    // Whatever it is asked for, the first thing it ever had: a service with the sentinel alone.
    protector["each"] =
        json!(["sh", "-c", format!("[ -e \"$DRILL_REPLICA/app.db\" ] || {{ {}; }}", text(&protector["each"]))]);
    describe(&place, &protector);
    assert_exit(&place.drill(&RUN).output().unwrap(), 1);
    let report = place.report();
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["causes"], json!(["unprotected"]), "nothing new is ever protected: {report:#}");
}

fn text(command: &Value) -> &str {
    command[2].as_str().unwrap()
}

#[test]
fn what_runs_beside_the_service_is_ended_after_a_drill_that_was_killed() {
    let place = Place::new();
    describe(&place, &json!({"name": "watcher", "beside": ["tail", "--follow", "{database}"], "restore": ["false"]}));
    let mut drill = Running::start(place.drill(&RUN));
    drill.wait_for("the service answers");
    testing::until(LIMIT, || {
        let processes = place.processes();
        let is_there = processes.iter().any(|line| line.starts_with("tail"));
        if is_there { Ok(()) } else { Err(format!("nothing runs beside the service: {processes:?}")) }
    });
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);
    assert_exit(&place.drill(&["cleanup"]).output().unwrap(), 0);
    place.assert_clean();
}

#[test]
fn what_describes_no_protector_is_a_usage_error() {
    let place = Place::new();
    for (protector, said) in [
        (json!({"name": "a", "restore": ["true"]}), "one of both"),
        (json!({"name": "a", "each": ["true"], "beside": ["true"], "restore": ["true"]}), "one of both"),
        (json!({"name": "a", "each": ["true"]}), "missing field `restore`"),
        (json!({"name": "a", "each": ["true"], "restore": ["true"], "shell": true}), "unknown field `shell`"),
    ] {
        describe(&place, &protector);
        let output = place.drill(&RUN).output().unwrap();
        assert_exit(&output, 2);
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
    describe(&place, &cp());
    let needs_more = ["run", "bad-newest-backup", "--protector", "protector.json"];
    let both = [&RUN[..], &["--protect", "sync"]].concat();
    for arguments in [&needs_more[..], &both] {
        assert_exit(&place.drill(arguments).output().unwrap(), 2);
    }
}

//! Each scenario, its verdict, and what only it shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Place, Running, assert_exit, program};

/// Runs a scenario that comes out as expected, and gives its report.
fn as_expected(arguments: &[&str], verdict: &str) -> Value {
    let place = Place::new();
    let output = place.drill(&[&["run"], arguments, &["--backup-every", "1s"]].concat()).output().unwrap();
    assert_exit(&output, 0);
    place.assert_clean();
    let report = place.report();
    assert_eq!((&report["verdict"], &report["expected"]["met"]), (&verdict.into(), &true.into()), "{report:#}");
    // No figure makes good that writes are not as they must be.
    let mut causes = report["causes"].as_array().unwrap().iter().map(|cause| cause.as_str().unwrap());
    let is_wrong = causes.any(|cause| cause.starts_with("lost") || cause == "torn");
    let markdown = fs::read_to_string(place.reports()[0].join("report.md")).unwrap();
    let loss = markdown.lines().find(|line| line.starts_with("| data loss (RPO, RPA) |")).unwrap();
    assert_eq!(loss.ends_with("| WRONG DATA |"), is_wrong, "{markdown}");
    report
}

fn notes<'a>(report: &'a Value, event: &str) -> Vec<&'a str> {
    let events = report["events"].as_array().unwrap().iter().filter(|entry| entry["event"] == event);
    events.map(|entry| entry["note"].as_str().unwrap()).collect()
}

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} is not a number in {report:#}"))
}

#[test]
fn a_database_that_is_overwritten_is_noticed_and_nothing_more_is_acknowledged() {
    let report = as_expected(&["corrupt-database"], "pass");
    assert!(notes(&report, "D1")[0].ends_with("bytes of app.db are overwritten"), "{report:#}");
    assert_eq!(report["ledger"]["lost_after_fault"], 0);
    assert!(number(&report, "/ledger/lost_before_fault") >= 1.0, "{report:#}");
}

#[test]
fn a_damaged_newest_restore_point_is_passed_over_and_the_report_says_so() {
    let report = as_expected(&["bad-newest-backup"], "pass");
    let rejected = report["restore_point"]["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 1, "{report:#}");
    assert!(rejected[0]["reason"].as_str().unwrap().contains("expected"), "{report:#}");
    assert!(notes(&report, "D2")[0].starts_with(rejected[0]["name"].as_str().unwrap()), "{report:#}");
    // A whole interval more than the half that passed since the newest.
    assert!(number(&report, "/actual/rpa_seconds_max") > 1.0, "{report:#}");
}

#[test]
fn a_restore_that_was_killed_half_way_is_run_again() {
    let report = as_expected(&["interrupted-restore"], "pass");
    assert!(notes(&report, "D2")[0].starts_with("the restore was killed"), "{report:#}");
    assert_eq!(report["restore_point"]["rejected"], Value::Array(vec![]));
}

#[test]
fn poison_is_not_restored_and_what_an_empty_service_acknowledged_is_counted_as_lost() {
    let report = as_expected(&["poisoned-backup"], "fail");
    assert_eq!(report["causes"], serde_json::json!(["lost-after-fault"]));
    let rejected = report["restore_point"]["rejected"].as_array().unwrap();
    assert!(!rejected.is_empty(), "{report:#}");
    for passed_over in rejected {
        let reason = passed_over["reason"].as_str().unwrap();
        assert!(reason.starts_with("of another database: lineage "), "{reason}");
    }
    assert!(rejected[0]["reason"].as_str().unwrap().contains("suspect: other-lineage"), "{report:#}");
    assert!(number(&report, "/actual/false_up_seconds") > 0.0, "{report:#}");
}

#[test]
fn a_mistake_is_undone_under_the_running_service_and_later_writes_stay() {
    let report = as_expected(&["human-error"], "pass");
    assert!(notes(&report, "D1")[0].ends_with("rows are deleted"), "{report:#}");
    assert_eq!(report["ledger"]["refused"], 0, "the service was stopped: {report:#}");
    assert_eq!(
        (&report["ledger"]["lost_after_fault"], &report["ledger"]["lost_after_recovery"]),
        (&0.into(), &0.into())
    );
    assert!(!notes(&report, "R4").is_empty());
    assert!(notes(&report, "S1").is_empty(), "{report:#}");
}

#[test]
fn a_full_disk_costs_nothing_and_the_service_recovers_by_itself() {
    let report = as_expected(&["full-disk"], "pass");
    assert_eq!(report["ledger"]["lost"], 0);
    assert_eq!(notes(&report, "A"), ["3 writes in a row failed"], "reads went on: {report:#}");
    assert!(notes(&report, "S1").is_empty(), "{report:#}");
}

#[test]
fn backups_that_stop_miss_the_objective_before_any_disaster() {
    let report = as_expected(&["stuck-backups"], "fail");
    assert_eq!(report["causes"], serde_json::json!(["exposed"]));
    assert!(report["reasons"][0].as_str().unwrap().starts_with("RPO missed before any disaster"), "{report:#}");
    assert_eq!((&report["ledger"]["lost"], &report["ledger"]["refused"]), (&0.into(), &0.into()), "{report:#}");
    assert!(number(&report, "/actual/worst_case_rpo_seconds") > 2.0, "{report:#}");
}

#[test]
fn a_lost_backup_volume_costs_no_data_but_protection() {
    let report = as_expected(&["kill-backup-volume"], "pass");
    assert_eq!((&report["ledger"]["lost"], &report["ledger"]["refused"]), (&0.into(), &0.into()), "{report:#}");
    assert!(notes(&report, "A")[0].starts_with("a backup failed: "), "{report:#}");
    assert!(number(&report, "/actual/reprotection_seconds") > 0.0, "{report:#}");
}

#[test]
fn without_another_copy_the_loss_of_both_volumes_is_final() {
    let report = as_expected(&["lose-both-volumes"], "fail");
    assert_eq!(report["causes"], serde_json::json!(["not-recovered"]));
    assert!(number(&report, "/everything_lost") >= 10.0, "{report:#}");
    assert!(report["reasons"][0].as_str().unwrap().contains("the repository is empty"), "{report:#}");
    assert!(report["expected"]["limit"].as_str().unwrap().contains("no other copy is configured"), "{report:#}");
    assert!(report["method"]["safety_copy"].as_str().unwrap().contains("/safety/"), "{report:#}");
}

#[test]
fn with_another_copy_the_loss_of_both_volumes_is_recovered_from() {
    let elsewhere = tempfile::tempdir().unwrap();
    let remote = format!("file://{}", elsewhere.path().display());
    let report = as_expected(&["lose-both-volumes", "--remote", &remote], "pass");
    assert_eq!(report["expected"]["limit"], Value::Null);
    assert!(number(&report, "/ledger/lost_before_fault") >= 1.0, "{report:#}");
    assert_eq!(report["ledger"]["lost_after_fault"], 0);
}

/// Runs the service to browse for a moment, adds a message and backs it up; gives the repository.
fn original(place: &Place) -> PathBuf {
    let mut up = Running::start(place.drill(&["up", "--listen", "127.0.0.1:0", "--backup-every", "1s"]));
    up.wait_for("restore point app-");
    kill(Pid::from_raw(up.pid()), Signal::SIGINT).unwrap();
    assert_eq!(up.end(), Some(0));
    let (database, repository) = (place.path().join("local/pra-data/app.db"), place.path().join("local/pra-backup"));
    let insert = "INSERT INTO message (timestamp, message) VALUES ('', 'of the original')";
    assert_eq!(Connection::open(&database).unwrap().execute(insert, []).unwrap(), 1);
    let mut take = Command::new(program("backup"));
    take.arg("take").arg("--database").arg(&database).arg("--repository").arg(&repository);
    assert_exit(&take.output().unwrap(), 0);
    repository
}

fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_drill_on_a_copy_leaves_the_original_as_it_is() {
    let place = Place::new();
    let repository = original(&place);
    let before = content(&repository);
    let report = as_expected(&["kill-pvc", "--copy-of", repository.to_str().unwrap()], "pass");
    assert!(content(&repository) == before, "the original repository was changed");
    // What the original had, and what survived of the drill's writes.
    let read: f64 = notes(&report, "V")[0].split(' ').next().unwrap().parse().unwrap();
    let survived = number(&report, "/ledger/acknowledged") - number(&report, "/ledger/lost");
    assert_eq!(read, survived + number(&report, "/ledger/recovered") + 1.0, "{report:#}");
}

#[test]
fn with_a_journal_nothing_is_lost_with_the_volume() {
    let report = as_expected(&["kill-pvc", "--protect", "sync", "--writers", "32"], "pass");
    assert_eq!((&report["ledger"]["lost"], &report["method"]["is_journaled"]), (&0.into(), &true.into()), "{report:#}");
}

#[test]
fn a_limit_that_is_not_met_in_the_stated_way_is_a_failure() {
    let place = Place::new();
    // Not the recovery alone takes too long: so does everything.
    let arguments = ["run", "stuck-backups", "--backup-every", "1s", "--rto", "1ms"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 1);
    let report = place.report();
    assert_eq!((&report["verdict"], &report["expected"]["met"]), (&"fail".into(), &false.into()), "{report:#}");
}

#[test]
fn a_scenario_that_the_platform_does_not_offer_is_refused() {
    let place = Place::new();
    let output = place.drill(&["run", "drain-node"]).output().unwrap();
    assert_exit(&output, 2);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("drain-node is not offered on local: one machine has no other node"), "{said}");
    assert!(place.list(".drill").is_empty());
}

#[test]
fn all_is_what_the_platform_offers() {
    let plan = |arguments: &[&str]| {
        let output = Place::new().drill(&[&["run"], arguments, &["--dry-run"]].concat()).output().unwrap();
        assert_exit(&output, 0);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.contains(" on local, RTO ")).count()
    };
    let listed = String::from_utf8(Place::new().drill(&["list"]).output().unwrap().stdout).unwrap();
    let named = listed.lines().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(plan(&["all"]), named - 3, "all but drain-node, stop-node and, without a bucket, stolen-credentials");
    assert_eq!(plan(&["kill-pod", "kill-pvc"]), 2);
}

//! Drills that pass, and what their reports state.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Place, Running, assert_exit};

fn number(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} is not a number in {report:#}"))
}

fn events(report: &Value) -> Vec<&str> {
    report["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn a_killed_service_loses_nothing_it_acknowledged() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&output, 0);
    let report = place.report();
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["recovery"], "automatic");
    assert_eq!(number(&report, "/ledger/lost"), 0.0);
    // Twenty in steady state, eighty without a pause before the kill.
    assert!(number(&report, "/ledger/acknowledged") >= 90.0, "{report:#}");
    assert!(number(&report, "/ledger/refused") + number(&report, "/ledger/indeterminate") >= 1.0, "{report:#}");
    assert_eq!(number(&report, "/actual/rpa_seconds_max"), 0.0);
    assert_eq!(report["phases"]["restore"], Value::Null);
    for event in ["E0", "D0", "D1", "F1", "A", "S1", "S2", "S3", "V", "X", "Z"] {
        assert!(events(&report).contains(&event), "{event} is missing in {report:#}");
    }
    place.assert_clean();
}

#[test]
fn a_destroyed_volume_is_restored_and_the_loss_is_measured() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pvc", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&output, 0);
    let report = place.report();
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["recovery"], "runbook");
    // The fault strikes midway between two backups: some writes must be lost, and none may be older than a backup.
    assert!(number(&report, "/ledger/lost") >= 1.0, "{report:#}");
    assert!(number(&report, "/actual/rpa_seconds_min") > 0.0, "{report:#}");
    assert!(number(&report, "/actual/rpa_seconds_min") <= number(&report, "/actual/rpa_seconds_max"));
    assert_eq!(number(&report, "/actual/false_up_seconds"), 0.0);
    let phases = ["detection", "decision", "preparation", "restore", "restart"];
    let sum: f64 = phases.iter().map(|phase| number(&report, &format!("/phases/{phase}"))).sum();
    let rta = number(&report, "/actual/rta_seconds");
    assert!((sum - rta).abs() < 1e-6, "phases sum up to {sum}, RTA is {rta}");
    assert!(report["restore_point"]["name"].as_str().unwrap().starts_with("app-"));
    place.assert_clean();
}

#[test]
fn a_destroyed_volume_is_restored_by_what_starts_the_service() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pvc", "--automatic", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&output, 0);
    let report = place.report();
    assert_eq!((&report["verdict"], &report["recovery"]), (&"pass".into(), &"automatic".into()));
    // It met the same loss as the runbook does, and told what it restored.
    assert!(number(&report, "/ledger/lost") >= 1.0, "{report:#}");
    assert!(report["restore_point"]["name"].as_str().unwrap().starts_with("app-"), "{report:#}");
    assert!(!events(&report).contains(&"R2"), "the drill restored it: {report:#}");
    place.assert_clean();
}

#[test]
fn a_journal_gives_everything_back_without_a_human_step() {
    let place = Place::new();
    let arguments = ["run", "kill-pvc", "--automatic", "--protect", "sync", "--writers", "8", "--backup-every", "1s"];
    let output = place.drill(&arguments).output().unwrap();
    assert_exit(&output, 0);
    let report = place.report();
    assert_eq!(report["recovery"], "automatic");
    assert_eq!((number(&report, "/ledger/lost"), number(&report, "/actual/rpa_seconds_max")), (0.0, 0.0));
    assert!(number(&report, "/ledger/acknowledged") >= 90.0, "{report:#}");
    place.assert_clean();
}

#[test]
fn a_report_comes_with_prose_ledger_and_logs() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pvc", "--backup-every", "1s", "--json"]).output().unwrap();
    assert_exit(&output, 0);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed[0], place.report());
    let folder = place.reports().remove(0);
    let markdown = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(markdown.starts_with("# kill-pvc on local: pass"), "{markdown}");
    let ledger = std::fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    let acknowledged = ledger.lines().filter(|line| line.contains(r#""outcome":"acknowledged""#)).count();
    assert_eq!(acknowledged as u64, printed[0]["ledger"]["acknowledged"]);
    assert!(folder.join("app.log").is_file() && folder.join("backup.log").is_file());
}

#[test]
fn several_runs_are_kept_each_and_summed_up() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pod", "--runs", "3", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&output, 0);
    let folder = place.reports().into_iter().find(|path| path.to_str().unwrap().ends_with("-summary-local"));
    let folder = folder.unwrap();
    let summary: Value = serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let page = std::fs::read_to_string(folder.join("summary.html")).unwrap();
    let mut measured: Vec<f64> = Vec::new();
    for drill in summary["drills"].as_array().unwrap() {
        let own = folder.join(drill["report"].as_str().unwrap()).with_extension("json");
        let own: Value = serde_json::from_slice(&std::fs::read(own).unwrap()).unwrap();
        assert_eq!((&own["run"], &own["actual"]), (&drill["run"], &drill["actual"]));
        let link = drill["report"].as_str().unwrap().replace("report.md", "report.html");
        assert!(page.contains(&format!("<a href=\"{link}\">")), "{page}");
        measured.push(number(&own, "/actual/rta_seconds"));
    }
    measured.sort_by(f64::total_cmp);
    let series = &summary["series"][0];
    assert_eq!((&series["runs"], &series["passed"], &series["verdict"]), (&3.into(), &3.into(), &"pass".into()));
    for (part, expected) in ["min", "median", "max"].into_iter().zip(measured) {
        assert_eq!(number(series, &format!("/figures/rta_seconds/{part}")), expected);
    }
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("kill-pod on local, automatic recovery: pass, 3 of 3 runs passed"), "{text}");
    assert_fits(&text);
}

#[test]
fn the_terminal_report_fits_80_columns() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&output, 0);
    assert_fits(&String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_verdict_is_coloured_where_that_is_wanted() {
    let run = |color: &[&str], variable: (&str, &str)| {
        let place = Place::new();
        let arguments = [&["run", "kill-pod", "--backup-every", "1s"], color].concat();
        let output = place.drill(&arguments).env(variable.0, variable.1).output().unwrap();
        assert_exit(&output, 0);
        String::from_utf8(output.stdout).unwrap()
    };
    let green = "\u{1b}[1;32mkill-pod on local: PASS\u{1b}[0m\n";
    assert!(run(&["--color", "always"], ("NO_COLOR", "1")).contains(green));
    assert!(run(&[], ("CLICOLOR_FORCE", "1")).contains(green));
    assert!(!run(&[], ("NO_COLOR", "1")).contains('\u{1b}'));
}

#[test]
fn the_service_stays_where_it_was_for_a_look_at_its_page() {
    let place = Place::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (port, linger) = (address.to_string(), ["--linger", "10m"]);
    let arguments = [&["run", "kill-pvc", "--backup-every", "1s", "--listen", &port], &linger[..]].concat();
    let mut drill = Running::start(place.drill(&arguments));
    drill.wait_for("the service stays up for 600 s");
    // A kept connection, as a browser has one, does not hold up the end.
    let mut browser = TcpStream::connect(address).unwrap();
    browser.write_all(b"GET /count HTTP/1.1\r\nhost: app\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    browser.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
    assert_eq!(drill.end(), Some(0));
    place.assert_clean();
    assert_eq!(place.report()["verdict"], "pass");
}

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn every_scenario_is_explained_in_two_lines() {
    let output = Place::new().drill(&["list"]).output().unwrap();
    assert_exit(&output, 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let scenarios: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(scenarios.contains(&"kill-pvc") && scenarios.contains(&"drain-node"), "{text}");
    for scenario in scenarios {
        let explained =
            text.lines().skip_while(|line| *line != scenario).skip(1).take_while(|line| line.starts_with(' '));
        assert_eq!(explained.count(), 2, "{text}");
    }
}

//! What is kept of runs over time, and how one run is held against another.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use serde_json::Value;

use crate::support::{Place, assert_exit};

/// A history of one real run.
fn one_run() -> Place {
    let place = Place::new();
    let textfile = ["--prometheus-textfile", "drill.prom"];
    let arguments = [&["run", "kill-pod", "--backup-every", "1s"][..], &textfile].concat();
    assert_exit(&place.drill(&arguments).output().unwrap(), 0);
    place
}

fn text(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path().join(name)).unwrap()
}

/// Adds a run like the first one, changed.
fn add(place: &Place, name: &str, change: impl FnOnce(&mut Value)) {
    let mut run: Value = serde_json::from_str(text(place, "reports/history.jsonl").lines().next().unwrap()).unwrap();
    run["run"] = name.into();
    change(&mut run);
    write(place, &format!("{run}\n"));
}

fn write(place: &Place, text: &str) {
    let mut file = OpenOptions::new().append(true).open(place.path().join("reports/history.jsonl")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn said(place: &Place, arguments: &[&str], code: i32) -> String {
    let output = place.drill(arguments).output().unwrap();
    assert_exit(&output, code);
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn every_run_adds_a_line_and_changes_none() {
    let place = one_run();
    let before = text(&place, "reports/history.jsonl");
    // A power cut tore a line.
    write(&place, r#"{"schema_version":1,"run":"2026"#);
    assert_exit(&place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap(), 0);
    let after = text(&place, "reports/history.jsonl");
    assert!(after.starts_with(&before), "{after}");
    assert_eq!(after.lines().count(), 3, "{after}");
    let shown = said(&place, &["history"], 0);
    assert!(shown.contains("2 of 2 runs passed, the last one: pass"), "{shown}");
    let run = |number| serde_json::from_str::<Value>(after.lines().nth(number).unwrap()).unwrap()["run"].clone();
    let newest = format!("newest: {}, {}", run(2).as_str().unwrap(), run(0).as_str().unwrap());
    assert!(shown.contains(&newest), "{shown}");
    let compared = said(&place, &["compare", "previous", "latest", "--tolerance", "100000%"], 0);
    assert!(compared.contains(&format!("before {}", run(0).as_str().unwrap())), "{compared}");
    assert!(shown.contains("history.jsonl, line 2 is passed over"), "{shown}");
}

#[test]
fn the_scorecard_has_a_line_for_each_figure_and_fits_80_columns() {
    let place = one_run();
    for (name, rta) in [("a", 1.0), ("b", 2.0)] {
        add(&place, name, |run| {
            run["actual"]["rta_seconds"] = rta.into();
            run["verdict"] = "fail".into();
            run["expected"]["met"] = (name == "a").into();
        });
    }
    let shown = said(&place, &["history"], 0);
    assert!(shown.contains("1 of 3 runs passed, 2 as expected, the last one: fail"), "{shown}");
    let line = shown.lines().find(|line| line.contains("recovery time (RTA)")).unwrap();
    assert!(line.contains("median     1.00 s") && line.ends_with("▄█"), "{line}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let all: Value = serde_json::from_str(&said(&place, &["history", "--json"], 0)).unwrap();
    assert_eq!(all["series"][0]["figures"]["rta_seconds"]["max"], 2.0);
    assert_eq!(all["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn the_page_of_trends_needs_nothing_but_itself() {
    let place = one_run();
    add(&place, "<b>bold</b>", |run| run["verdict"] = "inconclusive".into());
    said(&place, &["history", "--html", "trends.html"], 0);
    let page = text(&place, "trends.html");
    assert!(page.contains("2 of 2 runs came out as expected.") && page.contains("<svg"), "{page}");
    assert!(page.contains("&lt;b&gt;bold&lt;/b&gt;") && !page.contains("<b>bold"), "{page}");
    for fetched in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched:?} is in {page}");
    }
}

#[test]
fn without_a_run_there_is_a_history_too() {
    let place = Place::new();
    assert!(said(&place, &["history"], 0).contains("no drill was run yet"));
    assert!(said(&place, &["compare", "latest", "latest"], 2).contains("no run \"latest\" in reports/history.jsonl"));
}

#[test]
fn a_run_that_is_worse_beyond_the_tolerance_is_a_regression() {
    let place = one_run();
    add(&place, "slow", |run| run["actual"]["rta_seconds"] = 30.0.into());
    add(&place, "slower", |run| run["actual"]["rta_seconds"] = 33.0.into());
    add(&place, "elsewhere", |run| run["platform"] = "kubernetes".into());
    let shown = said(&place, &["compare", "slow", "slower"], 0);
    assert!(shown.contains("no regression") && shown.contains("25% of the figure before, and 0.1 s"), "{shown}");
    let shown = said(&place, &["compare", "slow", "slower", "--tolerance", "5%"], 1);
    assert!(shown.contains("REGRESSION") && shown.contains("+3.00 s ┆ WORSE"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let shown = said(&place, &["compare", "slow", "slower", "--tolerance", "5%", "--json"], 1);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["changes"][0]["regression"], true);
    assert!(said(&place, &["compare", "slow", "elsewhere"], 2).contains("they cannot be compared"));
}

#[test]
fn a_run_is_held_against_the_baseline_of_its_kind() {
    let place = one_run();
    let folder = place.reports().remove(0);
    assert!(said(&place, &["compare", "latest", "--baseline"], 2).contains("no baseline of kill-pod on local"));
    // By the folder of its report, which may come from another machine.
    said(&place, &["compare", "--save-baseline", folder.to_str().unwrap()], 0);
    said(&place, &["compare", "latest", "--baseline"], 0);
    add(&place, "failed", |run| run["verdict"] = "fail".into());
    said(&place, &["compare", "latest", "--baseline"], 1);
    for wrong in [&["compare", "latest"][..], &["compare", "a", "b", "--baseline"], &["compare"]] {
        said(&place, wrong, 2);
    }
}

#[test]
fn prometheus_sees_the_newest_run_of_each_kind() {
    let place = one_run();
    let shown = text(&place, "drill.prom");
    let labels = r#"{scenario="kill-pod",platform="local",recovery="automatic"}"#;
    assert!(shown.contains(&format!("pra_drill_passed{labels} 1.0\n")), "{shown}");
    let report = fs::read(place.reports().remove(0).join("report.json"));
    let report: Value = serde_json::from_slice(&report.unwrap()).unwrap();
    let rta = format!("pra_drill_rta_seconds{labels} ");
    let rta: f64 = shown.lines().find_map(|line| line.strip_prefix(&rta)).unwrap().parse().unwrap();
    // JSON is read to within the last digit.
    assert!((rta - report["actual"]["rta_seconds"].as_f64().unwrap()).abs() < 1e-9, "{shown}");
    assert!(!place.path().join("drill.prom.partial").exists());
    // Another kind adds to what is shown, a failure takes the place of a pass.
    add(&place, "elsewhere", |run| run["platform"] = "kubernetes".into());
    let arguments = ["run", "kill-pod", "--backup-every", "1s", "--rto", "1ms", "--prometheus-textfile", "drill.prom"];
    assert_exit(&place.drill(&arguments).output().unwrap(), 1);
    let shown = text(&place, "drill.prom");
    assert!(shown.contains(&format!("pra_drill_passed{labels} 0.0\n")), "{shown}");
    assert!(shown.contains(r#"pra_drill_passed{scenario="kill-pod",platform="kubernetes""#), "{shown}");
}

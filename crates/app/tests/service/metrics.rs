//! What `/metrics` says, read as Prometheus reads it: a name with its labels, a number.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::harness::{App, Place};
use crate::status::{start, take};

/// What Prometheus sends.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          text/plain;version=0.0.4;q=0.4,*/*;q=0.2";

/// The samples by name and labels; the exposition must be complete.
async fn scrape(app: &App) -> BTreeMap<String, f64> {
    let answer = app.get_as("/metrics", PROMETHEUS).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let samples = answer.text.strip_suffix("# EOF\n").unwrap().lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status_and_no_client_makes_up_a_name() {
    let place = Place::new();
    let app = place.start();
    for path in ["/count", "/count", "/add", "/nothing", "/other", "/count?x=1"] {
        app.get(path).await;
    }
    let found = scrape(&app).await;
    let counted = |route: &str, status: u16| {
        found.get(&format!("pra_http_requests_total{{route=\"{route}\",status=\"{status}\"}}")).copied()
    };
    assert_eq!(counted("/count", 200), Some(3.0));
    assert_eq!(counted("/add", 400), Some(1.0));
    assert_eq!(counted("none", 404), Some(2.0));
    assert_eq!(counted("/nothing", 404), None);
    assert_eq!(found["pra_http_request_duration_seconds_count{route=\"/count\"}"], 3.0);
    assert_eq!(found[&format!("pra_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))], 1.0);
}

#[tokio::test]
async fn whoever_does_not_take_open_metrics_gets_what_promtool_accepts() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    // As curl asks.
    let answer = app.get_as("/metrics", "*/*").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let samples = |text: &str| -> Vec<String> {
        let named = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '));
        named.map(|(name, _)| name.to_owned()).collect()
    };
    let open = app.get_as("/metrics", PROMETHEUS).await.text;
    assert!(samples(&open).len() > 30);
    let missing: Vec<String> =
        samples(&answer.text).into_iter().filter(|name| !samples(&open).contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");

    let Some(checked) = promtool(&answer.text) else { return };
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// What it says of an exposition; `None`, outside of continuous integration, if it is missing.
fn promtool(exposition: &str) -> Option<Output> {
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = check.spawn();
    if child.is_err() && std::env::var_os("CI").is_none() {
        return None;
    }
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

#[tokio::test]
async fn commits_and_the_queue_are_shown() {
    let place = Place::new();
    let app = place.start();
    for _ in 0..3 {
        app.add("x").await.id();
    }
    let found = scrape(&app).await;
    // One client, one write at a time: each had a commit of its own.
    assert_eq!((found["pra_commit_writes_count"], found["pra_commit_writes_sum"]), (3.0, 3.0));
    assert_eq!((found["pra_commit_duration_seconds_count"], found["pra_commit_failures_total"]), (3.0, 0.0));
    assert_eq!((found["pra_write_queue_length"], found["pra_write_queue_limit"]), (0.0, 1024.0));
    assert!(found["pra_wal_size_bytes"] > 4096.0);
    assert!(found["pra_database_size_bytes"] > 4096.0);
    assert_eq!((found["pra_messages"], found["pra_database_readable"]), (3.0, 1.0));
}

#[tokio::test]
async fn a_restore_point_ends_the_exposure() {
    let place = Place::new();
    let app = start(&place);
    let before = scrape(&app).await;
    assert_eq!(before["pra_repository_readable"], 0.0, "there is no directory yet");
    assert!(!before.contains_key("pra_exposed_messages"), "nobody knows what is exposed");

    fs::create_dir(place.path().join("backup")).unwrap();
    for _ in 0..5 {
        app.add("x").await.id();
    }
    let exposed = scrape(&app).await;
    assert_eq!((exposed["pra_exposed_messages"], exposed["pra_repository_readable"]), (5.0, 1.0));
    assert!(exposed["pra_exposed_seconds"] > 0.0);
    assert!(!exposed.contains_key("pra_restore_point_age_seconds"));

    take(&place, &place);
    let safe = scrape(&app).await;
    assert_eq!((safe["pra_exposed_messages"], safe["pra_exposed_seconds"]), (0.0, 0.0));
    assert_eq!((safe["pra_restore_point_sequence"], safe["pra_restore_point_suspect"]), (1.0, 0.0));
    assert!((0.0..30.0).contains(&safe["pra_restore_point_age_seconds"]));
    assert!(safe["pra_restore_point_size_bytes"] > 4096.0);
    let lineage = app.get("/status").await.json()["lineage"].as_str().unwrap().to_owned();
    assert_eq!(safe[&format!("pra_lineage_info{{lineage=\"{lineage}\"}}")], 1.0);

    app.add("x").await.id();
    let status = app.get("/status").await.json();
    assert_eq!(status["exposed_messages"], 1);
    assert!((0.0..30.0).contains(&status["exposed_seconds"].as_f64().unwrap()));
}

#[tokio::test]
async fn a_lost_database_leaves_what_was_counted() {
    let place = Place::new();
    let app = place.start();
    app.add("x").await.id();
    fs::remove_file(place.database()).unwrap();
    assert_eq!(app.add("x").await.status, 503);
    let found = scrape(&app).await;
    assert_eq!((found["pra_database_readable"], found["pra_commit_failures_total"]), (0.0, 1.0));
    assert!(!found.contains_key("pra_messages"));
    assert_eq!(found["pra_http_requests_total{route=\"/add\",status=\"503\"}"], 1.0);
    app.stop_lost();
}

//! Drills on a real cluster, which `cargo xtask test --cluster --context NAME` has deployed to. One after the other.

mod anew;
mod full;
mod silent;

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Place, Running, assert_exit};

/// Where `cargo xtask test --cluster` says that the cluster is.
fn context() -> String {
    std::env::var("PRA_TEST_CONTEXT").expect("run this with: cargo xtask test --cluster --context NAME")
}

fn namespace() -> String {
    std::env::var("PRA_TEST_NAMESPACE").unwrap_or("pra".to_owned())
}

fn kubectl(arguments: &[&str]) -> String {
    let pinned = [format!("--context={}", context()), format!("--namespace={}", namespace())];
    let output = Command::new("kubectl").args(pinned).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn on_the_cluster(place: &Place, arguments: &[&str]) -> Command {
    let (context, namespace) = (context(), namespace());
    let pinned = ["--platform", "kubernetes", "--context", &context, "--namespace", &namespace];
    // The interval only tells the drill when to strike: there is no need to wait for half a minute here.
    let all: Vec<&str> =
        ["run"].iter().chain(arguments).chain(&pinned).chain(&["--backup-every", "10s"]).copied().collect();
    place.drill(&all)
}

fn passes(arguments: &[&str]) -> Value {
    let place = Place::new();
    let output = on_the_cluster(&place, arguments).output().unwrap();
    assert_exit(&output, 0);
    eprintln!("{}", String::from_utf8_lossy(&output.stdout));
    whole();
    place.report()
}

/// The service is ready, the backups are on, both volumes are on one node, and nothing of a drill is left.
fn whole() {
    kubectl(&["wait", "--for=condition=Available", "deployment/app", "--timeout=60s"]);
    assert_eq!(kubectl(&["get", "cronjob", "sqlite-backup", "--output=jsonpath={.spec.suspend}"]), "false");
    assert_eq!(kubectl(&["get", "jobs", "--selector=pra.dev/drill-run", "--output=name"]), "");
    assert_eq!(kubectl(&["get", "lease", "pra-drill", "--ignore-not-found", "--output=name"]), "");
    assert_eq!(nodes_of("pra-data"), nodes_of("pra-backup"));
}

/// The nodes from which a claim's volume can be used; empty if from all.
fn nodes_of(claim: &str) -> String {
    let volume = kubectl(&["get", "pvc", claim, "--output=jsonpath={.spec.volumeName}"]);
    kubectl(&["get", "pv", &volume, "--output=jsonpath={.spec.nodeAffinity.required.nodeSelectorTerms}"])
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_pod_that_is_killed_costs_no_request() {
    let place = Place::new();
    assert_exit(&on_the_cluster(&place, &["kill-pod"]).output().unwrap(), 0);
    // Which ones, when and why, is what one needs to know.
    let ledger = std::fs::read_to_string(place.reports()[0].join("ledger.jsonl")).unwrap();
    let others: Vec<_> = ledger.lines().filter(|line| !line.contains(r#""outcome":"acknowledged""#)).collect();
    assert!(others.is_empty(), "{} writes were not acknowledged: {others:#?}", others.len());
    assert!(ledger.lines().count() > 100, "{} writes show nothing", ledger.lines().count());
    whole();
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_pod_that_is_killed_by_force_loses_nothing() {
    passes(&["kill-pod", "--force"]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_lost_volume_is_restored_by_the_runbook() {
    let report = passes(&["kill-pvc"]);
    // Of the schedule, not of what the drill itself took.
    let worst = report["actual"]["worst_case_rpo_seconds"].as_f64().unwrap();
    assert!((60.0..90.0).contains(&worst), "the CronJob runs each minute, and a backup takes seconds: {worst}");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_lost_volume_is_restored_by_itself() {
    passes(&["kill-pvc", "--automatic"]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_volume_lost_under_load_is_restored() {
    passes(&["kill-pvc", "--brutal"]);
}

/// Takes a label away for as long as it lives.
struct Unlabelled;

impl Unlabelled {
    fn namespace() -> Self {
        kubectl(&["label", "namespace", &namespace(), "pra.dev/drill-"]);
        Self
    }
}

impl Drop for Unlabelled {
    fn drop(&mut self) {
        kubectl(&["label", "namespace", &namespace(), "pra.dev/drill=allowed"]);
    }
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_namespace_without_the_label_is_refused_and_left_alone() {
    let state = || {
        let each =
            "--output=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.generation};{end}";
        kubectl(&["get", "deployments,cronjobs,pvc,leases", each])
    };
    let place = Place::new();
    let before = state();
    let unlabelled = Unlabelled::namespace();
    let output = on_the_cluster(&place, &["kill-pvc"]).output().unwrap();
    drop(unlabelled);
    assert_exit(&output, 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("pra.dev/drill=allowed"));
    assert_eq!(state(), before);
    place.assert_clean();
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn an_interrupted_drill_finishes_the_recovery() {
    let place = Place::new();
    let mut drill = Running::start(on_the_cluster(&place, &["kill-pvc"]));
    drill.wait_for("  R1  ");
    kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
    assert_eq!(drill.end(), Some(4));
    whole();
    place.assert_clean();
}

#[test]
#[ignore = "needs a cluster: cargo xtask test --cluster --context NAME"]
fn a_killed_drill_is_finished_by_cleanup() {
    let place = Place::new();
    let mut drill = Running::start(on_the_cluster(&place, &["kill-pvc"]));
    drill.wait_for("  D1  ");
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);
    // The next drill must not build on what this one left.
    let refused = on_the_cluster(&place, &["kill-pod"]).output().unwrap();
    assert_exit(&refused, 3);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("drill cleanup"));
    assert_exit(&place.drill(&["cleanup"]).output().unwrap(), 0);
    whole();
    place.assert_clean();
}

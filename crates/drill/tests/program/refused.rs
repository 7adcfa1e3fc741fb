//! What a drill refuses, before anything is broken.

use crate::support::{Place, Running, assert_exit, program};

#[test]
fn a_dry_run_starts_and_writes_nothing() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pvc", "kill-pod", "--dry-run"]).output().unwrap();
    assert_exit(&output, 0);
    let plan = String::from_utf8(output.stdout).unwrap();
    let root = place.path().canonicalize().unwrap();
    assert!(plan.contains(&format!("destroy directory {}", root.join(".drill").display())), "{plan}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "a dry run left something behind");
}

#[test]
fn a_second_drill_in_the_same_place_is_refused() {
    let place = Place::new();
    let mut first = Running::start(place.drill(&["run", "kill-pod"]));
    first.wait_for("the service answers");
    let second = place.drill(&["run", "kill-pod"]).output().unwrap();
    assert_exit(&second, 3);
    assert!(String::from_utf8_lossy(&second.stderr).contains("another drill is running"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first.pid()), nix::sys::signal::SIGTERM).unwrap();
    assert_eq!(first.end(), Some(4));
}

#[test]
fn a_missing_program_is_named() {
    let place = Place::new();
    let alone = place.path().join("drill");
    std::fs::copy(program("drill"), &alone).unwrap();
    let output = place.drill_at(&alone, &["run", "kill-pod"]).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("app is missing") && said.contains("cargo build --workspace"), "{said}");
    assert!(place.list("reports").is_empty());
    place.assert_clean();
}

#[test]
fn bad_usage_exits_2() {
    let place = Place::new();
    for arguments in [
        &["run"][..],
        &["run", "kill-everything"],
        &["run", "kill-pod", "--rto", "60"],
        &["run", "kill-pod", "--rate", "0"],
        &["run", "kill-pod", "--runs", "0"],
        &["run", "kill-pod", "--backup-every", "0s"],
    ] {
        assert_exit(&place.drill(arguments).output().unwrap(), 2);
    }
}

#[test]
fn without_restore_points_nothing_is_broken() {
    let place = Place::with_backup("#!/bin/sh\necho 'error: no space left on the backup volume' >&2\nexit 1\n");
    let output =
        place.drill_in_place(&["run", "kill-pvc", "--backup-every", "1s", "--patience", "3s"]).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no space left on the backup volume"), "{said}");
    assert!(!said.contains("D0"), "{said}");
    place.assert_clean();
}

#[test]
fn a_report_that_cannot_be_kept_is_refused_before_anything_is_broken() {
    let place = Place::new();
    let output = place.drill(&["run", "kill-pod", "--backup-every", "1s", "--reports", "/proc/none"]).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot create the report folder /proc/none"), "{said}");
    assert!(!said.contains("D0"), "{said}");
    place.assert_clean();
}

#[test]
fn cleaning_up_beside_a_running_drill_is_refused() {
    let place = Place::new();
    let mut drill = Running::start(place.drill(&["run", "kill-pod"]));
    drill.wait_for("the service answers");
    assert_exit(&place.drill(&["cleanup"]).output().unwrap(), 3);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(drill.pid()), nix::sys::signal::SIGINT).unwrap();
    assert_eq!(drill.end(), Some(4));
}

#[test]
fn an_option_that_would_do_nothing_is_refused() {
    let place = Place::new();
    for (arguments, said) in [
        ("kill-pvc --context prod", "--context is for --platform kubernetes"),
        ("kill-pvc --namespace pra", "--namespace is for --platform kubernetes"),
        ("kill-pod --force", "--no-grace is for --platform kubernetes"),
        ("kill-pod --automatic", "--automatic is for kill-pvc; it has no effect here"),
        ("kill-pod full-disk --compare", "--both-ways is for kill-pvc"),
        ("full-disk --writers 4", "--writers is for kill-pod, kill-pvc"),
        ("kill-pvc --seed 3", "--seed is for --inject-at random"),
        ("kill-pod --platform kubernetes --context a --remote s3://b/c", "--remote is for --platform local"),
        ("kill-pod --platform kubernetes --context a --linger 1m", "--linger is for --platform local"),
        ("kill-pod --platform kubernetes --context a --listen 127.0.0.1:80", "--listen is for --platform local"),
        ("kill-pvc --platform kubernetes --context a --no-grace", "--no-grace is for kill-pod"),
        ("kill-pod --platform kubernetes --context a --drill-image b", "for corrupt-database, human-error"),
    ] {
        let output = place.drill(&[&["run"], &*arguments.split(' ').collect::<Vec<_>>()].concat()).output().unwrap();
        assert_exit(&output, 2);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(said), "{arguments}: {stderr}");
    }
    assert!(place.list("reports").is_empty());
    // With a scenario that it is for, others may be there as well.
    let output = place.drill(&["run", "kill-pod", "kill-pvc", "--automatic", "--dry-run"]).output().unwrap();
    assert_exit(&output, 0);
}

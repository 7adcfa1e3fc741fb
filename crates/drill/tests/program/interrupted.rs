//! Drills that are stopped half-way leave nothing behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Place, Running, assert_exit};

/// What the drill prints when a phase begins, in order.
const PHASES: [&str; 9] =
    ["the service answers", "  E0  ", "  D1  ", "  A   ", "  R0  ", "  R2  ", "  R3  ", "  S1  ", "  V   "];

fn interrupt_at(phase: &str, signal: Signal) {
    let place = Place::new();
    // Far enough from the next backup, with which the drill ends, that the signal comes before that on a busy machine too.
    let mut drill = Running::start(place.drill(&["run", "kill-pvc", "kill-pod", "--backup-every", "8s"]));
    drill.wait_for(phase);
    kill(Pid::from_raw(drill.pid()), signal).unwrap();
    assert_eq!(drill.end(), Some(4), "at {phase}");
    let report = place.report();
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(report["reasons"][0], format!("interrupted by {signal}"));
    place.assert_clean();
}

#[test]
fn ctrl_c_in_each_phase_cleans_up() {
    std::thread::scope(|scope| {
        for phase in PHASES {
            scope.spawn(move || interrupt_at(phase, Signal::SIGINT));
        }
    });
}

#[test]
fn a_request_to_terminate_cleans_up() {
    interrupt_at("  D1  ", Signal::SIGTERM);
}

fn kill_at(place: &Place, phase: &str) {
    let mut drill = Running::start(place.drill(&["run", "kill-pvc", "--backup-every", "1s"]));
    drill.wait_for(phase);
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);
}

#[test]
fn a_killed_drill_is_cleaned_up_by_hand() {
    for phase in ["the service answers", "  R3  "] {
        let place = Place::new();
        kill_at(&place, phase);
        let output = place.drill(&["cleanup"]).output().unwrap();
        assert_exit(&output, 0);
        assert!(String::from_utf8_lossy(&output.stdout).contains("that drill was killed at the step:"));
        place.assert_clean();
        let again = place.drill(&["cleanup"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing was left behind\n");
    }
}

#[test]
fn a_killed_drill_is_cleaned_up_by_the_next() {
    let place = Place::new();
    kill_at(&place, "  E0  ");
    assert!(!place.processes().is_empty(), "the killed drill left no process: this test shows nothing");
    assert_exit(&place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap(), 0);
    place.assert_clean();
}

#[test]
fn what_others_keep_in_the_state_directory_stays() {
    let place = Place::new();
    let theirs = [".drill/precious/file", ".drill/pra-data/app.db", ".drill/20261122T214604.890Z/file"];
    for path in theirs.map(|path| place.path().join(path)) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "data").unwrap();
    }
    assert_exit(&place.drill(&["cleanup"]).output().unwrap(), 0);
    assert_exit(&place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap(), 0);
    for path in theirs {
        assert_eq!(std::fs::read_to_string(place.path().join(path)).unwrap(), "data", "{path}");
    }
}

#[test]
fn a_backup_that_hangs_does_not_hold_up_ctrl_c() {
    let place = Place::with_backup("#!/bin/sh\nexec sleep 300\n");
    let mut drill = Running::start(place.drill_in_place(&["run", "kill-pod"]));
    drill.wait_for("the service answers");
    kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
    drill.wait_for("SIGINT: cleaning up");
    let asked = std::time::Instant::now();
    assert_eq!(drill.end(), Some(4));
    assert!(asked.elapsed() < std::time::Duration::from_secs(30), "{:?}", asked.elapsed());
    place.assert_clean();
}

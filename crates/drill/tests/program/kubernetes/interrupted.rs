//! Drills on a cluster that are stopped half-way leave a whole system.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::cluster::Cluster;
use super::for_each;
use crate::support::assert_exit;

#[test]
fn ctrl_c_in_each_phase_leaves_a_whole_system() {
    for_each(["E0", "D0", "D1", "R0", "R1", "R2", "R3", "S1"], |phase| {
        let cluster = Cluster::new();
        let mut drill = cluster.start(&["kill-pvc"]);
        drill.wait_for(&format!(" s  {phase}  "));
        kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
        assert_eq!(drill.end(), Some(4), "at {phase}");
        assert_eq!(cluster.place.report()["reasons"][0], "interrupted by SIGINT");
        cluster.assert_whole_with_sentinel();
    });
}

#[test]
fn ctrl_c_during_a_brutal_or_an_automatic_recovery_leaves_a_whole_system() {
    for_each([("--brutal", "D0"), ("--automatic", "R1")], |(manner, phase)| {
        let cluster = Cluster::new();
        let mut drill = cluster.start(&["kill-pvc", manner]);
        drill.wait_for(&format!(" s  {phase}  "));
        kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
        assert_eq!(drill.end(), Some(4), "{manner} at {phase}");
        cluster.assert_whole_with_sentinel();
    });
}

#[test]
fn ctrl_c_does_not_wait_for_a_call_that_hangs() {
    // The lease, the deletion of the claim, the restore.
    for_each([1, 6, 8], |number| {
        let cluster = Cluster::new();
        cluster.tell(&json!({"hang": [number]}));
        let drill = &mut cluster.start(&["kill-pvc"]);
        cluster.until_hanging();
        kill(Pid::from_raw(drill.pid()), Signal::SIGINT).unwrap();
        assert_eq!(drill.end(), Some(4), "at change {number}");
        cluster.assert_whole();
    });
}

#[test]
fn a_killed_drill_keeps_others_away_until_it_is_cleaned_up() {
    for_each(["D0", "R1", "R3"], |phase| {
        let cluster = Cluster::new();
        let mut drill = cluster.start(&["kill-pvc"]);
        drill.wait_for(&format!(" s  {phase}  "));
        kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
        assert_eq!(drill.end(), None);
        let refused = cluster.said(&["kill-pvc"], 3);
        assert!(refused.contains("a drill on stand-in was killed"), "{refused}");
        let output = cluster.cleanup().output().unwrap();
        assert_exit(&output, 0);
        assert!(String::from_utf8_lossy(&output.stdout).contains("that drill was killed at the step:"));
        cluster.assert_whole();
    });
}

#[test]
fn a_drill_killed_while_a_node_is_drained_gives_it_back() {
    let cluster = Cluster::new();
    let mut drill = cluster.start(&["drain-node"]);
    drill.wait_for(" s  D1  ");
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);
    assert_exit(&cluster.cleanup().output().unwrap(), 0);
    cluster.assert_whole();
}

#[test]
fn cleaning_up_restores_what_a_service_that_is_up_has_lost() {
    let cluster = Cluster::new();
    cluster.tell(&json!({"no_restore": true}));
    let mut drill = cluster.start(&["kill-pvc", "--automatic"]);
    // Ready, with an empty database on the new volume.
    drill.wait_for(" s  S1  ");
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None);
    let output = cluster.cleanup().output().unwrap();
    assert_exit(&output, 0);
    assert!(String::from_utf8_lossy(&output.stderr).contains(", not the lost "));
    cluster.assert_whole();
}

#[test]
fn a_drill_killed_while_content_is_damaged_makes_it_good() {
    let phases = [("corrupt-database", "D0"), ("corrupt-database", "D1"), ("corrupt-database", "R2")];
    let human = [("human-error", "D0"), ("human-error", "D1"), ("human-error", "R3"), ("human-error", "R4")];
    for_each(phases.into_iter().chain(human), |(scenario, phase)| {
        let cluster = Cluster::new();
        kill_at(&cluster, &[scenario], phase);
        assert_exit(&cluster.cleanup().output().unwrap(), 0);
        cluster.assert_whole();
    });
}

#[test]
fn a_drill_killed_while_an_empty_service_runs_puts_the_deployed_one_back() {
    for_each(["D1", "D2", "R0", "R3"], |phase| {
        let cluster = Cluster::new();
        kill_at(&cluster, &["poisoned-backup"], phase);
        assert_exit(&cluster.cleanup().output().unwrap(), 0);
        cluster.assert_whole();
        assert!(cluster.restores_before_it_starts());
    });
}

#[test]
fn a_drill_killed_while_both_volumes_are_lost_fetches_what_is_elsewhere() {
    for_each(["D0", "D1", "R1", "R3"], |phase| {
        let cluster = Cluster::new();
        kill_at(&cluster, &["lose-both-volumes", "--offsite"], phase);
        assert_exit(&cluster.cleanup().output().unwrap(), 0);
        cluster.assert_whole();
    });
}

pub fn kill_at(cluster: &Cluster, arguments: &[&str], phase: &str) {
    let mut drill = cluster.start(arguments);
    drill.wait_for(&format!(" s  {phase}  "));
    kill(Pid::from_raw(drill.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(drill.end(), None, "{arguments:?} at {phase}");
}

#[test]
fn a_drill_killed_while_a_node_is_stopped_starts_it_again() {
    for_each(["D0", "D1"], |phase| {
        let cluster = Cluster::new();
        let power = cluster.power();
        let arguments: Vec<&str> = ["stop-node"].into_iter().chain(power.iter().map(String::as_str)).collect();
        kill_at(&cluster, &arguments, phase);
        assert_exit(&cluster.cleanup().output().unwrap(), 0);
        cluster.assert_whole();
    });
}

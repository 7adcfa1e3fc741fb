//! What was deleted and deployed anew since a drill was killed is not the drill's.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::for_each;
use super::interrupted::kill_at;
use crate::support::assert_exit;

/// A drill that was killed once the volume was gone: the service is off, as are the backups.
fn abandoned() -> Cluster {
    let cluster = Cluster::new();
    kill_at(&cluster, &["kill-pvc"], "D1");
    cluster
}

/// Ends with what the clean-up said; what it changed on the cluster is left aside by `but`.
fn cleaned_up_without_a_change(cluster: &Cluster, but: &[&str]) -> String {
    let before = cluster.changes().len();
    let output = cluster.cleanup().output().unwrap();
    assert_exit(&output, 0);
    let changes = cluster.changes().split_off(before);
    assert!(changes.iter().all(|change| but.contains(&change.as_str())), "{changes:?}");
    cluster.place.assert_clean();
    String::from_utf8(output.stdout).unwrap()
}

fn run_folder(cluster: &Cluster) -> PathBuf {
    cluster.place.list(".drill").into_iter().find(|path| path.is_dir()).unwrap()
}

#[test]
fn a_namespace_that_was_deleted_or_made_anew_is_left_alone_and_its_notes_are_closed() {
    let gone: fn(&mut Value) = |objects| drop(objects["namespace"].as_object_mut().unwrap().remove("pra"));
    let anew: fn(&mut Value) = |objects| objects["namespace"]["pra"]["metadata"]["uid"] = json!("another");
    let going: fn(&mut Value) = |objects| objects["namespace"]["pra"]["metadata"]["deletionTimestamp"] = json!("now");
    for_each([gone, anew, going], |edit| {
        let cluster = abandoned();
        cluster.edit(edit);
        let said = cleaned_up_without_a_change(&cluster, &[]);
        assert!(said.contains("namespace pra of context stand-in was deleted since"), "{said}");
    });
}

#[test]
fn a_deployment_that_was_made_anew_is_left_alone() {
    let cluster = abandoned();
    cluster.edit(|objects| objects["deployment"]["app"]["metadata"]["uid"] = json!("another"));
    let said = cleaned_up_without_a_change(&cluster, &["delete job", "delete lease pra-drill"]);
    assert!(said.contains("deployment app was deleted since"), "{said}");
}

#[test]
fn nothing_is_restored_to_a_volume_that_others_made_since() {
    let cluster = abandoned();
    cluster.edit(|objects| {
        let metadata = json!({"name": "pra-data", "uid": "theirs", "generation": 1});
        objects["persistentvolumeclaim"]["pra-data"] =
            json!({"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {}, "status": {"phase": "Pending"}});
    });
    let before = cluster.changes().len();
    let output = cluster.cleanup().output().unwrap();
    assert_exit(&output, 0);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("claim pra-data was made anew by others since"), "{said}");
    let changes = cluster.changes().split_off(before);
    assert!(!changes.iter().any(|change| change.starts_with("create") || change.contains("persistent")), "{changes:?}");
    // What the drill itself had switched off is on again; the init container restored, as on any first start.
    cluster.assert_whole();
}

#[test]
fn a_killed_drill_keeps_nobody_away_from_another_place() {
    let cluster = abandoned();
    let said = cluster.said(&["kill-pod", "--namespace", "other"], 3);
    assert!(said.contains("note: a drill on stand-in was killed in namespace pra, at the step: "), "{said}");
    assert!(said.contains("there is no namespace other"), "{said}");
    let local = cluster.place.drill(&["run", "kill-pod", "--backup-every", "1s"]).output().unwrap();
    assert_exit(&local, 0);
    let said = String::from_utf8_lossy(&local.stderr);
    assert!(said.contains("drill cleanup finishes it"), "{said}");
    assert_exit(&cluster.cleanup().output().unwrap(), 0);
    cluster.assert_whole();
}

#[test]
fn notes_of_a_cluster_that_is_gone_are_dropped_by_a_command_that_the_message_names() {
    let cluster = abandoned();
    let folder = run_folder(&cluster);
    let notes = folder.join("kubernetes.json");
    let text = fs::read_to_string(&notes).unwrap();
    fs::write(&notes, text.replace("stand-in", "gone")).unwrap();
    let output = cluster.cleanup().output().unwrap();
    assert_exit(&output, 5);
    let said = String::from_utf8_lossy(&output.stderr);
    let run = folder.file_name().unwrap().to_str().unwrap();
    let forget = format!("if that cluster is gone for good: drill cleanup --forget {run}");
    assert!(said.contains("(context gone, namespace pra)") && said.contains(&forget), "{said}");

    assert_exit(&cluster.with_kubectl(&["cleanup", "--forget", "20000101T000000.000Z"]).output().unwrap(), 2);
    let output = cluster.with_kubectl(&["cleanup", "--forget", run]).output().unwrap();
    assert_exit(&output, 0);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("kubectl --context gone --namespace pra scale deployment app --replicas=1"), "{said}");
    cluster.place.assert_clean();
}

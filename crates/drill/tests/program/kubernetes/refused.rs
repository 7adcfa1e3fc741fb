//! What a drill on a cluster refuses, before it changes anything.

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::support::assert_exit;

/// Objects to replace, each as a path and what is put there.
type Edits = Vec<(&'static str, Value)>;

fn assert_refused(cluster: &Cluster, arguments: &[&str], why: &str) {
    let said = cluster.said(arguments, 3);
    assert!(said.contains(why), "{why:?} is not in {said}");
    assert_eq!(cluster.changes(), Vec::<String>::new(), "{why}");
    cluster.place.assert_clean();
    assert!(cluster.place.list("reports").is_empty(), "a refusal left a report");
}

#[test]
fn a_cluster_that_is_not_fit_for_a_drill_is_not_touched() {
    let unbound = json!({"spec": {}, "status": {"phase": "Pending"}, "metadata": {"name": "pra-backup", "uid": "1"}});
    let lease = json!({"pra-drill": {"metadata": {"name": "pra-drill"}, "spec": {"holderIdentity": "another"}}});
    let suspended = ("/cronjob/sqlite-backup/spec/suspend", json!(true));
    let cases: Vec<(&str, Edits)> = vec![
        ("label pra.dev/drill=allowed, found none", vec![("/namespace/pra/metadata/labels", json!({}))]),
        ("found forbidden", vec![("/namespace/pra/metadata/labels", json!({"pra.dev/drill": "forbidden"}))]),
        ("cronjob sqlite-backup is suspended", vec![suspended.clone()]),
        ("deployment app is scaled to 0", vec![("/deployment/app/spec/replicas", json!(0)), suspended.clone()]),
        // Suspended, since a backup would bind it again.
        ("claim pra-backup is Pending, not Bound", vec![("/persistentvolumeclaim/pra-backup", unbound), suspended]),
        ("is held by run \"another\"", vec![("/lease", lease.clone())]),
        ("namespace pra delete lease pra-drill", vec![("/lease", lease)]),
        ("there is no deployment app in namespace pra", vec![("/deployment", json!({}))]),
        ("cargo xtask deploy --context stand-in --namespace pra", vec![("/cronjob", json!({}))]),
    ];
    super::for_each(cases, |(why, edits)| {
        let cluster = Cluster::new();
        cluster.edit(|objects| {
            objects["lease"] = json!({});
            for (path, value) in edits {
                *objects.pointer_mut(path).unwrap() = value;
            }
        });
        assert_refused(&cluster, &["kill-pvc"], why);
    });
}

#[test]
fn an_unknown_context_namespace_or_program_is_named() {
    let cluster = Cluster::new();
    assert_refused(&cluster, &["kill-pvc", "--namespace", "other"], "there is no namespace other");
    let deploy = "cargo xtask deploy --context stand-in --namespace other";
    assert_refused(&cluster, &["kill-pvc", "--namespace", "other"], deploy);
    let elsewhere = ["run", "kill-pvc", "--platform", "kubernetes", "--context", "production"];
    let output = cluster.with_kubectl(&elsewhere).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("context \"production\" does not exist"), "{said}");
    assert!(said.contains("kubectl config get-contexts"), "{said}");
    let output = cluster.run(&["kill-pvc"]).env("PATH", cluster.place.path()).output().unwrap();
    assert_exit(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot run kubectl") && said.contains("doctor"), "{said}");
    assert_eq!(cluster.changes(), Vec::<String>::new());
    cluster.assert_whole();
}

#[test]
fn a_dry_run_names_the_real_objects_and_changes_nothing() {
    let cluster = Cluster::new();
    for (scenario, target) in
        [("kill-pvc", "destroy claim pra-data (pra-data), volume pvc-"), ("kill-pod", "kill pod app-")]
    {
        let output = cluster.run(&[scenario, "--dry-run"]).output().unwrap();
        assert_exit(&output, 0);
        let plan = String::from_utf8(output.stdout).unwrap();
        assert!(plan.contains(target), "{plan}");
    }
    assert_eq!(cluster.changes(), Vec::<String>::new());
    cluster.assert_whole();
}

#[test]
fn what_could_not_be_undone_on_a_cluster_is_not_offered_there() {
    let cluster = Cluster::new();
    for (scenario, why) in [
        ("lose-both-volumes", "with the overlay `offsite`: --offsite"),
        ("kill-backup-volume", "could not be brought back"),
        ("bad-newest-backup", "could not be brought back"),
        ("full-disk", "the disk of a node would fill"),
        ("stolen-credentials", "run it locally with them"),
    ] {
        let said = cluster.said(&[scenario], 2);
        assert!(said.contains(&format!("{scenario} is not offered on stand-in")) && said.contains(why), "{said}");
    }
    assert_eq!(cluster.changes(), Vec::<String>::new());
    cluster.assert_whole();
}

#[test]
fn without_pushes_off_the_cluster_both_volumes_are_left_alone() {
    let cluster = Cluster::new();
    cluster.edit(|objects| drop(objects["cronjob"].as_object_mut().unwrap().remove("sqlite-offsite")));
    let said = cluster.said(&["lose-both-volumes", "--offsite"], 3);
    assert!(
        said.contains("there is no cronjob sqlite-offsite") && said.contains("deploy the overlay `offsite`"),
        "{said}"
    );
    assert_eq!(cluster.changes(), Vec::<String>::new());
}

#[test]
fn a_node_is_not_stopped_unless_it_was_said_how() {
    let cluster = Cluster::new();
    let said = cluster.said(&["stop-node"], 2);
    assert!(said.contains("--stop-node 'COMMAND {node}'"), "{said}");
    assert_eq!(cluster.changes(), Vec::<String>::new());
}

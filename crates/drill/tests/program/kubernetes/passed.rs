//! Drills that pass, and what they do to the cluster.

use serde_json::Value;

use super::cluster::Cluster;

fn pass(arguments: &[&str]) -> (Cluster, Value) {
    let cluster = Cluster::new();
    cluster.said(arguments, 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!(report["verdict"], "pass");
    (cluster, report)
}

#[test]
fn a_deleted_pod_loses_nothing_that_the_service_acknowledged() {
    let (cluster, report) = pass(&["kill-pod"]);
    assert_eq!(report["ledger"]["lost"], 0);
    assert_eq!(report["recovery"], "automatic");
    assert_eq!(report["platform"], "kubernetes");
    assert!(cluster.changes()[2].starts_with("delete pod app-"), "{:?}", cluster.changes());
}

#[test]
fn a_pod_deleted_without_grace_loses_nothing_either() {
    let (_, report) = pass(&["kill-pod", "--force"]);
    assert_eq!(report["ledger"]["lost"], 0);
}

#[test]
fn the_runbook_restores_before_it_starts_the_service() {
    let (cluster, report) = pass(&["kill-pvc"]);
    assert_eq!(report["recovery"], "runbook");
    let expected = [
        "create Lease pra-drill",
        "create job drill-backup",
        r#"patch cronjob sqlite-backup {"spec":{"suspend":true}}"#,
        "scale deployment app 0",
        "delete job",
        "delete persistentvolumeclaim pra-data",
        "create PersistentVolumeClaim pra-data",
        "create Job drill-restore",
        "scale deployment app 1",
        r#"patch cronjob sqlite-backup {"spec":{"suspend":false}}"#,
        "create job drill-backup",
        "delete job",
        "delete lease pra-drill",
    ];
    assert_eq!(cluster.changes(), expected);
}

#[test]
fn the_service_recovers_by_itself() {
    let (cluster, report) = pass(&["kill-pvc", "--automatic"]);
    assert_eq!(report["recovery"], "automatic");
    assert!(report["restore_point"]["name"].as_str().unwrap().starts_with("app-"), "{report:#}");
    assert!(!cluster.changes().contains(&"create Job drill-restore".to_owned()), "{:?}", cluster.changes());
}

#[test]
fn a_volume_destroyed_under_its_users_is_restored_too() {
    pass(&["kill-pvc", "--brutal"]);
}

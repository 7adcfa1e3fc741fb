//! Drills that pass, and what they do to the cluster.

use std::fs;

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::support::assert_exit;

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
fn the_runbook_and_the_service_by_itself_are_compared_in_one_report() {
    let cluster = Cluster::new();
    cluster.said(&["kill-pvc", "--compare"], 0);
    cluster.assert_whole();
    let folders = cluster.place.reports();
    assert_eq!(folders.len(), 3, "{folders:?}");
    let folder = folders.iter().find(|folder| folder.to_str().unwrap().ends_with("-summary-kubernetes")).unwrap();
    let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let compared = &summary["drills"];
    for (index, recovery) in ["runbook", "automatic"].into_iter().enumerate() {
        assert_eq!(compared[index]["recovery"], recovery);
        let own = folder.join(compared[index]["report"].as_str().unwrap()).with_extension("json");
        let own: Value = serde_json::from_slice(&fs::read(own).unwrap()).unwrap();
        assert_eq!((&own["recovery"], &own["actual"]), (&compared[index]["recovery"], &compared[index]["actual"]));
        assert!(own["restore_point"]["name"].as_str().unwrap().starts_with("app-"), "{own:#}");
    }
    let restores = cluster.changes().iter().filter(|change| **change == "create Job drill-restore").count();
    assert_eq!(restores, 1, "{:?}", cluster.changes());
    let shown = fs::read_to_string(folder.join("summary.md")).unwrap();
    for series in ["runbook", "automatic"] {
        assert!(shown.contains(&format!("## kill-pvc on kubernetes, {series} recovery: pass, 1 of 1")), "{shown}");
    }
}

#[test]
fn a_volume_destroyed_under_its_users_is_restored_too() {
    pass(&["kill-pvc", "--brutal"]);
}

#[test]
fn a_service_without_a_node_port_is_reached_through_a_tunnel_and_the_report_says_so() {
    let cluster = Cluster::new();
    assert_exit(&cluster.run_without_url(&["kill-pvc"]).output().unwrap(), 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!(report["method"]["access"], "tunnel");
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("through a tunnel")), "{warnings:?}");
    let (_, direct) = pass(&["kill-pod"]);
    assert_eq!(direct["method"]["access"], "url");
}

#[test]
fn backups_that_stop_are_noticed_by_the_age_of_the_newest() {
    let cluster = Cluster::new();
    cluster.said(&["stuck-backups"], 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!((&report["verdict"], &report["causes"][0]), (&"fail".into(), &"exposed".into()), "{report:#}");
    assert_eq!(report["ledger"]["refused"], 0, "{report:#}");
    assert!(cluster.changes().contains(&r#"patch cronjob sqlite-backup {"spec":{"suspend":true}}"#.to_owned()));
}

#[test]
fn a_drained_node_shows_that_the_volume_cannot_follow_and_is_given_back() {
    let cluster = Cluster::new();
    cluster.said(&["drain-node", "--cluster-patience", "6s"], 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!((&report["verdict"], &report["causes"][0]), (&"fail".into(), &"not-recovered".into()), "{report:#}");
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("didn't match PersistentVolume's node affinity"), "{reasons}");
    assert!(reasons.contains("cannot follow the service"), "{reasons}");
    let changes = cluster.changes();
    let place = |change: &str| changes.iter().position(|done| done == change).unwrap_or_else(|| panic!("{changes:?}"));
    assert!(place("cordon node-0") < place("uncordon node-0"));
}

#[test]
fn an_overwritten_database_is_replaced_by_the_newest_good_restore_point() {
    let (cluster, report) = pass(&["corrupt-database"]);
    assert!(report["ledger"]["lost"].as_u64().unwrap() > 0, "{report:#}");
    assert!(cluster.changes().contains(&"create Job drill-content".to_owned()), "{:?}", cluster.changes());
}

#[test]
fn rows_deleted_by_mistake_come_back_and_later_ones_stay() {
    let (cluster, report) = pass(&["human-error"]);
    assert_eq!(report["ledger"]["refused"], 0, "{report:#}");
    let changes = cluster.changes();
    assert!(!changes.iter().any(|change| change.starts_with("scale")), "the service was stopped: {changes:?}");
}

#[test]
fn a_poisoned_repository_gives_back_the_lost_database_and_the_deployed_service() {
    let cluster = Cluster::new();
    cluster.said(&["poisoned-backup"], 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!((&report["verdict"], &report["causes"]), (&"fail".into(), &json!(["lost-after-fault"])), "{report:#}");
    assert!(cluster.changes().contains(&"rollout undo deployment/app".to_owned()), "{:?}", cluster.changes());
}

#[test]
fn both_volumes_come_back_from_off_the_cluster() {
    let (cluster, report) = pass(&["lose-both-volumes", "--offsite"]);
    assert!(report["method"]["safety_copy"].as_str().unwrap().contains("off the cluster"), "{report:#}");
    let changes = cluster.changes();
    for claim in ["pra-data", "pra-backup"] {
        assert!(changes.contains(&format!("create PersistentVolumeClaim {claim}")), "{changes:?}");
    }
}

#[test]
fn a_stopped_node_shows_that_the_volume_cannot_follow_and_is_started_again() {
    let cluster = Cluster::new();
    let power = cluster.power();
    let power = power.iter().map(String::as_str);
    let arguments: Vec<&str> = ["stop-node", "--cluster-patience", "6s"].into_iter().chain(power).collect();
    cluster.said(&arguments, 0);
    cluster.assert_whole_with_sentinel();
    let report = cluster.place.report();
    assert_eq!((&report["verdict"], &report["causes"]), (&"fail".into(), &json!(["not-recovered"])), "{report:#}");
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("node node-0 is stopped, and a volume that is on it cannot follow"), "{reasons}");
    let changes = cluster.changes();
    assert!(changes.contains(&"power on node-0".to_owned()), "{changes:?}");
}
